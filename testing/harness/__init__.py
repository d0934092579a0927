"""The app and its parts, set up for a test: storage, pipeline, functions, browser, command line."""
