"""Source adapter of the Gemini API."""
