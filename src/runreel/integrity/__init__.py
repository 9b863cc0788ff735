"""The hash chain over a run's events, and the format of checkpoints."""
