"""Pictures and records, made to order."""
