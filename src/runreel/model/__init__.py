"""Frozen types, statuses, errors and timestamps: the vocabulary that every package shares."""
