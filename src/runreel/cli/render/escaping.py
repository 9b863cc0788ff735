"""The functions of ``codec.escaping``."""

from __future__ import annotations

from runreel.codec.escaping import escape, escape_line, escape_part

__all__ = ["escape", "escape_line", "escape_part"]
