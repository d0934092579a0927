"""Captions, alt text and tags for every image in a storage container."""
