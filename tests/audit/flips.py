"""Single bits of a log's file flipped at random: whatever changes what it holds must be seen."""

from __future__ import annotations

import contextlib
import io
import json
import random
import sqlite3
import zlib
from collections import Counter
from typing import TYPE_CHECKING, Any

import runreel
from runreel.cli.main import main
from runreel.importing.import_files import import_files
from tests import logs, traffic
from tests.audit import forging
from tests.cli import stories

if TYPE_CHECKING:
    from pathlib import Path

# By what a flip was seen, the most telling first.
SEEN = {
    "chain": {"column", "columns", "damaged", "digest", "gap", "kind", "order", "redaction"}
    | {"tombstone"},
    "unreadable": {"unreadable"},
    "projections": {"projection", "projections", "stray"},
    "file": {"file", "meta", "schema"},
}
FINE = {*SEEN, "refused", "another id", "nothing changed"}
TABLES = ("events", "runs", "run_labels", "runreel_meta", "runreel_version")


def make(path: Path) -> bytes:
    """The file of a log that has some of everything."""
    with runreel.open(path) as reel:
        stories.tell_all(reel)
        stories.tell_harm(reel)
        told = [
            line
            for number, shape in enumerate(traffic.SHAPES.values())
            for line in shape(f"shape-{number}", labels={"team": "search"})
        ]
        import_files(reel.db, [traffic.write(path.with_suffix(".jsonl"), told)])
        with logs.unguarded(reel):
            forging.redact(reel, "shape-1", [2, 3])
        reel.rebuild()
    return path.read_bytes()


def flip(path: Path, *, count: int, seed: int = 0) -> Counter[str]:
    """Flip one bit after the other, each in a fresh copy, and verify; how often came what.

    ``silent`` are flips that changed what the log holds and that nobody noticed; ``crashed`` are
    those that ``verify`` did not survive. ``another id`` are those that gave the database another
    id of the same form, by which only checkpoints know it.
    """
    whole = make(path)
    before = dump(path)
    copy = path.with_name("flipped.db")
    places = random.Random(seed)  # noqa: S311 - repeatable
    seen: Counter[str] = Counter()
    for _ in range(count):
        bit = places.randrange(8 * len(whole))
        flipped = bytearray(whole)
        flipped[bit >> 3] ^= 1 << (bit & 7)
        for left in path.parent.glob("flipped.db*"):
            left.unlink()
        copy.write_bytes(flipped)
        outcome = _outcome(copy, before)
        seen[outcome] += 1
        if outcome in ("silent", "crashed"):
            seen[f"{outcome} at bit {bit}"] += 1
    return seen


def dump(path: Path) -> list[Any]:
    """Everything that a log holds, with the types that it is stored as."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        connection.text_factory = bytes
        # SQLite minds neither the case of names nor what blanks there are in its statements.
        found: list[Any] = [
            (type_, name.lower(), table.lower(), b" ".join((sql or b"").split()))
            for type_, name, table, sql in connection.execute(
                "SELECT type, name, tbl_name, sql FROM sqlite_master"
            )
        ]
        found += connection.execute("PRAGMA application_id").fetchall()
        for table in TABLES:
            rows = connection.execute(f"SELECT * FROM {table} NOT INDEXED").fetchall()
            found += [(table, *map(_unpacked, row)) for row in rows]
    return sorted(found, key=repr)


def _outcome(copy: Path, before: list[Any]) -> str:
    out, notes = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(notes):
        code = main(["--db", str(copy), "verify", "-o", "jsonl"])
    if code == 1:
        told = {json.loads(line)["what"] for line in out.getvalue().splitlines()}
        return next(name for name, whats in SEEN.items() if told & whats)
    if code == 3:
        return "refused"
    if code != 0 or "Traceback" in notes.getvalue():
        return "crashed"
    after = dump(copy)
    changed = [row for row in before if row not in after] + [r for r in after if r not in before]
    if all(row[:2] == ("runreel_meta", ("bytes", b"database_id")) for row in changed):
        return "another id" if changed else "nothing changed"
    return "silent"


def _unpacked(value: Any) -> Any:
    """What is compressed has bits at its end that mean nothing."""
    if isinstance(value, bytes) and value[:1] == b"x":
        with contextlib.suppress(zlib.error):
            unpacking = zlib.decompressobj()
            return unpacking.decompress(value), unpacking.unused_data, unpacking.eof
    return type(value).__name__, value
