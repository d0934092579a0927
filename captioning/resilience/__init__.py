"""When a service may be called again: limiter, retries, backoff, and what is broken."""
