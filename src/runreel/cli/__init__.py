"""The command line: asks, renders, echoes. Knows nothing that the Python surface does not."""
