"""The inverted index: query, terms, rows, merging, cursors."""
