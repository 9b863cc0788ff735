"""The drivers of the databases, behind one interface."""
