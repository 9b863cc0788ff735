"""Live recording of the openai client."""
