"""Pay once for the same bytes, and once for a burst of near-identical frames."""
