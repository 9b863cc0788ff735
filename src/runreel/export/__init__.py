"""Exports of runs to files: recordings, which keep every row, and other formats."""
