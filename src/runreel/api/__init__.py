"""The public facade: `Reel` and its maintenance part."""
