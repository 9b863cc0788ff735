"""The lines of archives: what each is, whichever program wrote it."""
