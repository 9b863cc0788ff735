"""Source adapters for OpenAI's interfaces: Responses and chat completions."""
