"""The vocabulary: plain frozen types that every other floor speaks in."""
