"""Records the calls of a program that `runreel watch` has started, from its first import on.

Imports little: every Python process below `runreel watch` imports it.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runreel.capture.http.import_hook import ImportHook

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

# Holds the options as JSON: never in the arguments of a process, which others can read.
VARIABLE = "RUNREEL_WATCH"
DIRECTORY = Path(__file__).with_name("startup")
_PACKAGES = ("httpx", "httpx2")

# The first word of a line of the report that each process writes.
ENTERED = "entered"
WATCHING = "watching"
FAILED = "failed"
MISSING = "missing"


def environment(options: Mapping[str, object], outer: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a program whose Python processes are recorded.

    ``options`` are ``url``, ``mask``, ``labels``, ``requests``, ``on_error`` and ``report``, the
    file that each process reports to. ``outer`` are the variables to start from.
    """
    path = [str(DIRECTORY), *filter(None, [outer.get("PYTHONPATH")])]
    return {**outer, VARIABLE: json.dumps(options), "PYTHONPATH": os.pathsep.join(path)}


def start(options: str) -> None:
    """Record the calls of this process once it imports httpx or httpx2."""
    values: dict[str, Any] = json.loads(options)

    def imported(_module: ModuleType) -> None:
        hook.remove()
        try:
            _watch(values)
        except Exception as error:  # noqa: BLE001 - an import of the program must not fail
            _report(values, FAILED, f"{sys.executable}: {error}")
        else:
            _report(values, WATCHING)

    hook = ImportHook(_PACKAGES, imported)
    hook.install()
    _report(values, ENTERED)


def _watch(values: dict[str, Any]) -> None:
    from runreel.api.reel import open as open_reel

    reel = open_reel(values["url"], on_error=values["on_error"], mask=values["mask"])
    reel.watch(labels=values["labels"], requests=values["requests"])


def _report(values: dict[str, Any], word: str, text: str = "") -> None:
    # The report is gone once the first program has ended, although others may go on.
    with contextlib.suppress(OSError), open(values["report"], "a", encoding="utf-8") as report:  # noqa: PTH123
        report.write(f"{word} {' '.join(text.split())}\n")
