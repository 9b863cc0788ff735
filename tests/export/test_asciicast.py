"""Asciicasts: what a replay shows, at its times, and harmless to a terminal."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import runreel
from runreel import RunResult, RunStatus
from runreel.codec.joiners import JOINERS
from tests.cli import stories
from tests.cli.test_safe import is_harmful
from tests.export import runs

if TYPE_CHECKING:
    from pathlib import Path

    from runreel.api.reel import Reel
    from tests.cli.calls import Caller

Event = tuple[float, str]
_PAINT = re.compile(r"\x1b\[(?:36|31|0)m")


def harm_in(text: str) -> list[str]:
    """The characters that a terminal obeys or hides; joiners are escaped where they could hide."""
    return [char for char in text if is_harmful(char) and char not in JOINERS]


def cast(path: Path) -> tuple[dict[str, Any], list[Event]]:
    """The header and the outputs of a file."""
    header, *lines = map(json.loads, path.read_text("ascii").splitlines())
    assert (header["version"], header["width"] > 0, header["height"] > 0) == (2, True, True)
    assert type(header["timestamp"]) is int
    assert harm_in(header["title"]) == []
    assert all([type(time) in (int, float), kind] == [True, "o"] for time, kind, _ in lines)
    assert all(before[0] <= after[0] for before, after in pairwise(lines))
    return header, [(time, text) for time, _, text in lines]


def shown(events: list[Event]) -> str:
    return "".join(text for _, text in events)


def written(reel: Reel, path: Path, run_id: str) -> list[Event]:
    report = reel.export(path, [run_id], force=True)
    assert (report.runs, report.rows) == (1, reel.run(run_id).last_seq + 1)
    return cast(path)[1]


def test_it_shows_what_a_replay_shows(told: Caller, tmp_path: Path) -> None:
    path = tmp_path / "x.cast"
    with runreel.open(told.url) as reel:
        for run_id in ("run-done", "run-failed", "run-plain"):
            events = written(reel, path, run_id)
            replayed = told.good("replay", run_id, "--instant").out
            assert _PAINT.sub("", shown(events)).replace("\r\n", "\n") == replayed


def test_its_times_are_those_of_the_events(reel: Reel, tmp_path: Path) -> None:
    runs.tell_agent(reel)
    events = written(reel, tmp_path / "x.cast", "agent")
    steps = reel.story("agent")
    assert round(events[0][0] * 1_000, 3) == steps[1].delta_ms
    texts = [step for step in steps if step.step == "text"]
    first = next(time for time, text in events if text.startswith("S"))
    assert round(first * 1_000, 3) == texts[0].delta_ms


def test_only_one_run_is_written(reel: Reel, tmp_path: Path) -> None:
    path = tmp_path / "x.cast"
    with pytest.raises(runreel.RunNotFound, match="no runs"):
        reel.export(path)
    stories.tell_done(reel)
    reel.export(path)
    assert cast(path)[0]["title"] == "run-done"
    stories.tell_failed(reel)
    with pytest.raises(runreel.UsageError, match="shows one run"):
        reel.export(tmp_path / "y.cast")
    assert list(reel.prune("2999-01-01"))
    with pytest.raises(runreel.RunNotFound, match="pruned"):
        reel.export(tmp_path / "y.cast", ["run-done"])
    assert [file.name for file in tmp_path.glob("*.cast")] == ["x.cast"]


def test_no_text_commands_a_terminal(reel: Reel, tmp_path: Path) -> None:
    runs.tell_harm(reel)
    seen = 0
    for run in reel.runs():
        text = _PAINT.sub("", shown(written(reel, tmp_path / "x.cast", run.run_id)))
        assert harm_in(text.replace("\r\n", "\n")) == []
        seen += len(text)
    assert seen > 3_000


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.text(st.characters() | st.sampled_from("\u200d\u200c\n👩💻क्")), min_size=1, max_size=5
    )
)
def test_any_growing_or_changing_text_ends_whole(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    from runreel.codec.escaping import escape

    folder = tmp_path_factory.mktemp("cast")
    with runreel.open(folder / "log.db") as reel:
        with reel.recording("run") as recording:
            for text in texts:
                recording.append(stories.partial(text))
        events = written(reel, folder / "x.cast", "run")
        last = reel.result("run").text_so_far or ""
    end = escape(last).replace("\n", "\r\n")
    assert shown(events).removesuffix("\r\n").endswith(end.removesuffix("\r\n"))


def test_asciinema_plays_it(reel: Reel, tmp_path: Path) -> None:
    runs.tell_agent(reel)
    with reel.recording("nothing") as recording:
        recording.result(RunResult(RunStatus.PENDING))
    home = {"HOME": str(tmp_path), "LC_ALL": "C.UTF-8"}
    for run_id in ("agent", "nothing"):
        events = written(reel, tmp_path / "x.cast", run_id)
        command = [
            sys.executable,
            "-m",
            "asciinema",
            "play",
            "--speed",
            "1000",
            str(tmp_path / "x.cast"),
        ]
        played = subprocess.run(command, env=home, capture_output=True, check=True)
        assert played.stdout.decode().rstrip("\r\n") == shown(events).rstrip("\r\n")
