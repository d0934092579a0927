"""Processes that decode pictures for the app, with limits on memory and time."""
