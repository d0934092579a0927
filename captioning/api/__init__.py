"""HTTP and MCP handlers: a plain request in, a plain response out."""
