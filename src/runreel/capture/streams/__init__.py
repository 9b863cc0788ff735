"""Live recording of the streams of any vendor's client."""
