"""The driver of Postgres."""
