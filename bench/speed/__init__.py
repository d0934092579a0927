"""What the app costs in time, CPU, memory and requests."""
