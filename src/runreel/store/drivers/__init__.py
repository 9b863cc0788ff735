"""What differs between SQLite and Postgres: connections, pools, errors, statements."""
