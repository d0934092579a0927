"""Measurements of the app: speed, quality and scale. Not part of the app or its tests."""
