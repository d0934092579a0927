"""Stand-ins for a laptop: providers, storage emulator, Functions host. Never deployed."""
