"""``runreel verify``: what it prints and how it exits, whatever the log is like."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import runreel
from runreel.cli.render import json_schemas
from tests import logs
from tests.audit import flips
from tests.cli.calls import program
from tests.cli.shapes import validate

if TYPE_CHECKING:
    from tests.cli.calls import Caller


def spoil(call: Caller) -> None:
    """Change one row of the log, and one of the projections."""
    with runreel.open(call.url) as reel:
        logs.tamper(reel, "UPDATE events SET type = 'x' WHERE run_id = 'run-done' AND seq = 4")
        logs.execute(reel, "UPDATE runs SET run_id = 'ghost' WHERE run_id = 'run-plain'")


def test_an_intact_log_says_how_much_was_verified_and_what_cannot_be(told: Caller) -> None:
    called = told.good("verify")
    assert called.out == ""
    first, second = called.err.splitlines()
    with runreel.open(told.url) as reel:
        assert first == f"OK: 4 runs, {len(logs.rows(reel))} events verified."
    assert "checkpoint" in second
    answer = told.good("verify", "--json").json
    validate(answer, "verify")
    assert (answer["findings"], answer["intact"], answer["runs"]) == ([], True, 4)
    assert told.good("verify", "latest", "run-plain", "--json").json["runs"] == 2


def test_an_empty_log_is_intact(call: Caller) -> None:
    assert call.good("verify").err.startswith("OK: 0 runs, 0 events verified.")


def test_what_is_wrong_is_named_in_every_format(told: Caller) -> None:
    spoil(told)
    called = told("verify")
    assert called.code == 1
    header, *rows = called.out.splitlines()
    assert header.split() == ["RUN", "SEQ", "WHAT", "DETAIL"]
    assert ["run-done", "4", "digest"] in [row.split()[:3] for row in rows]
    assert ["ghost", "-", "stray"] in [row.split()[:3] for row in rows]
    assert called.err.startswith("Not intact: 4 runs")

    as_json = told("verify", "--json")
    assert as_json.code == 1
    validate(as_json.json, "verify")
    assert not as_json.json["intact"]
    findings = as_json.json["findings"]
    assert {"run_id": "run-done", "seq": 4, "what": "digest"}.items() <= findings[0].items()
    assert told("verify", "-o", "jsonl").lines == findings
    for item in findings:
        validate(item, "finding")
    by_line = told("verify", "-o", "csv").out.splitlines()
    assert by_line[0] == "run_id,seq,what,detail"
    assert len(by_line) == len(findings) + 1


def test_runs_can_be_verified_alone(told: Caller) -> None:
    spoil(told)
    assert told("verify", "run-d").code == 1
    good = told.good("verify", "run-failed", "open-run")
    assert good.err.startswith("OK: 2 runs")
    assert "Only the given runs" in good.err
    assert [f["what"] for f in told("verify", "ghost", "--json").json["findings"]] == ["stray"]
    assert told("verify", "nowhere").code == 2


def test_nothing_is_created_or_changed(call_sqlite: Caller, told_sqlite: Caller) -> None:
    before = Path(told_sqlite.url).read_bytes()
    told_sqlite.good("verify")
    assert Path(told_sqlite.url).read_bytes() == before
    Path(call_sqlite.url).unlink()
    assert call_sqlite("verify").code == 3
    assert not Path(call_sqlite.url).exists()


def test_a_log_of_another_version_is_not_touched(told_sqlite: Caller) -> None:
    with runreel.open(told_sqlite.url) as reel:
        logs.execute(reel, "UPDATE runreel_version SET version_num = '0001'")
    called = told_sqlite("verify")
    assert called.code == 3
    assert "runreel db upgrade" in called.err


def test_the_whole_of_a_damaged_log_is_looked_at(told_sqlite: Caller) -> None:
    """A page that cannot be read any more takes the runs on it, which are named, and no others."""
    path = Path(told_sqlite.url)
    with runreel.open(path) as reel:
        for number in range(40):
            with reel.recording(f"run-{number:02d}") as recording:
                recording.append(runreel.RunStreamEvent(runreel.StreamEvent.DONE))
        events = len(logs.rows(reel))
        (place,) = _leaves(reel)[2:3]
    whole = bytearray(path.read_bytes())
    whole[place : place + 2] = b"\xff\xff"
    path.write_bytes(whole)

    answer = told_sqlite("verify", "--json")
    assert answer.code == 1
    told = answer.json
    lost = {f["run_id"] for f in told["findings"] if f["what"] == "unreadable"}
    assert 3 < len(lost) < 30
    assert None not in lost
    assert told["runs"] + len(lost) >= 44
    assert events > told["events"] > events / 2


def _leaves(reel: runreel.Reel) -> list[int]:
    """Where the leaves of ``events`` stand in the file."""
    sql = "SELECT pgoffset FROM dbstat WHERE name = 'events' AND pagetype = 'leaf' ORDER BY path"
    return [offset for (offset,) in logs.execute(reel, sql)]


@pytest.mark.parametrize("seed", range(3))
def test_flipped_bits_never_pass_unseen(tmp_path: Path, seed: int) -> None:
    seen = flips.flip(tmp_path / "log.db", count=100, seed=seed)
    assert seen.keys() <= flips.FINE, seen
    assert seen["chain"] > 10


def test_a_program_exits_as_it_should(every_kind: Path, tmp_path: Path) -> None:
    path = tmp_path / "copy.db"
    data = every_kind.read_bytes()
    changed = data.replace(b"I was about", b"I was never")
    assert changed != data
    for wrong, code in ((data, 0), (changed, 1), (b"x" * 5000, 3), (data[:100], 3)):
        path.write_bytes(wrong)
        called = program("--db", str(path), "verify")
        assert called.returncode == code, called.stderr
        assert b"Traceback" not in called.stderr


def test_verify_has_a_schema() -> None:
    assert "verify" in json_schemas.DOCUMENTS
