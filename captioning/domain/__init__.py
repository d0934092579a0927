"""The nouns that cross packages: record, usage, blob, queue message. Data only, no I/O."""
