"""The source adapter for the session files of the Codex CLI."""
