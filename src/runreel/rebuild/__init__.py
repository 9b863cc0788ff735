"""Rebuild of projections from the log, and their comparison with it."""
