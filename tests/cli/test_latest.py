"""``latest`` means the newest run: no new run gets that id, an existing one stays reachable."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import runreel
from runreel.model import identifiers
from runreel.model.errors import BadInput
from tests.cli.stories import partial

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.calls import Caller


def test_no_new_run_gets_the_id_from_any_way_in(
    call: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = json.dumps({"run_id": "latest", "type": "COMPLETED", "text": "x"})
    file = tmp_path / "lines.jsonl"
    file.write_text(f"{line}\n", encoding="utf-8")
    assert call("record", "--run", "latest", "--input", str(file)).code == 1
    imported = call("import", str(file))
    assert imported.code == 1
    assert "latest" in imported.err
    with runreel.open(call.url) as reel, pytest.raises(BadInput, match="latest"):
        reel.recording("latest").append(partial("x"))
    assert call.good("runs", "--json").json["items"] == []


def test_an_existing_run_of_that_id_is_reached_and_goes_on(
    call: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    with runreel.open(call.url) as reel:
        with monkeypatch.context() as patch:
            patch.setattr(identifiers, "LATEST", "newest")
            recording = reel.recording("latest")
            recording.append(partial("first"))
        recording.close()
        reel.recording("newer").append(partial("second"))
        with reel.recording("latest") as again:
            again.append(partial("first, and more"))
    assert call.good("show", "latest", "--content", "--json").json["run_id"] == "latest"
    assert call.good("events", "latest", "--json").json["items"] != []
    assert call.good("rebuild", "latest", "--check").err == "No differences.\n"
    erased = call.good("redact", "latest", "--match", "more", "--reason", "r", "--yes", "--json")
    assert erased.json["erased"] is True


def test_the_word_is_the_newest_run(call: Caller) -> None:
    with runreel.open(call.url) as reel:
        for run_id in ("one", "two"):
            with reel.recording(run_id) as recording:
                recording.append(partial("x"))
    assert call.good("show", "latest", "--json").json["run_id"] == "two"
