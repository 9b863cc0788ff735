"""Queries over the log and its projections."""
