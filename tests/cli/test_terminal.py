from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NoReturn

import pytest

import runreel
from runreel.model.errors import RunreelError
from tests.cli.calls import on_terminal
from tests.cli.printing import FORMATS, PAINT, PROGRESS
from tests.cli.stories import HARM_ARGUMENT, HARM_ID, partial, tell_all, tell_done, tell_harm
from tests.cli.test_safe import is_harmful

if TYPE_CHECKING:
    import re
    from pathlib import Path

    from tests.cli.calls import Caller


def left(text: str, ours: re.Pattern[str] = PAINT) -> list[str]:
    """What a terminal would obey of ``text``, our own words to it aside."""
    return sorted({repr(char) for char in ours.sub("", text) if is_harmful(char)})


@pytest.fixture
def harmful(call_sqlite: Caller) -> str:
    with runreel.open(call_sqlite.url) as reel:
        tell_harm(reel)
    return call_sqlite.url


def test_no_command_lets_a_terminal_obey_what_a_log_holds(harmful: str) -> None:
    run = ("--db", harmful, "--color", "always")
    lists: list[tuple[str, ...]] = [
        ("runs",),
        (
            "usage",
            "--by",
            "model",
            "--by",
            "assistant",
            "--by",
            "thread",
            "--by",
            f"label:{HARM_ARGUMENT}",
        ),
        ("recover", "--list"),
    ]
    for name in ("evil", "calls", "failed-", "open"):
        lists += [("show", name, "--content"), ("events", name), ("events", name, "--raw")]
    calls = [(*run, *list_, "-o", format_) for list_ in lists for format_ in FORMATS]
    for name in ("evil", "calls", "failed-", "open"):
        calls += [
            (*run, "replay", name, "--instant", "--render", render)
            for render in ("delta", "cumulative", "jsonl")
        ]
    for arguments, (code, shown) in zip(calls, on_terminal(*calls, columns=200), strict=True):
        assert code == 0, shown
        assert left(shown) == [], arguments
        if "recover" not in arguments:
            assert "\\x1b" in shown or "\\x9b" in shown or "\\u001b" in shown or "\\u009b" in shown


def test_nor_what_a_caller_or_a_file_says(harmful: str, tmp_path: Path) -> None:
    evil = "\x1b[5;41mEVIL\x9b31m\x07\r\u202e\x7f"
    bad = tmp_path / f"bad{evil}.jsonl"
    bad.write_bytes(f'{{"run_id": "{evil}", \n'.encode())
    command = ("--db", harmful)
    calls: list[tuple[str, ...]] = [
        (*command, "show", f"nope{HARM_ARGUMENT}"),
        (*command, "events", "failed"),
        (*command, "show", ""),
        (*command, "runs", "--status", evil),
        (*command, "runs", f"--{evil}"),
        (*command, "runs", "--since", evil),
        (*command, "runs", "--label", evil),
        (*command, "usage", "--by", HARM_ARGUMENT),
        (*command, "usage", "--tz", HARM_ARGUMENT),
        (*command, f"nope{evil}"),
        (*command, "runs", f"extra{evil}"),
        (*command, "record", "--run", evil, "--input", str(bad)),
        (*command, "record", "--run", "x", "--input", str(bad)),
        (*command, "import", str(bad)),
        (*command, "import", f"{tmp_path}/nowhere{evil}"),
        ("--db", f"{tmp_path}/nowhere{evil}.db", "-v", "runs"),
        ("--db", f"postgresql://{evil}:x@localhost:1/{evil}", "-v", "runs"),
        ("--db", f"{evil}://x", "runs"),
    ]
    for arguments, (code, shown) in zip(calls, on_terminal(*calls), strict=True):
        assert code in (1, 2, 3), shown
        assert left(shown, PROGRESS if "import" in arguments else PAINT) == [], arguments
        assert "5;41" not in shown.replace("\\x1b[5;41", "")
        assert "Traceback" not in shown


