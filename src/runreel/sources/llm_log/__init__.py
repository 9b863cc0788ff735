"""The source adapter for the log of the command line tool ``llm``."""
