"""Source adapter of the Messages API."""
