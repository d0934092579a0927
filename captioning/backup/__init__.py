"""The nightly copy of all records, and putting records back."""
