"""Checkpoints: a signed account of where every run ends, made of a log and held against it.

Whoever can write the database can rewrite it whole, chain and all. What they cannot rewrite is a
checkpoint that was put elsewhere.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from functools import partial
from itertools import groupby, islice
from operator import itemgetter
from typing import IO, TYPE_CHECKING, NamedTuple

from runreel.audit.checkpoint_files import (
    Checkpoint,
    CheckpointWriter,
    chain_to_full,
    newest,
    verify_chain,
)
from runreel.integrity import checkpoint_format as rules
from runreel.integrity.checkpoint_format import Header
from runreel.model.errors import BadCheckpoint, BadKey, LogContradicted
from runreel.model.finding import Finding
from runreel.projection.tombstone import tombstone_of
from runreel.store.admin import durability
from runreel.store.events import damage as integrity
from runreel.store.events import stream_heads
from runreel.store.replica import refuse_replica
from runreel.system import atomic_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from runreel.audit.signing import PublicKey, SigningKey
    from runreel.integrity.checkpoint_format import HeadEntry
    from runreel.store.connection import Connection
    from runreel.store.database import Database

# So many checkpoints, of changes all but the first, stand between two that list every run.
FULL_EVERY = 30
_NAMED = 5
_ENDS = ("truncated", "deleted")


class CheckpointCreated(NamedTuple):
    """A checkpoint that was written; ``sha256`` is that of the file, in hexadecimal digits."""

    path: Path
    header: Header
    runs: int
    sha256: str
    next_key_id: str | None


def checkpoint(  # noqa: PLR0913 - what a checkpoint says
    database: Database,
    out: Path,
    *,
    key: SigningKey,
    now: int,
    previous: Path | None = None,
    full: bool = False,
    next_key: PublicKey | None = None,
) -> CheckpointCreated:
    """Put a checkpoint into the new file ``out``, or into the directory that it is.

    In a directory the newest one of this database is ``previous``, unless another is named.
    Otherwise as ``make``.

    Raises:
        UsageError: if the file is there already.
        BadCheckpoint: if ``previous`` is none, or of another database or key.
        LogContradicted: if the log is not what the previous ones say; there is no file then.
    """
    with atomic_files.errors(out):
        in_folder = out.is_dir()
    with database.reading() as connection:
        before = None if previous is None else Checkpoint(previous)
        if before is None and in_folder:
            before = newest(out, stream_heads.database_id(connection))
        lineage = [] if before is None else chain_to_full(before, key.public)
        number = 1 if before is None else before.header.number + 1
        path = out / f"checkpoint-{number:06}.txt" if in_folder else out
        with (
            atomic_files.atomic_create(path) as hidden,
            atomic_files.errors(path),
            hidden.open("wb") as file,
        ):
            header, runs, digest = make(
                connection,
                file,
                key=key,
                now=now,
                previous=before,
                lineage=lineage,
                full=full,
                next_key=next_key,
            )
    return CheckpointCreated(path, header, runs, digest, None if next_key is None else next_key.id)


def make(  # noqa: PLR0913 - what a checkpoint says
    connection: Connection,
    file: IO[bytes],
    *,
    key: SigningKey,
    now: int,
    previous: Checkpoint | None = None,
    lineage: Sequence[Checkpoint] = (),
    full: bool = False,
    next_key: PublicKey | None = None,
) -> tuple[Header, int, str]:
    """Write a signed account of the log: of all runs, or of those that ``lineage`` has otherwise.

    ``lineage`` is ``previous`` and those before it up to a full one; without it all runs are
    listed. ``now`` is in µs. Answers what it says of itself, how many runs it lists, and its
    SHA-256 in hexadecimal digits. Everything in it is durable in the database by then.

    Raises:
        BadKey: if it is for another key to follow on ``previous``.
        BadCheckpoint: if ``previous`` is of another database, or only says that it is by ``key``.
        LogContradicted: if the log is not what ``lineage`` says it was; nothing is signed then.
    """
    refuse_replica(connection)
    header = Header(
        database_id=stream_heads.database_id(connection),
        number=1 if previous is None else previous.header.number + 1,
        time=now,
        previous=None if previous is None else previous.sha256,
        full=full or not lineage or len(lineage) >= FULL_EVERY,
        key_id=key.public.id,
        next_key=None if next_key is None else next_key.raw.hex(),
    )
    if previous is not None:
        _check_successor(previous, header, key.public)
    paper, runs = CheckpointWriter(file), 0
    paper.write(rules.header_text(header))
    for runs, head in enumerate(_to_list(connection, lineage, full=header.full), 1):  # noqa: B007
        paper.write(rules.head_text(head))
    paper.write(rules.count_text(runs))
    durability.wait_durable(connection)
    paper.sign(key.sign(rules.SIGNED + paper.signed.digest()))
    return header, runs, paper.whole.hexdigest()


@dataclass(slots=True)
class ComparisonCounts:
    """How much was held against a log; ``pruned`` are runs of which a tombstone is left."""

    checkpoints: int = 0
    runs: int = 0
    pruned: int = 0


def compare_all(
    connection: Connection,
    paths: Iterable[Path],
    key: PublicKey,
    *,
    compared: ComparisonCounts | None = None,
) -> Iterator[Finding]:
    """Everything in which a log is not what these checkpoints say, which ``key`` has to vouch for.

    A file that proves nothing is a finding too; then nothing is compared. ``compared`` counts
    along. However many runs they list, little of them is held at a time.
    """
    try:
        yield from compare(connection, verify_chain(paths, key), compared=compared)
    except BadCheckpoint as error:
        yield Finding(None, None, "checkpoint", str(error))
    except Exception as error:
        reason = integrity.damage_reason(error)
        if reason is None:
            raise
        yield Finding(None, None, "unreadable", f"the runs cannot be compared further: {reason}")


def compare(
    connection: Connection,
    checkpoints: Iterable[Checkpoint],
    *,
    compared: ComparisonCounts | None = None,
) -> Iterator[Finding]:
    """Everything in which a log is not what these checkpoints, which are trusted, say it was."""
    counts = compared or ComparisonCounts()
    ends_missing = anything_newer = False
    for checkpoint in checkpoints:
        counts.checkpoints += 1
        header = checkpoint.header
        found = stream_heads.database_id(connection)
        say = partial(_finding, header.number)
        if found != header.database_id:
            yield say(None, "another_database", f"it is of {header.database_id}, this is {found}")
            return
        # What a checkpoint of changes lists is newer than what the ones before it do.
        has_news = ends_missing and not header.full
        for head, place in _head_states(connection, checkpoint):
            counts.runs += 1
            if place.digest == head.digest:
                anything_newer |= has_news or place.last_seq != head.seq
            elif (told := mismatch(connection, head, place)) is None:
                counts.pruned += 1
                anything_newer = True
            else:
                ends_missing |= told[0] in _ENDS
                anything_newer |= told[0] not in _ENDS
                yield say(head, *told)
    if ends_missing and not anything_newer:
        detail = "only ends are missing and nothing newer is there: this may be an older copy"
        yield Finding(None, None, "rolled_back", detail)


def _head_states(
    connection: Connection, checkpoint: Checkpoint
) -> Iterator[tuple[HeadEntry, stream_heads.HeadState]]:
    told = checkpoint.heads()
    while chunk := list(islice(told, stream_heads.CHUNK)):
        yield from zip(chunk, stream_heads.lookup_heads(connection, chunk), strict=True)


def _finding(number: int, head: HeadEntry | None, what: str, detail: str) -> Finding:
    run_id, seq = (None, None) if head is None else (head.run_id, head.seq)
    return Finding(run_id, seq, what, f"checkpoint {number}: {detail}")


def mismatch(
    connection: Connection, head: HeadEntry, place: stream_heads.HeadState
) -> tuple[str, str] | None:
    """What happened to a run whose row at ``head`` is not what it was; None if it was pruned.

    A word for programs, and a sentence.
    """
    if place.digest is not None:
        return "recomputed", f"row {head.seq} has another digest than it had"
    if place.last_seq is None:
        return "deleted", f"the run is gone; its last row was {head.seq}"
    if place.last_seq < head.seq:
        return "truncated", f"the run ends at row {place.last_seq}; its last row was {head.seq}"
    first = stream_heads.first_row(connection, head.run_id)
    stone = None if first is None else tombstone_of(first)
    if stone is None or stone.seq < head.seq:
        return "missing", f"row {head.seq} is gone, and no tombstone stands for it"
    if stone.seq == head.seq and stone.digest != head.digest:
        return "recomputed", f"its tombstone gives row {head.seq} another digest than it had"
    return None


def _check_successor(previous: Checkpoint, header: Header, key: PublicKey) -> None:
    before = previous.header
    if before.database_id != header.database_id:
        raise BadCheckpoint(f"{previous.path} is of another database")
    if before.key_id == key.id and not previous.is_by(key):
        raise BadCheckpoint(f"{previous.path} is not signed by the key {key.id} that it names")
    if before.next_key is None and before.key_id != key.id:
        raise BadKey(
            f"the checkpoint before this one is signed by {before.key_id}, not by {key.id}",
            hint="The old key signs one that names the new key: --key OLD --next-key NEW.pub.",
        )
    if before.next_key not in (None, key.raw.hex()):
        raise BadKey(
            f"the checkpoint before this one names another key to follow than {key.id}",
            hint="Sign with the key that it names.",
        )


def _to_list(
    connection: Connection, lineage: Sequence[Checkpoint], *, full: bool
) -> Iterator[HeadEntry]:
    """The heads that a checkpoint lists: all, or those that are not what ``lineage`` says."""
    differing: list[str] = []
    for old, new in _joined(_known(lineage), stream_heads.stream_heads(connection)):
        if old is not None and new != old:
            (place,) = stream_heads.lookup_heads(connection, [old])
            if place.digest != old.digest and (found := mismatch(connection, old, place)):
                differing.append(f"{old.run_id} ({found[0]})")
        if new is not None and (full or new != old):
            yield new
    if differing:
        more = f" and {len(differing) - _NAMED} more" if len(differing) > _NAMED else ""
        raise LogContradicted(
            f"the log is not what its last checkpoint says: {', '.join(differing[:_NAMED])}{more}"
        )


def _known(lineage: Sequence[Checkpoint]) -> Iterator[HeadEntry]:
    """The latest head of each run; ``lineage`` begins with the newest checkpoint."""
    told = (_tagged(found.heads(), age) for age, found in enumerate(lineage))
    for _, same in groupby(heapq.merge(*told), key=itemgetter(0)):
        yield next(same)[2]


def _joined(
    old: Iterable[HeadEntry], new: Iterable[HeadEntry]
) -> Iterator[tuple[HeadEntry | None, HeadEntry | None]]:
    """Run by run what was and what is."""
    for _, same in groupby(heapq.merge(_tagged(old, 0), _tagged(new, 1)), key=itemgetter(0)):
        found = {side: head for _, side, head in same}
        yield found.get(0), found.get(1)


def _tagged(heads: Iterable[HeadEntry], tag: int) -> Iterator[tuple[bytes, int, HeadEntry]]:
    return ((head.sort_key, tag, head) for head in heads)
