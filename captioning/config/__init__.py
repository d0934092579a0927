"""The settings, parsed and checked."""
