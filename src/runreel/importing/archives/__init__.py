"""Import of archives that other programs keep: sessions, batches, logs, traces."""
