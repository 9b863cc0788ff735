"""SQLite and Postgres drivers: connections, pools, errors, prepared statements."""
