"""Values to stored payloads and back: JSON text, text deltas, masks, the secret filter."""
