"""The catalogue of captions: saving with the index, edits, one step back, tag vocabulary."""
