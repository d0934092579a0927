"""How far Vision's evidence carries a caption."""
