"""Prices, the ledger of what was spent, and the budget."""
