"""File formats: what a file is by its first bytes, and what Pillow alone does not read of it."""
