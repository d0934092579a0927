"""What happens to one image, from its event to a final record."""
