"""Attribution of the lines of a file to runs."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from runreel.sources.cumulative_lines import (
    NO_FRAME,
    CumulativeLine,
    event_number,
    frame_of,
    parse_cumulative,
)
from runreel.sources.line_parser import YANDEX

if TYPE_CHECKING:
    from runreel.sources.line_parser import Line

# Bytes of an unreadable line that are searched for a run id.
_HEAD = 1024 * 1024
_NAMED_RUN = re.compile(
    rb'(?:"run_?[iI]d"|"type"\s*:\s*"run"\s*,.{0,200}?"id")\s*:\s*("(?:[^"\\]|\\.){1,1200}")'
)


class LineCursor:
    """Attributes each line to the run that it names, or else to the run of the previous line.

    ``run_id`` is the run of the previous line, None until a line has named one.
    """

    __slots__ = ("_frame", "run_id")

    def __init__(self) -> None:
        self.run_id: str | None = None
        # Most lines differ from the previous one in two places only. A frame is the bytes before
        # the number, between the number and the text, and after the text; and the run that those
        # bytes name. Without its own run it would attribute one run's events to another.
        self._frame = NO_FRAME

    def cumulative(self, raw: bytes) -> CumulativeLine | None:
        """The line as a cumulative text event, None for any other; does not move the cursor."""
        head, middle, tail, run_id = self._frame
        if raw.startswith(head) and raw.endswith(tail):
            index, _, text = raw[len(head) : -len(tail)].partition(middle)
            number = event_number(index)
            if number is not None:
                return CumulativeLine(YANDEX, run_id, number, text)
        line = parse_cumulative(raw)
        if line is not None and line.run_id in (None, self.run_id):
            self._frame = frame_of(raw, line)
        return line

    def move(self, line: Line | CumulativeLine) -> str | None:
        """Move to a line and return its run, None if no line has named one yet."""
        if line.run_id is not None:
            self.run_id = line.run_id
        return self.run_id

    def skip(self, raw: bytes) -> str | None:
        """Move past an unreadable line and return the run id found in it, None without one."""
        found = _NAMED_RUN.search(raw[:_HEAD])
        if found is None:
            return None
        try:
            self.run_id = str(json.loads(found[1]))
        except ValueError:
            self.run_id = found[1][1:-1].decode(errors="replace")
        return self.run_id