def test_nor_does_a_progress_bar(harmful: str, tmp_path: Path) -> None:
    bad = tmp_path / f"bad{HARM_ID}.jsonl"
    bad.write_bytes(f'{{"run_id": "{HARM_ID}", \n{{"type": "{HARM_ID}"}}\n'.encode())
    _falsify(harmful)
    command = ("--db", harmful)
    calls = [
        (*command, "import", str(bad)),
        (*command, "rebuild", "--check"),
        (*command, "rebuild"),
        (*command, "rebuild", "--check"),
    ]
    shown = on_terminal(*calls)
    for _, text in shown:
        assert left(text, PROGRESS) == []
    assert [code for code, _ in shown] == [1, 1, 0, 0]
    assert "Importing" in shown[0][1]
    assert "Checking" in shown[1][1]
    assert "Rebuilding" in shown[2][1]


def test_off_a_terminal_there_is_no_progress(told_sqlite: Caller) -> None:
    called = told_sqlite.good("rebuild")
    assert called.out == ""
    assert called.err == "No differences.\n"


def test_the_demo_is_safe_and_pretty(call_sqlite: Caller) -> None:
    ((code, shown),) = on_terminal(("--db", call_sqlite.url, "demo", "--fast"))
    assert code == 0
    assert left(shown) == []
    assert call_sqlite.url in shown
    assert "\x1b[32mcompleted" in shown


@pytest.mark.parametrize("name", ["runreel", "openai", "grpc.aio"])
def test_nor_does_what_is_logged(
    name: str, call_sqlite: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    def runs(*_: object, **__: object) -> NoReturn:
        try:
            raise ValueError(f"of postgresql://me:hush@host/{HARM_ARGUMENT}")
        except ValueError:
            logging.getLogger(name).exception("lost %s", HARM_ID)
        raise RunreelError("stop")

    monkeypatch.setattr("runreel.api.reel.Reel.runs", runs)
    told = call_sqlite("--color", "never", "runs")
    assert told.err.startswith("Warning: lost ")
    assert "hush" not in told.err
    assert "Traceback" not in told.err
    assert left(told.err) == []


ON_TERMINAL: list[tuple[dict[str, str], tuple[str, ...], bool]] = [
    ({}, (), True),
    ({"NO_COLOR": "1"}, (), False),
    ({"NO_COLOR": ""}, (), True),
    ({"TERM": "dumb"}, (), False),
    ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, (), False),
    ({"NO_COLOR": "1"}, ("--color", "always"), True),
    ({}, ("--color", "never"), False),
    ({"FORCE_COLOR": "1"}, ("--color", "never"), False),
]
OFF_TERMINAL: list[tuple[dict[str, str], tuple[str, ...], bool]] = [
    ({}, (), False),
    ({"FORCE_COLOR": "1"}, (), True),
    ({"FORCE_COLOR": "0"}, (), False),
    ({"FORCE_COLOR": ""}, (), False),
    ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, (), False),
    ({}, ("--color", "always"), True),
    ({"NO_COLOR": "1"}, ("--color", "always"), True),
]


@pytest.mark.parametrize("command", [("runs",), ("show", "latest"), ("show", "nope")], ids=" ".join)
def test_colours_on_a_terminal(command: tuple[str, ...], told_sqlite: Caller) -> None:
    calls = [(*options, "--db", told_sqlite.url, *command) for _, options, _ in ON_TERMINAL]
    seen = on_terminal(*calls, each=[env for env, _, _ in ON_TERMINAL])
    for (env, options, painted), (_, shown) in zip(ON_TERMINAL, seen, strict=True):
        assert ("\x1b[" in shown) == painted, (env, options)


