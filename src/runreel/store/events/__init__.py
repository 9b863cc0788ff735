"""The event log: append, range reads, heads, ids, full scans, damage."""
