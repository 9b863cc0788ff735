"""Every command that prints, on a terminal, with hostile text wherever text comes from."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

import runreel
from tests import logs
from tests.cli import hostile
from tests.cli.calls import on_terminal
from tests.cli.test_safe import is_harmful

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Call = tuple[str, ...]

FORMATS = ("table", "json", "jsonl", "csv")
RENDERS = ("delta", "cumulative", "jsonl")
# What we say to a terminal ourselves: colours, weights and, for progress, a line drawn anew.
PAINT = re.compile(r"\x1b\[(?:0|1|2|1;36|[39][1-7]|1;3[1-7])?m")
PROGRESS = re.compile(r"\x1b\[(?:\?25[lh]|[12]?K|1A|\d*(?:;\d+)*m)|\r")
WITH_PROGRESS = {"search", "import", "rebuild", "verify", "prune", "backup"}

_MARK = re.compile(r"<(\d{5})>")
_BATCH = 400


def print_everything(folder: Path, count: int, seed: int = 0) -> Counter[str]:
    """Put so many inputs wherever text comes from; what was printed, and what went wrong.

    ``harm`` are calls that let a terminal obey or hide something; ``crashed`` those that ended
    with a traceback; ``not printed`` stored inputs that came out nowhere.
    """
    texts = hostile.inputs(count, seed)
    stored, given = texts[: count * 3 // 4], texts[count * 3 // 4 :]
    log = str(folder / f"log{hostile.as_id(texts[0])[:30].replace('/', '')}.db")
    with runreel.open(log) as reel:
        runs = hostile.tell(reel, stored)
    seen = Counter({"inputs": count, "runs": len(runs)})
    tampered = _tampered(folder, log, texts)
    unpainted = [*_lists(), *_of_runs(runs), *tampered, *_given(folder, given)]
    printed = _check(log, unpainted, seen, painted=False)
    painted = [*_lists(), *_of_runs(runs[::5]), *_changes(folder, stored[1]), *_lists()]
    _check(log, painted, seen, painted=True)
    seen["not printed"] = len({text[1:6] for text in stored} - printed)
    return seen


def _check(log: str, calls: list[Call], seen: Counter[str], *, painted: bool) -> set[str]:
    """Make the calls; the numbers of the inputs that came out."""
    printed: set[str] = set()
    env = {"TERM": "xterm-256color" if painted else "dumb"}
    color = "always" if painted else "never"
    for start in range(0, len(calls), _BATCH):
        batch = calls[start : start + _BATCH]
        whole = [call if call[0] == "--db" else ("--db", log, *call) for call in batch]
        shown = on_terminal(
            *(("--color", color, *call) for call in whole), columns=150, env=env, exact=True
        )
        for call, (code, text) in zip(batch, shown, strict=True):
            printed.update(_MARK.findall(text))
            seen["calls"] += 1
            seen["characters"] += len(text)
            if found := _left(call, text, painted=painted):
                seen["harm"] += 1
                seen[f"harm by {call}: {found}"] += 1
            if code not in (0, 1, 2, 3) or "Traceback" in text:
                seen["crashed"] += 1
                seen[f"crash of {call}: {code} {text[-2000:]}"] += 1
    return printed


def _left(call: Call, text: str, *, painted: bool) -> list[str]:
    text = text.replace(hostile.JOINED, "")
    if painted:
        text = (PROGRESS if WITH_PROGRESS & set(call) else PAINT).sub("", text)
    return sorted({repr(char) for char in text if is_harmful(char)})


def _lists() -> list[Call]:
    by = ("--by", "model", "--by", "assistant", "--by", "thread", "--by", "label:known")
    lists: tuple[Call, ...] = (
        ("runs", "-n", "0"),
        ("usage", *by),
        ("usage", *by, "--chart"),
        ("usage", "--by", "label:known", "--pivot", "model"),
        ("usage", "--by", "error", "--pivot", "label:known", "--measure", "runs"),
        ("search", "<", "--in", "answer", "--in", "tools", "--in", "error", "--in", "request"),
        ("recover", "--list"),
        ("tail", "-n", "0", "--no-follow"),
        ("verify",),
        ("rebuild", "--check"),
        ("doctor",),
        ("db", "status"),
        ("db", "current"),
        ("redact", "--all-runs", "--match", "EVIL", "--reason", "r"),
        ("prune", "--older-than", "2100-01-01"),
    )
    return [(*list_, "-o", format_) for list_ in lists for format_ in FORMATS]


def _of_runs(runs: list[str]) -> list[Call]:
    calls: list[Call] = []
    for number, run in enumerate(runs):
        format_, render = FORMATS[number % 4], RENDERS[number % 3]
        calls += [
            ("show", run, "--content", "-o", format_),
            ("events", run, "-o", format_),
            ("events", run, "--raw", "-o", "json"),
            ("events", run, "--raw", "-o", format_),
            ("show", run, "--content"),
            ("tail", run, "-n", "0", "--no-follow", "-o", format_),
            ("timeline", run, "-o", format_),
            ("diff", run, runs[number - 1], "-o", format_),
            ("replay", run, "--instant", "--render", render),
            ("verify", run, "-o", format_),
        ]
    return calls


def _changes(folder: Path, text: str) -> list[Call]:
    """What changes the log, at the end."""
    told = hostile.as_id(text)
    name = hostile.as_name(text)
    return [
        ("keygen", f"{folder}/{name}.key"),
        ("checkpoint", "--key", f"{folder}/{name}.key", "--out", f"{folder}/{name}.txt"),
        (
            "verify",
            "--checkpoint",
            f"{folder}/{name}.txt",
            "--public-key",
            f"{folder}/{name}.key.pub",
        ),
        ("backup", f"{folder}/{name}.db"),
        ("redact", "--all-runs", "--match", "EVIL", "--reason", "r", "--actor", told, "--yes"),
        ("prune", "--older-than", "2100-01-01", "--status", "failed", "--reason", "r", "--yes"),
        ("recover",),
        ("rebuild",),
    ]


def _given(folder: Path, texts: list[str]) -> list[Call]:
    """Every place for an argument in turn; files of bad lines."""
    half = len(texts) // 2
    places = _places(folder)
    calls = [
        tuple(
            part.replace("{}", hostile.as_argument(text)).replace("{name}", hostile.as_name(text))
            for part in places[n % len(places)]
        )
        for n, text in enumerate(texts[:half])
    ]
    for start in range(half, len(texts), 25):
        bad = folder / f"bad{hostile.as_name(texts[start])}.jsonl"
        hostile.write_bad_lines(bad, texts[start : start + 25])
        into = ("--db", str(folder / "into.db"))
        calls += [
            (*into, "import", str(bad)),
            (*into, "import", str(bad), "--json"),
            (*into, "record", "--run", "r", "--input", str(bad)),
            (*into, "record", "--run", f"r{start}", "--source", "plain", "--input", str(bad)),
        ]
    return calls


def _places(folder: Path) -> tuple[Call, ...]:
    return (
        ("show", "{}"),
        ("events", "{}"),
        ("replay", "{}"),
        ("verify", "{}"),
        ("rebuild", "--check", "{}"),
        ("{}",),
        ("--{}",),
        ("runs", "{}"),
        ("runs", "--{}"),
        ("search", "{}"),
        ("search", "--regex", "{}"),
        ("runs", "--status", "{}"),
        ("runs", "--since", "{}"),
        ("runs", "--label", "{}"),
        ("runs", "--label", "{}={}"),
        ("runs", "--label", "k=1{}", "--label", "k=2"),
        ("runs", "--after", "{}"),
        ("runs", "--model", "{}"),
        ("runs", "-n", "{}"),
        ("runs", "-o", "{}"),
        ("usage", "--by", "{}"),
        ("usage", "--by", "label:{}"),
        ("usage", "--tz", "{}"),
        ("usage", "--sort", "{}"),
        ("usage", "--pivot", "{}"),
        ("usage", "--pivot", "label:{}"),
        ("usage", "--report", "{}"),
        ("prices", "show", "{}"),
        ("prices", "show", "m", "--tier", "{}"),
        ("prices", "list", "--model", "{}"),
        ("show", "0-", "--at", "{}"),
        ("events", "0-", "--type", "{}"),
        ("events", "0-", "--from", "{}"),
        ("tail", "{}", "--timeout", "0"),
        ("tail", "0-", "--from", "{}", "--no-follow"),
        ("replay", "0-", "--speed", "{}"),
        ("redact", "0-", "--match", "{}", "--reason", "{}"),
        ("redact", "--all-runs", "--match", "<", "--reason", "r", "--actor", "{}", "--yes"),
        ("redact", "--all-runs", "--regex", "({}", "--reason", "r"),
        ("redact", "{}", "--seq", "1", "--reason", "r"),
        ("prune", "--older-than", "{}"),
        ("prune", "--older-than", "2100-01-01", "--reason", "{}"),
        ("keygen", f"{folder}/none/{{name}}"),
        ("keygen", "{}"),
        ("checkpoint", "--key", f"{folder}/{{name}}", "--out", f"{folder}/none"),
        ("verify", "--checkpoint", f"{folder}/{{name}}", "--public-key", "{}"),
        ("backup", f"{folder}/none/{{name}}"),
        ("import", f"{folder}/{{name}}"),
        ("record", "--run", "{}", "--input", f"{folder}/none{{name}}"),
        ("record", "--run", "{}", "--input", "/dev/null"),
        ("record", "--run", "r", "--source", "{}", "--input", "/dev/null"),
        ("db", "{}"),
        ("db", "grants", "--owner", "{}"),
        ("--db", "postgresql://u@localhost:1/d", "db", "grants", "--owner", "{}"),
        ("--db", f"{folder}/{{name}}/none.db", "-v", "runs"),
        ("--db", f"{folder}/{{name}}", "-v", "runs"),
        ("--db", f"{folder}/demo{{name}}.db", "demo", "--fast"),
        ("--db", "postgresql://{}:x@localhost:1/{}", "-v", "runs"),
        ("--db", "{}://x", "runs"),
        ("completion", "{}"),
        ("schema", "{}"),
    )


def _tampered(folder: Path, log: str, texts: list[str]) -> list[Call]:
    """Logs in which somebody has put such text where runreel itself writes words of its own."""
    text = hostile.as_id(texts[2]) + "\x1b[5;41m\x9b31m\x07"
    name = '"' + text.replace('"', "") + '"'
    changes = {
        "revision": ("UPDATE runreel_version SET version_num = ?", (text,)),
        "projection": (
            "UPDATE runreel_meta SET value = ? WHERE key = 'projection_version'",
            (text,),
        ),
        "id": ("UPDATE runreel_meta SET value = ? WHERE key = 'database_id'", (text,)),
        "runs": ("UPDATE runs SET status = ?, recording = ?, source = ?", (text,) * 3),
        "kind": ("UPDATE events SET kind = ? WHERE seq = 2", (text,)),
        "type": ("UPDATE events SET type = ? WHERE seq > 0", (text,)),
        "payload": ("UPDATE events SET payload = ? WHERE seq = 1", (text,)),
        "opened": ("UPDATE events SET payload = ? WHERE seq = 0", (f'{{"source": "{text}"}}',)),
        "table": (f"CREATE TABLE {name} (a)", ()),
        "trigger": (f"CREATE TRIGGER {name} AFTER INSERT ON events BEGIN SELECT 1; END", ()),
        "view": (f"CREATE VIEW {name} AS SELECT 1", ()),
        "column": (f"ALTER TABLE runs ADD COLUMN {name} TEXT", ()),
    }
    calls: list[Call] = []
    for what, (sql, parameters) in changes.items():
        copy = str(folder / f"{what}.db")
        shutil.copyfile(log, copy)
        with runreel.open(copy) as reel, _unguarded(reel):
            logs.execute(reel, sql, parameters)
        some = [call for call in _lists() if call[-1] in ("table", "json")]
        some += [("db", "upgrade"), ("show", "latest"), ("events", "latest"), ("replay", "latest")]
        calls += [("--db", copy, "-v", *call) for call in some]
    return calls


@contextmanager
def _unguarded(reel: runreel.Reel) -> Iterator[None]:
    with logs.unguarded(reel):
        logs.execute(reel, "PRAGMA ignore_check_constraints = ON")
        yield
