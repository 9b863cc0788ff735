"""The source adapter for spans of GenAI calls in OTLP JSON."""
