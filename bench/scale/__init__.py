"""A simulation of the app at one million images: `python -m bench.scale`."""
