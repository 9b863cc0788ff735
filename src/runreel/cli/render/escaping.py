"""The names of ``codec.escaping``."""

from __future__ import annotations

from runreel.codec.escaping import escape as escape
from runreel.codec.escaping import escape_line as escape_line
from runreel.codec.escaping import escape_part as escape_part
