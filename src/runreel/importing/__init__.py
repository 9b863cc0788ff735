"""Import of recorded traffic: what kind of file it is, and which run an unreadable line is of."""
