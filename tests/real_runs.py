"""Where the real recorded runs are, where there are any: a checkout alone has none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "real_runs"
FILES = sorted(FOLDER.glob("*.jsonl"))


def lines(path: Path) -> list[dict[str, Any]]:
    """The lines of a recording."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
