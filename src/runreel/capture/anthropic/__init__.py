"""Live recording of the anthropic client."""
