"""Listening live: each source by its own vendor package, which is imported when it is used."""
