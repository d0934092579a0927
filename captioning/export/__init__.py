"""Records as CSV, JSON lines, XMP sidecars and static HTML."""
