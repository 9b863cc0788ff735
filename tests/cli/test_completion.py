from __future__ import annotations

import subprocess
import zoneinfo
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING

import pytest

import runreel
from runreel.cli import main
from runreel.store.projections import known_values
from tests.cli.stories import HARM_ID, partial

ZONES = zoneinfo.available_timezones()

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cli.calls import Caller


@pytest.fixture
def complete(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., list[str]]:
    """What bash would offer for the last of these words."""

    def offered(*words: str) -> list[str]:
        monkeypatch.setenv("_RUNREEL_COMPLETE", "bash_complete")
        monkeypatch.setenv("COMP_WORDS", " ".join(["runreel", *words]))
        monkeypatch.setenv("COMP_CWORD", str(len(words)))
        capfd.readouterr()
        assert main.main([]) == 0
        told = capfd.readouterr()
        assert told.err == ""
        return [line.partition(",")[2] for line in told.out.splitlines() if line]

    return offered


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_is_for_the_shell_and_for_runreel(shell: str, call_sqlite: Caller) -> None:
    called = call_sqlite.bare("completion", shell)
    assert called.code == 0
    assert called.err == ""
    assert "_RUNREEL_COMPLETE" in called.out
    assert f"{shell}_complete" in called.out
    assert "runreel" in called.out


@pytest.mark.skipif(which("bash") is None, reason="there is no bash here")
def test_bash_takes_the_script(call_sqlite: Caller) -> None:
    script = call_sqlite.bare("completion", "bash").out
    test = f"{script}\ncomplete -p runreel"
    done = subprocess.run(
        ["bash", "--norc", "-c", test], capture_output=True, check=True, timeout=30
    )
    assert b"runreel" in done.stdout
    assert done.stderr == b""


def test_commands_and_options_are_completed(complete: Callable[..., list[str]]) -> None:
    assert complete("r") == ["record", "recover", "runs", "replay", "rebuild", "redact"]
    assert set(complete("")) == set(main.COMMANDS)
    assert complete("db", "") == ["current", "grants", "sql", "status", "upgrade"]
    assert "--since" in complete("runs", "--s")
    assert [name.upper() for name in complete("runs", "--status", "comp")] == ["COMPLETED"]
    assert complete("events", "x", "--type", "opene") == ["opened"]
    assert complete("replay", "x", "--render", "") == ["delta", "cumulative", "jsonl"]


def test_runs_are_completed(told: Caller, complete: Callable[..., list[str]]) -> None:
    assert complete("--db", told.url, "show", "run-") == ["run-done", "run-plain", "run-failed"]
    assert complete("--db", told.url, "events", "open") == ["open-run"]
    assert complete("--db", told.url, "replay", "la") == ["latest"]
    assert complete("--db", told.url, "rebuild", "run-done", "o") == ["open-run"]
    assert complete("--db", told.url, "show", "nope") == []


def test_ids_that_a_shell_could_take_amiss_are_not_offered(
    call_sqlite: Caller, complete: Callable[..., list[str]]
) -> None:
    with runreel.open(call_sqlite.url) as reel:
        for run_id in ("$(reboot)", "a b", "a;b", "a'b", "*", "~", HARM_ID, "good.run:1"):
            with reel.recording(run_id) as recording:
                recording.append(partial("x"))
    assert complete("--db", call_sqlite.url, "show", "") == ["good.run:1", "latest"]


def test_without_a_log_nothing_is_completed_and_nothing_created(
    tmp_path: Path, complete: Callable[..., list[str]]
) -> None:
    missing = tmp_path / "missing.db"
    assert complete("--db", str(missing), "show", "") == []
    assert not missing.exists()
    assert complete("--db", "mysql://x", "show", "") == []
    assert complete("--db", "postgresql://localhost:1/x", "show", "") == []
    Path("pyproject.toml").write_text("not toml [", encoding="utf-8")
    assert complete("show", "") == []


@pytest.fixture
def labelled(call: Caller) -> Caller:
    with runreel.open(call.url) as reel:
        for number in range(120):
            labels = {"team": f"t{number:03}", "env": "prod", f"key{number}": "x", "a b": "c"}
            model = ("large-1", "small-1", "odd model", None)[number % 4]
            reel.recording(f"run-{number}", model=model, labels=labels).append(partial("x"))
    return call


def test_values_of_options_are_completed(
    labelled: Caller, complete: Callable[..., list[str]]
) -> None:
    def of(*words: str) -> list[str]:
        return complete("--db", labelled.url, *words)

    assert of("runs", "--model", "") == ["large-1", "small-1"]
    assert of("usage", "--model", "sm") == ["small-1"]
    assert of("runs", "--label", "") == [
        "env=",
        *(f"{key}=" for key in sorted(f"key{n}" for n in range(120))),
        "team=",
    ]
    assert of("record", "--label", "te") == ["team="]
    assert of("usage", "--label", "env=") == ["env=prod"]
    assert of("runs", "--label", "team=t11") == [f"team=t11{n}" for n in range(10)]
    assert of("runs", "--label", "nope") == of("runs", "--label", "nope=") == []
    assert {"day", "week", "month", "model", "label:"} <= set(of("usage", "--by", ""))
    assert of("usage", "--by", "mo") == of("usage", "--pivot", "mo") == ["month", "model"]
    assert of("usage", "--by", "label:te") == ["label:team"]
    assert of("runs", "--source", "openai-") == ["openai-chat", "openai-responses"]


def test_saved_reports_are_completed(complete: Callable[..., list[str]]) -> None:
    assert complete("usage", "--report", "") == []
    text = "[tool.runreel.reports.monthly]\n[tool.runreel.reports.by-team]\n"
    Path("pyproject.toml").write_text(text, encoding="utf-8")
    assert complete("usage", "--report", "") == ["monthly", "by-team"]
    assert complete("usage", "--report", "mo") == ["monthly"]
    Path("pyproject.toml").write_text("[tool.runreel]\nreports = 3", encoding="utf-8")
    assert complete("usage", "--report", "") == []


def test_time_zones_are_completed_without_a_log(complete: Callable[..., list[str]]) -> None:
    assert complete("usage", "--tz", "Europe/Mos") == ["Europe/Moscow"]
    assert complete("usage", "--tz", "europe/mos") == ["Europe/Moscow"]
    assert "UTC" in complete("usage", "--tz", "U")
    assert {zone for zone in ZONES if zone.startswith("America/")} <= set(
        complete("usage", "--tz", "America/")
    )
    assert complete("usage", "--tz", "Nowhere") == []


def test_older_runs_are_completed_by_a_prefix(
    labelled: Caller, complete: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_values, "_RUN_IDS", "SELECT run_id FROM runs WHERE run_id = 'run-7'")
    offered = complete("--db", labelled.url, "show", "run-1")
    assert set(offered) == {f"run-{n}" for n in range(120) if str(n).startswith("1")}


def test_values_of_other_options_are_not_completed(complete: Callable[..., list[str]]) -> None:
    assert complete("runs", "--assistant", "") == []
    assert complete("redact", "--reason", "") == []
