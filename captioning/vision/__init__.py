"""Azure AI Vision, Image Analysis 4.0 and 3.2."""
