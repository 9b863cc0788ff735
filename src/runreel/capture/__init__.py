"""Live recording of vendor clients."""