@pytest.mark.parametrize(("env", "options", "painted"), OFF_TERMINAL)
def test_colours_off_a_terminal(
    env: dict[str, str],
    options: tuple[str, ...],
    *,
    painted: bool,
    told_sqlite: Caller,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    called = told_sqlite.bare(*options, "--db", told_sqlite.url, "runs")
    assert ("\x1b[32mcompleted" in called.out) == painted
    assert not set(called.out) & set("│─…")


def test_tables_fit_the_terminal_and_say_what_they_left_out(call_sqlite: Caller) -> None:
    with runreel.open(call_sqlite.url) as reel:
        tell_done(reel, "a-run-with-quite-a-long-name-that-nobody-would-type")
    command = ("--db", call_sqlite.url, "--color", "never", "runs")
    widths = (200, 60, 80, 100, 120)
    seen = on_terminal(*[command] * 5, each=[{"COLUMNS": str(width)} for width in widths])
    (_, wide), *narrow = seen
    assert "a-run-with-quite-a-long-name-that-nobody-would-type" in wide
    assert "Shortened" not in wide
    for width, (_, shown) in zip(widths[1:], narrow, strict=True):
        table, _, note = shown.partition("Shortened to fit")
        assert max(map(len, table.splitlines())) <= width
        assert "a-run-with" in table
        assert "…" in table
        assert note.startswith("; -o json prints everything.")
        assert ("Left out: " in note) == ("EVENTS" not in table)


def test_a_terminal_without_colours_is_as_wide_as_it_says(told_sqlite: Caller) -> None:
    command = ("--db", told_sqlite.url, "runs", "--tz", "UTC")
    dumb, capable = on_terminal(
        *[command] * 2, columns=110, each=[{"TERM": "dumb"}, {"NO_COLOR": "1"}]
    )
    assert dumb == capable
    assert "…" not in dumb[1]


def test_numbers_are_never_cut(call_sqlite: Caller) -> None:
    with runreel.open(call_sqlite.url) as reel:
        tell_done(reel)
    command = ("--db", call_sqlite.url, "--color", "never", "usage", "--by", "model")
    ((_, shown),) = on_terminal(command, columns=30)
    assert "1,200" in shown
    assert "1,234" in shown


def test_a_terminal_that_knows_ascii_alone_gets_ascii_lines(told_sqlite: Caller) -> None:
    command = ("--db", told_sqlite.url, "events", "run-done")
    ((code, shown),) = on_terminal(command, columns=60, env={"PYTHONIOENCODING": "ascii"})
    assert code == 0
    assert shown.isascii()
    assert "\\u2026" not in shown
    assert "\\u2500" not in shown


def test_wide_characters_stay_in_their_columns(call_sqlite: Caller) -> None:
    with runreel.open(call_sqlite.url) as reel:
        for run_id in ("世界世界", "abcdefgh"):
            with reel.recording(run_id) as recording:
                recording.append(partial("x"))
    one, other = call_sqlite.good("runs").out.splitlines()[1:]
    places = {
        line.index("in_progress") + sum(line.count(char) for char in "世界")
        for line in (one, other)
    }
    assert len(places) == 1


def test_long_tables_come_in_pieces(call_sqlite: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runreel.cli.render.tables._CHUNK", 3)
    with runreel.open(call_sqlite.url) as reel:
        tell_all(reel)
    lines = call_sqlite.good("events", "run-done").out.splitlines()
    assert [line.split()[0] for line in lines] == ["SEQ", *map(str, range(len(lines) - 1))]


def test_all_printing_goes_through_one_function() -> None:
    from pathlib import Path

    import runreel.cli

    folder = Path(runreel.cli.__file__).parent
    for file in folder.glob("*.py"):
        code = file.read_text(encoding="utf-8")
        if file.name != "terminal.py":
            for forbidden in ("click.echo", "click.secho", " print(", "sys.stdout", "sys.stderr"):
                assert forbidden not in code, (file.name, forbidden)


def _falsify(url: str) -> None:
    with runreel.open(url) as reel, reel.db.writing() as connection:
        connection.execute(
            "UPDATE runs SET assistant_id = ? WHERE run_id = ?", (HARM_ARGUMENT, HARM_ID)
        )
