"""Redaction of payloads and pruning of runs."""
