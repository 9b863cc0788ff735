"""Replay of a recorded run with its timing."""
