"""Measurements; `python -m bench.NAME` each. Not part of the app or its tests."""
