"""A module per page: the answer to a URL."""
