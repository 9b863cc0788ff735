"""Recorders: append events to a run, with deduplication, group commit and error policy."""
