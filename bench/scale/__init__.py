"""What happens at a size that no laptop has, by simulation: `python -m bench.scale`."""
