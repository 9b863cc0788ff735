"""What the tests of a session have done with recordings, for the end of pytest's output."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

# The attribute of reports that has what the summary needs.
ATTRIBUTE = "runreel"
# How many calls or tests a line names.
_NAMED = 5


@dataclass
class _Use:
    """How a test has used a recording; ``ended``: all of its phases were run."""

    passed: bool = True
    ended: bool = False
    unused: list[str] | None = None
    part: str | None = None


@dataclass
class _File:
    """A recording, the tests that use it, and those of them that were run."""

    users: dict[str, None] = field(default_factory=dict)
    uses: dict[str, _Use] = field(default_factory=dict)

    def not_passed(self) -> list[str]:
        return [
            user
            for user in self.users
            if (use := self.uses.get(user)) is None or not (use.passed and use.ended)
        ]


class Summary:
    """Collects the reports of tests; paths are shown relative to ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, _File] = {}
        self._written: list[str] = []

    def add(self, report: pytest.TestReport) -> None:
        """Add the report of a phase of a test; of a test that is run again, the last run counts."""
        about = getattr(report, ATTRIBUTE, None)
        if about is None:
            return
        file = self._files.setdefault(about["file"], _File())
        file.users |= dict.fromkeys((*about["users"], report.nodeid))
        if report.when == "setup":
            file.uses[report.nodeid] = _Use()
        use = file.uses[report.nodeid]
        use.passed &= report.outcome == "passed" and not hasattr(report, "wasxfail")
        if report.when == "teardown":
            use.ended = True
            use.unused, use.part = about.get("unused"), about.get("part")

    def write_recordings(self) -> bool:
        """Rewrite the recordings whose tests have all passed; False if one cannot be written."""
        from runreel.model.errors import RunreelError
        from runreel.pytest_plugin.recording import write

        fine = True
        for path, file in self._files.items():
            if missing := file.not_passed():
                reason = f"not rewritten, because not all of its tests passed: {_named(missing)}"
                self._written.append(f"{self._shown(path)}: {reason}")
                continue
            parts = [use.part for use in file.uses.values() if use.part is not None]
            try:
                count = write(path, parts)
            except (RunreelError, OSError) as error:
                fine = False
                self._written.append(f"{self._shown(path)}: not rewritten: {error}")
                continue
            done = f"rewritten, runs: {count:,}" if count else "not rewritten: no model call"
            self._written.append(f"{self._shown(path)}: {done}")
        return fine

    def lines(self, *, recorded: bool) -> list[str]:
        """Return a line for each file that was rewritten or, else, was not used in full."""
        if recorded:
            return self._written
        found = []
        for path, file in self._files.items():
            unused = (
                [] if file.not_passed() else _in_all([one.unused for one in file.uses.values()])
            )
            if unused:
                found.append(f"{self._shown(path)}: not used: {_named(unused)}")
        return found

    def _shown(self, path: str) -> str:
        return os.path.relpath(path, self._folder)


def _in_all(lists: list[list[str] | None]) -> list[str]:
    """Return what all of the lists have, in order."""
    first, *others = [one or [] for one in lists]
    rest = [set(one) for one in others]
    return [one for one in first if all(one in other for other in rest)]


def _named(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
