"""What is redacted or pruned leaves the texts for searches, their index, and every file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import runreel
from runreel.model.events import STREAM_EVENT
from runreel.recording.recorder import Recorder
from tests.cli.calls import Caller
from tests.search import oracle

if TYPE_CHECKING:
    from pathlib import Path

    from runreel.api.reel import Reel

SECRET = "Щёлкунчик-КЖ7Ф"  # noqa: S105 - nobody has it
CALLS = [{"id": "1", "name": "f", "arguments": {"key": SECRET}}]
LINES = (
    {"type": "PARTIAL_MESSAGE", "text": "Ключ: Щёлк"},
    {"type": "PARTIAL_MESSAGE", "text": f"Ключ: {SECRET}, вот"},
    {"type": "TOOL_CALLS", "text": f"Ключ: {SECRET}, вот", "tool_calls": CALLS},
)


def record(reel: Reel, run_id: str, *lines: dict[str, object], close: bool = True) -> None:
    recorder = Recorder(reel.db, run_id, source="plain", via="program")
    for line in lines or LINES:
        recorder.append(STREAM_EVENT, line)
    if close:
        recorder.close()


def traces(folder: Path) -> list[str]:
    """The trigrams of the secret that a file has, in any case and encoding of ours."""
    found = []
    for file in folder.iterdir():
        data = file.read_bytes()
        for text in {SECRET, SECRET.casefold()}:
            for at in range(len(text) - 2):
                gram = text[at : at + 3]
                if gram.encode() in data:
                    found.append(f"{file.name}: {gram}")
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "log").mkdir()
    return tmp_path / "log"


@pytest.mark.parametrize("how", ["redact", "prune", "resumed"])
def test_no_trigram_of_what_is_erased_is_left(
    how: str, folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    call = Caller(str(folder / "log.db"), capfd)
    with runreel.open(call.url) as reel:
        record(reel, "other", {"type": "DONE", "text": "Погода и ветер"})
        record(reel, "run")
        assert reel.build_search_index().added == 3
        if how == "resumed":
            record(reel, "run", {"type": "DONE", "text": f"Ключ: {SECRET}, вот и всё"})
        assert {match.in_ for match in reel.search(SECRET.lower())} == {"answer", "tools"}
    assert any(f"{SECRET[:3]}".casefold() in one for one in traces(folder)), "in the index"
    if how == "prune":
        erasing = ("prune", "--older-than", "2100-01-01", "--reason", "r", "--yes", "--purge")
    else:
        erasing = ("redact", "run", "--match", SECRET, "--reason", "r", "--yes", "--purge")
    assert call(*erasing).code == 0
    assert traces(folder) == []
    with runreel.open(call.url) as reel:
        assert list(reel.search(SECRET)) == []
        assert list(reel.search(SECRET[:3])) == []
        assert bool(list(reel.search("ветер"))) == (how != "prune")
        assert bool(list(reel.search("ключ"))) == (how != "prune")
        assert list(reel.rebuild(check=True)) == []


@pytest.mark.parametrize("backend", ["sqlite"])
def test_common_trigrams_are_not_known_after_an_erasure(reel: Reel) -> None:
    def common() -> set[str]:
        with reel.db.reading() as connection:
            return {gram for (gram,) in connection.all("SELECT gram FROM run_text_indexed_common")}

    for number in range(20):
        record(reel, f"run-{number}")
    reel.build_search_index()
    record(reel, "run-0", {"type": "DONE", "text": "Ещё"})
    assert SECRET.casefold()[:3] in common(), "a text that another one replaces is not erased"
    list(reel.redact(None, SECRET, reason="r", actor="a"))
    assert common() == set()
    assert len(list(reel.search("ключ"))) == 19
    reel.build_search_index()
    assert SECRET.casefold()[:3] not in common()
    assert len(list(reel.search("ключ"))) == 19


def test_after_an_erasure_the_index_is_right(reel: Reel) -> None:
    record(reel, "run")
    record(reel, "open", close=False)
    if reel.db.driver.in_process:
        reel.build_search_index()
    list(reel.redact(None, SECRET[:5], reason="r", actor="a"))
    for run_id in ("open", "run"):
        for gone in (SECRET[:5], SECRET, SECRET[2:5]):
            assert not [one for one in oracle.found(reel, gone) if one[0] == run_id]
        left = [one[:2] for one in oracle.found(reel, SECRET[5:]) if one[0] == run_id]
        assert left == [(run_id, "answer"), (run_id, "tools")]
    assert list(reel.rebuild(check=True)) == []
