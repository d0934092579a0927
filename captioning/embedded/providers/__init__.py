"""A small tagger, a text reader and a captioner that need no cloud account."""
