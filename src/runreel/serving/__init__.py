"""Recorded calls of models, served to unmodified programs; a proxy that records."""
