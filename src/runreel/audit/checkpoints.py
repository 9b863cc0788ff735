"""Checkpoints: signed lists of the heads of all runs, and their comparison with the log.

A user who can write to the database can rewrite all of it, including the hash chains. They cannot
rewrite a checkpoint that is kept elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from runreel.audit.checkpoint_files import (
    Checkpoint,
    CheckpointWriter,
    chain_to_full,
    joined_heads,
    latest_heads,
    newest,
    verify_chain,
)
from runreel.integrity import checkpoint_format as rules
from runreel.integrity.checkpoint_format import Header
from runreel.model.errors import BadCheckpoint, BadKey, LogContradicted, LogError, UsageError
from runreel.model.finding import Finding
from runreel.projection.tombstone import tombstone_of
from runreel.store.events import damage, stream_heads
from runreel.system import atomic_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from runreel.audit.signing import PublicKey, SigningKey
    from runreel.integrity.checkpoint_format import HeadEntry
    from runreel.store.connection import Connection
    from runreel.store.database import Database

# Every 30th checkpoint lists all runs; the others list only the changes.
FULL_EVERY = 30
_MAX_LISTED = 5
_LOST_ENDS = ("truncated", "deleted")


class CheckpointCreated(NamedTuple):
    """A checkpoint file that was written; ``sha256`` is the hash of the file, in hexadecimal."""

    path: Path
    header: Header
    runs: int
    sha256: str
    next_key_id: str | None


def checkpoint(  # noqa: PLR0913 - the contents of a checkpoint
    database: Database,
    out: Path,
    *,
    key: SigningKey,
    now: int,
    previous: Path | None = None,
    full: bool = False,
    next_key: PublicKey | None = None,
) -> CheckpointCreated:
    """Write a checkpoint to the new file ``out``, or to a new file in the directory ``out``.

    In a directory, ``previous`` defaults to the newest checkpoint of this database. Only heads that
    differ from it and its predecessors are listed, or all if these lack a full one. ``now`` is in
    µs. The listed rows are durable in the database when this returns.

    Raises:
        UsageError: if the file already exists, or the log is a recording file.
        BadKey, BadCheckpoint: if ``previous`` is of another key or database, or no checkpoint.
        LogContradicted: if the log contradicts the previous checkpoints; no file is written then.
    """
    if database.is_temporary:
        raise UsageError(
            f"{database.shown} is a recording: a checkpoint is of a log",
            hint="`runreel export --key` signs a recording file.",
        )
    with atomic_files.errors(out):
        folder = out if out.is_dir() else None
    with database.reading() as connection:
        before = _previous(connection, previous, folder)
        lineage = [] if before is None else chain_to_full(before, key.public)
        header = Header(
            database_id=stream_heads.database_id(connection),
            number=1 if before is None else before.header.number + 1,
            time=now,
            previous=None if before is None else before.sha256,
            full=full or not lineage or len(lineage) >= FULL_EVERY,
            key_id=key.public.id,
            next_key=None if next_key is None else next_key.raw.hex(),
        )
        _check_successor(before, header, key.public)
        path = folder / f"checkpoint-{header.number:06}.txt" if folder else out
        with atomic_files.atomic_create(path) as hidden:
            runs, digest = _write(connection, hidden, key, header, lineage)
    return CheckpointCreated(path, header, runs, digest, None if next_key is None else next_key.id)


def _previous(connection: Connection, given: Path | None, folder: Path | None) -> Checkpoint | None:
    if given is not None:
        return Checkpoint(given)
    return None if folder is None else newest(folder, stream_heads.database_id(connection))


def _write(
    connection: Connection,
    path: Path,
    key: SigningKey,
    header: Header,
    lineage: Sequence[Checkpoint],
) -> tuple[int, str]:
    """Write a signed list of heads; return their number and the SHA-256 of the file."""
    admin = connection.driver.admin
    if admin.is_replica(connection):
        raise LogError(
            "this server is a replica, which may be behind the log",
            hint="Name the primary server's URL.",
        )
    with atomic_files.errors(path), path.open("wb") as file:
        writer, runs = CheckpointWriter(file), 0
        writer.write(rules.header_text(header))
        heads = _heads_to_list(connection, lineage, full=header.full)
        for runs, head in enumerate(heads, 1):  # noqa: B007
            writer.write(rules.head_text(head))
        writer.write(rules.count_text(runs))
        admin.wait_durable(connection)
        writer.sign(key.sign(rules.SIGNED + writer.signed.digest()))
    return runs, writer.whole.hexdigest()


@dataclass(slots=True)
class ComparisonCounts:
    """Counts of a comparison with checkpoints; ``pruned`` are runs that are now tombstones."""

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
    """Verify checkpoint files against ``key``, then yield each contradiction with the log.

    A file that is not valid proof is reported as a finding, and nothing is compared then.
    ``compared`` is updated on the way. Memory use does not depend on the number of runs.
    """
    try:
        yield from compare(connection, verify_chain(paths, key), compared=compared)
    except BadCheckpoint as error:
        yield Finding(None, None, "checkpoint", str(error))
    except Exception as error:  # noqa: BLE001 - raised again unless it is damage
        reason = damage.require_reason(error)
        yield Finding(None, None, "unreadable", f"the runs cannot be compared further: {reason}")


def compare(
    connection: Connection,
    checkpoints: Iterable[Checkpoint],
    *,
    compared: ComparisonCounts | None = None,
) -> Iterator[Finding]:
    """Yield each contradiction between the log and these checkpoints, which must be trusted."""
    counts = compared or ComparisonCounts()
    ends_missing = has_newer_rows = False
    for checkpoint in checkpoints:
        counts.checkpoints += 1
        header = checkpoint.header
        database_id = stream_heads.database_id(connection)
        finding = partial(_finding, header.number)
        if database_id != header.database_id:
            detail = f"it is of database {header.database_id}, this is {database_id}"
            yield finding(None, "another_database", detail)
            return
        # The heads in a checkpoint of changes are newer than those of the ones before it.
        lists_newer = ends_missing and not header.full
        for head, state in _head_states(connection, checkpoint):
            counts.runs += 1
            if state.digest == head.digest:
                has_newer_rows |= lists_newer or state.last_seq != head.seq
            elif (problem := _mismatch(connection, head, state)) is None:
                counts.pruned += 1
                has_newer_rows = True
            else:
                ends_missing |= problem[0] in _LOST_ENDS
                has_newer_rows |= problem[0] not in _LOST_ENDS
                yield finding(head, *problem)
    if ends_missing and not has_newer_rows:
        detail = "only the newest rows are missing: this may be an older copy of the database"
        yield Finding(None, None, "rolled_back", detail)


def _head_states(
    connection: Connection, checkpoint: Checkpoint
) -> Iterator[tuple[HeadEntry, stream_heads.HeadState]]:
    heads = checkpoint.heads()
    while chunk := list(islice(heads, stream_heads.CHUNK)):
        yield from zip(chunk, stream_heads.lookup_heads(connection, chunk), strict=True)


def _finding(number: int, head: HeadEntry | None, what: str, detail: str) -> Finding:
    run_id, seq = (None, None) if head is None else (head.run_id, head.seq)
    return Finding(run_id, seq, what, f"checkpoint {number}: {detail}")


def _mismatch(
    connection: Connection, head: HeadEntry, state: stream_heads.HeadState
) -> tuple[str, str] | None:
    """Explain why a run's row at ``head`` differs: the code of the finding and a sentence.

    None if the run was pruned after the checkpoint.
    """
    if state.digest is not None:
        return "recomputed", f"the digest of row {head.seq} has changed"
    if state.last_seq is None:
        return "deleted", f"the run is gone; its last row was {head.seq}"
    if state.last_seq < head.seq:
        return "truncated", f"the run ends at row {state.last_seq}; its last row was {head.seq}"
    found = stream_heads.first_and_last(connection, head.run_id)
    tombstone = None if found is None else tombstone_of(found[0])
    if tombstone is None or tombstone.seq < head.seq:
        return "missing", f"row {head.seq} is gone, and no tombstone covers it"
    if tombstone.seq == head.seq and tombstone.digest != head.digest:
        return "recomputed", f"the digest of row {head.seq} in its tombstone has changed"
    return None


def _check_successor(previous: Checkpoint | None, header: Header, key: PublicKey) -> None:
    if previous is None:
        return
    before = previous.header
    if before.database_id != header.database_id:
        raise BadCheckpoint(f"{previous.path} belongs to another database")
    if before.key_id == key.id and not previous.is_by(key):
        raise BadCheckpoint(f"{previous.path} names the key {key.id}, but its signature is invalid")
    if before.next_key is None and before.key_id != key.id:
        raise BadKey(
            f"the previous checkpoint is signed by {before.key_id}, not by {key.id}",
            hint="Announce the new key with the old one first: --key OLD --next-key NEW.pub.",
        )
    if before.next_key not in (None, key.raw.hex()):
        raise BadKey(
            f"the previous checkpoint names another next key than {key.id}",
            hint="Sign with the key that it names.",
        )


def _heads_to_list(
    connection: Connection, lineage: Sequence[Checkpoint], *, full: bool
) -> Iterator[HeadEntry]:
    """Yield the heads for a new checkpoint: all, or those that differ from ``lineage``."""
    contradicted: list[str] = []
    for old, new in joined_heads(latest_heads(lineage), stream_heads.stream_heads(connection)):
        if old is not None and new != old:
            (state,) = stream_heads.lookup_heads(connection, [old])
            if state.digest != old.digest and (problem := _mismatch(connection, old, state)):
                contradicted.append(f"{old.run_id} ({problem[0]})")
        if new is not None and (full or new != old):
            yield new
    if contradicted:
        unlisted = len(contradicted) - _MAX_LISTED
        more = f" and {unlisted} more" if unlisted > 0 else ""
        listed = ", ".join(contradicted[:_MAX_LISTED])
        raise LogContradicted(f"the log contradicts its last checkpoint: {listed}{more}")
