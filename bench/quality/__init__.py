"""How good captions, support scores and burst detection are."""
