"""What the measurements use: app, services and storage as processes, meters and plots."""
