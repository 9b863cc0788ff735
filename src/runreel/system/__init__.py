"""The machine below the recorder: event loops and threads."""
