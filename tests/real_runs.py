"""Recordings in all the shapes of the service's traffic: made ones, and real ones where they are.

A clone alone has the made ones.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests import service_traffic

_FOLDER = Path(__file__).resolve().parents[2] / "shared" / "real_runs"


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


REAL = {path.stem: _lines(path) for path in sorted(_FOLDER.glob("*.jsonl"))}
RECORDINGS = service_traffic.RECORDINGS | REAL
