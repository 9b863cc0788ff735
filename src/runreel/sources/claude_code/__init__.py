"""The source adapter for the session files of Claude Code."""
