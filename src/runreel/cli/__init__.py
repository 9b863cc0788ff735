"""The command line: parses arguments, calls the Python API and prints the results."""
