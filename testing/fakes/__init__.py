"""Stand-ins for parts of the app, held against the real ones by contract tests."""
