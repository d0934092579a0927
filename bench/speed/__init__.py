"""Measurements of time, CPU, memory and requests."""
