"""A projector that goes on from a key-frame does what one does that has applied all rows."""

from __future__ import annotations

import contextlib
import zlib
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runreel.codec.json_text import dumps
from runreel.model.events import NOTE, OPENED, RUN, STREAM_EVENT, EventRow
from runreel.projection import key_frames
from runreel.projection.key_frames import DamagedKeyFrame, KeyFrame, KeyFrames
from runreel.projection.projector import RunProjector, project_run
from tests.rules.recordings import PLAIN, READERS, recordings, write
from tests.strategies import SOME

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@contextlib.contextmanager
def spacing(rows: int, fanout: int = 2) -> Iterator[None]:
    """Key-frames after so many rows."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(key_frames, "ROWS", rows)
        patch.setattr(key_frames, "_FANOUT", fanout)
        patch.setattr(key_frames, "_BYTES_PER_ROW", 1_000_000)
        yield


def stream(reader: Any, told: Sequence[tuple[str, Any]], *, via: str = "program") -> list[EventRow]:
    """The rows of a run: the note with which it begins, and these values."""
    payload = dumps({"source": reader.name, "via": via})
    opened = EventRow("run-1", 0, NOTE, OPENED, None, 5, 0, None, None, payload, b"", None, b"")
    rows = write(reader, told)
    return [opened, *(row._replace(seq=row.seq + 1, at=7 * row.seq) for row in rows)]


def taken(rows: Sequence[EventRow]) -> list[KeyFrame]:
    return project_run("run-1", rows, frames=KeyFrames()).drain_frames()


def chain(frames: Sequence[KeyFrame], frame: KeyFrame) -> list[KeyFrame]:
    """A key-frame and its bases, as the log gives them."""
    by_seq = {one.seq: one for one in frames}
    found = [frame]
    while found[-1].base is not None:
        found.append(by_seq[found[-1].base])
    return found


def known(projector: RunProjector) -> object:
    """All of a projector but its keys, which are another projection."""
    state = projector.state.copy()
    state.keys = ()
    message = projector.state.result._message
    separator = None if message is None else message.text
    return state, projector.transcript.position, separator, projector.reader.name


@READERS
def test_every_key_frame_leads_to_the_same_state_and_the_same_key_frames(reader):
    vias = st.sampled_from(["program", "import", "lines"])

    @SOME
    @given(told=recordings(reader), rows=st.integers(1, 3), more=recordings(reader), via=vias)
    def check(told: list[Any], rows: int, more: list[Any], via: str) -> None:
        stored = stream(reader, [*told, *more], via=via)
        with spacing(rows):
            whole = RunProjector("run-1", frames=KeyFrames())
            states = [(whole.apply(row), known(whole))[1] for row in stored]
            frames = whole.drain_frames()
            assert [frame.seq for frame in frames] == [*range(rows - 1, len(stored), rows)]
            for n, frame in enumerate(frames):
                restored = RunProjector.restored("run-1", chain(frames, frame))
                assert known(restored) == states[frame.seq]
                for row in stored[frame.seq + 1 :]:
                    restored.apply(row)
                    assert known(restored) == states[row.seq]
                assert restored.drain_frames() == frames[n + 1 :]
            assert taken(stored) == frames

    check()


@SOME
@given(data=st.data())
def test_a_damaged_key_frame_is_not_used(data):
    texts = ["a" * n for n in range(40)]
    told = [(STREAM_EVENT, {"type": "PARTIAL_MESSAGE", "text": text}) for text in texts]
    with spacing(2):
        frames = taken(stream(PLAIN, told))
        whole = chain(frames, frames[14])
        assert len(whole) > 2
        RunProjector.restored("run-1", whole)
        place = data.draw(st.integers(0, len(whole) - 1))
        name = data.draw(st.sampled_from(["keep", "base", "text", "state", "digest", "until"]))
        value = getattr(whole[place], name)
        if isinstance(value, bytes):
            at = data.draw(st.integers(0, len(value) - 1))
            changed: object = value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]
        else:
            changed = (value or 0) + data.draw(st.sampled_from([-1, 1]))
        unread = place and name in {"state", "digest", "until"}
        damaged = [*whole[:place], whole[place]._replace(**{name: changed}), *whole[place + 1 :]]
        if not unread:
            with pytest.raises(DamagedKeyFrame):
                RunProjector.restored("run-1", damaged)
        for cut in range(1, len(whole)):
            with pytest.raises(DamagedKeyFrame):
                RunProjector.restored("run-1", whole[:cut])
    with pytest.raises(DamagedKeyFrame):
        RunProjector.restored("run-2", [whole[0]._replace(run_id="run-2"), *whole[1:]])


def test_a_short_run_has_no_key_frame():
    told = [(STREAM_EVENT, {"type": "PARTIAL_MESSAGE", "text": "a" * n}) for n in range(600)]
    rows = stream(PLAIN, told)
    assert taken(rows[:255]) == []
    assert [frame.seq for frame in taken(rows[:256])] == [255]
    assert [frame.seq for frame in taken(rows)] == [255, 511]


def test_few_key_frames_have_the_text_of_a_long_run_and_it_is_stored_a_few_times():
    text, told = "", []
    for n in range(3_000):
        text += f"word{n} "
        told.append((STREAM_EVENT, {"type": "PARTIAL_MESSAGE", "text": text}))
    with spacing(2, fanout=8):
        frames = taken(stream(PLAIN, told))
        longest = max(len(chain(frames, frame)) for frame in frames)
        stored = sum(len(zlib.decompress(frame.text)) for frame in frames)
        last = RunProjector.restored("run-1", chain(frames, frames[-1])).transcript.text
        assert text == f"{last}word2999 "
    assert len(frames) > 1_400
    assert longest <= 8 * 4
    assert stored < 6 * len(text)


def test_the_longer_the_state_the_fewer_the_key_frames():
    labels = {f"label-{n}": "x" * 100 for n in range(300)}
    told: list[tuple[str, Any]] = [(RUN, {"type": "IN_PROGRESS", "labels": labels})]
    told += [(STREAM_EVENT, {"type": "PARTIAL_MESSAGE", "text": "a"})] * 8_000
    frames = taken(stream(PLAIN, told))
    size = len(zlib.decompress(frames[0].state))
    assert size > 30_000
    assert [later.seq - frame.seq for frame, later in pairwise(frames)] == [size // 16] * 3


def test_a_state_that_is_nested_too_deeply_has_no_key_frame():
    deep: Any = "x"
    for _ in range(126):
        deep = [deep]
    item = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", "deep": deep}
    from runreel.sources import reader_of

    added = {
        "type": "response.output_item.done",
        "output_index": 0,
        "item": {**item, "deep": deep[0]},
    }
    told = [(STREAM_EVENT, added)] * 600
    rows = stream(reader_of("openai-responses"), told)
    assert taken(rows) == []
    assert project_run("run-1", rows).state.last_seq == 600
