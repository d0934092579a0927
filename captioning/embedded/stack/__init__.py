"""The processes of `make run`: storage emulator and Functions host."""
