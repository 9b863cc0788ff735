"""Pure rules over words: no clock, no I/O, no database."""
