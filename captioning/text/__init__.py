"""Words for searching, and what of a text is visible."""
