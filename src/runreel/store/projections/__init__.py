"""Tables that are rebuilt from the log: runs, labels, usage rollups, and their queries."""
