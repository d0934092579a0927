"""Random scenarios and chaos runs: processes, editors, faults, invariants."""
