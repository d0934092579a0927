"""Pictures: what their bytes are, and renditions, thumbnails and sketches made of them."""
