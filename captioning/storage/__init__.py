"""Table, Blob and Queue Storage: SDK clients, a REST fast path, signing."""
