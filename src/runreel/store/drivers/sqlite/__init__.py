"""The driver of SQLite."""
