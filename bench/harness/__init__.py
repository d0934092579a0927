"""The bench: app, services and storage as processes, meters and plots."""
