"""Notifies another program of every final record, at least once."""
