"""Output: terminal, tables, CSV, JSON views and their schemas."""
