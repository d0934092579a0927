"""Random stories and fault storms: processes, editors, invariants."""
