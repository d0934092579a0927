"""The gallery: static files and the headers they are served with."""
