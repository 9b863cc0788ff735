"""Records the model calls that a program makes through httpx and httpx2."""
