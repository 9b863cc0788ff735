"""What changes on open pages, as Server-Sent Events."""
