"""What tests look at in a log that archives were imported to."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from runreel.importing.import_files import import_files
from runreel.model.events import NOTE
from tests import logs

if TYPE_CHECKING:
    from pathlib import Path

    from runreel.api.reel import Reel

# What a note says that does not depend on the moment of the import.
_KEPT = ("source", "archive", "thread_id", "labels")


def store(reel: Reel, *paths: Path, **options: Any) -> Any:
    return import_files(reel.db, [str(path) for path in paths], **options)


def totals(reel: Reel) -> tuple[int, int]:
    usage = reel.usage().totals
    return usage.input_text_tokens, usage.completion_tokens


def content(reel: Reel) -> list[Any]:
    """Every row of the log without what the import gives it, and what lists show of the runs."""
    rows = []
    for run_id in logs.run_ids(reel):
        for event in reel.events(run_id):
            raw = event.raw
            if event.kind == NOTE:
                raw = {key: raw[key] for key in _KEPT if key in raw}
            text = json.dumps(raw, sort_keys=True)
            rows.append((run_id, event.seq, event.kind, event.type, text))
    return [rows, sorted(map(repr, reel.runs()))]
