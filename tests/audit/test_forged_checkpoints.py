"""Whatever is done to a checkpoint, it is refused."""

from __future__ import annotations

import random
import tracemalloc
from typing import TYPE_CHECKING

import pytest

from runreel.audit.checkpoint_files import CheckpointWriter, verify_chain
from runreel.audit.checkpoints import ComparisonCounts, checkpoint, compare_all
from runreel.integrity import checkpoint_format as rules
from runreel.model.errors import BadCheckpoint
from runreel.store.events import stream_heads
from tests.cli import stories

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runreel.api.reel import Reel
    from runreel.audit.signing import SigningKey

RUNS = 8


def of_each_line(data: bytes) -> Iterator[bytes]:
    lines = data.splitlines(keepends=True)

    def with_line(place: int, *instead: bytes) -> bytes:
        return b"".join([*lines[:place], *instead, *lines[place + 1 :]])

    for place, line in enumerate(lines):
        middle = len(line) // 2
        yield with_line(place)
        yield with_line(place, line, line)
        yield with_line(place, line.rstrip(b"\n") + b"\r\n")
        yield with_line(place, line.rstrip(b"\n") + b" \n")
        yield with_line(place, b" " + line)
        yield with_line(place, b"\n", line)
        yield with_line(place, line[:middle] + line[middle + 1 :])
        yield with_line(place, line[:middle] + b"\xff" + line[middle + 1 :])
        yield with_line(place, line.rstrip(b"\n"))
        if line.upper() != line:
            yield with_line(place, line.upper())
        if place:
            yield b"".join([*lines[: place - 1], line, lines[place - 1], *lines[place + 1 :]])


def of_the_whole(data: bytes) -> Iterator[bytes]:
    yield from (b"", b"\n", b"\x00" * len(data), data + data, data[::-1], data.upper())
    yield from (data + b"\n", data + b" ", data + b"\x00", data + b"x", b"\n" + data)
    yield from (b"\xef\xbb\xbf" + data, data.replace(b"\n", b"\r\n"), data.replace(b"\n", b"\r"))
    yield data.decode().encode("utf-16")
    yield from (data[:count] for count in range(0, len(data), 29))
    chance = random.Random(7)  # noqa: S311 - the same flips each time
    for _ in range(200):
        place, bit = chance.randrange(len(data)), 1 << chance.randrange(8)
        yield data[:place] + bytes([data[place] ^ bit]) + data[place + 1 :]


def signed(text: bytes, key: SigningKey, domain: bytes = rules.SIGNED) -> bytes:
    """The text of a checkpoint without its last line, signed."""
    paper = CheckpointWriter(_Nowhere())
    paper.write(text.decode())
    signature = key.sign(domain + paper.signed.digest())
    return text + rules.signature_text(signature).encode()


class _Nowhere:
    def write(self, data: bytes) -> int:
        return len(data)


@pytest.fixture
def genuine(told: Reel, key: SigningKey, tmp_path: Path) -> bytes:
    for number in range(RUNS):
        stories.tell_unused(told, f"more-{number}")
    made = checkpoint(told.db, tmp_path / "genuine.txt", key=key, now=1)
    return made.path.read_bytes()


def test_every_change_of_a_checkpoint_is_refused(
    told: Reel, genuine: bytes, key: SigningKey, tmp_path: Path
) -> None:
    place = tmp_path / "forged.txt"
    place.write_bytes(genuine)
    assert len(verify_chain([place], key.public)) == 1
    forged = {*of_each_line(genuine), *of_the_whole(genuine)} - {genuine}
    assert len(forged) > 400
    for data in forged:
        place.write_bytes(data)
        with pytest.raises(BadCheckpoint):
            verify_chain([place], key.public)
    with told.db.reading() as connection:
        for data in list(forged)[:20]:
            place.write_bytes(data)
            (finding,) = compare_all(connection, [place], key.public)
            assert finding.what == "checkpoint"


def test_only_the_key_signs_and_only_checkpoints(
    told: Reel, genuine: bytes, key: SigningKey, other_key: SigningKey, tmp_path: Path
) -> None:
    place = tmp_path / "forged.txt"
    text = genuine[: genuine.rindex(b"signature")]
    assert signed(text, key) == genuine
    later = text.replace(b"00.000001Z", b"00.000009Z")
    assert later != text
    other = checkpoint(told.db, tmp_path / "other.txt", key=key, now=2).path.read_bytes()
    claiming = text.replace(key.public.id.encode(), other_key.public.id.encode())
    for data in (
        signed(text, other_key),
        signed(claiming, other_key),
        signed(claiming, key),
        signed(text, key, domain=b""),
        signed(text, key, domain=b"runreel/checkpoint/v2\0"),
        text + rules.signature_text(key.sign(text)).encode(),
        text + rules.signature_text(key.sign(rules.SIGNED + text)).encode(),
        text + rules.signature_text(bytes(64)).encode(),
        text + other[other.rindex(b"signature") :],
        later + genuine[genuine.rindex(b"signature") :],
    ):
        place.write_bytes(data)
        with pytest.raises(BadCheckpoint):
            verify_chain([place], key.public)


def test_a_line_without_an_end_is_not_read_whole(key: SigningKey, tmp_path: Path) -> None:
    place = tmp_path / "long.txt"
    place.write_bytes(rules.FIRST_LINE + b'database "' + b"x" * 20_000_000)
    tracemalloc.start()
    with pytest.raises(BadCheckpoint):
        verify_chain([place], key.public)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1_000_000


def test_little_of_a_long_checkpoint_is_held(told: Reel, key: SigningKey, tmp_path: Path) -> None:
    place, runs = tmp_path / "long.txt", 30_000
    with told.db.reading() as connection:
        header = rules.Header(stream_heads.database_id(connection), 1, 1, None, True, key.public.id)
        with place.open("wb") as file:
            paper = CheckpointWriter(file)
            paper.write(rules.header_text(header))
            for number in range(runs):
                paper.write(rules.head_text(rules.HeadEntry(f"run-{number:08}", 9, bytes(32))))
            paper.write(rules.count_text(runs))
            paper.sign(key.sign(rules.SIGNED + paper.signed.digest()))
        counts = ComparisonCounts()
        list(compare_all(connection, [place], key.public))
        tracemalloc.start()
        missing = sum(1 for _ in compare_all(connection, [place], key.public, compared=counts))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert (counts.runs, missing) == (runs, runs + 1)
    assert peak < place.stat().st_size / 3
