"""A disk that keeps a diary of what is written to it, and what a power cut leaves of that."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import apsw

if TYPE_CHECKING:
    from random import Random

SECTOR = 512
# What happens to writes that were not synced. "order" keeps them up to a moment; the others keep
# some of them, of some only sectors, and of some sectors nothing that was ever written.
WAYS = ("nothing", "order", "some", "everything")

_KEPT = apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_WAL
_numbers = count()


@dataclass(frozen=True, slots=True)
class Entry:
    """``made``, ``wrote``, ``cut``, ``synced``, ``removed`` a file, or what ``told`` its user."""

    did: str
    file: str
    offset: int = 0
    data: bytes = b""
    told: Any = None


class Disk(apsw.VFS):
    """A VFS over the system's own that writes down what SQLite does to a log's files.

    Nothing is really synced; with ``lies`` syncs are not written down either.
    """

    def __init__(self, *, lies: bool = False) -> None:
        self.name = f"power-{next(_numbers)}"
        self.diary: list[Entry] = []
        self._lies = lies
        self._there: set[str] = set()
        super().__init__(self.name, "")

    def tell(self, told: Any) -> None:
        """Write down what a program now counts on."""
        self.diary.append(Entry("told", "", told=told))

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802 - SQLite's name
        if not flags[0] & _KEPT:
            return super().xOpen(name, flags)
        file = Path(name.filename() if isinstance(name, apsw.URIFilename) else name).name
        if file not in self._there:
            self._there.add(file)
            self.diary.append(Entry("made", file))
        return _File(self, file, name, flags)

    def xDelete(self, name: str, syncdir: bool) -> None:  # noqa: N802
        super().xDelete(name, syncdir)
        self._there.discard(Path(name).name)
        self.diary.append(Entry("removed", Path(name).name, offset=int(syncdir)))

    def synced(self, file: str) -> None:
        if not self._lies:
            self.diary.append(Entry("synced", file))


class _File(apsw.VFSFile):
    def __init__(self, disk: Disk, file: str, name: Any, flags: list[int]) -> None:
        self._disk, self._file = disk, file
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        super().xWrite(data, offset)
        self._disk.diary.append(Entry("wrote", self._file, offset, bytes(data)))

    def xTruncate(self, size: int) -> None:  # noqa: N802
        super().xTruncate(size)
        self._disk.diary.append(Entry("cut", self._file, size))

    def xSync(self, _: int) -> None:  # noqa: N802
        self._disk.synced(self._file)


@dataclass(slots=True)
class _Content:
    """A file's bytes as of its last sync, and what was done since."""

    bytes: bytearray = field(default_factory=bytearray)
    since: list[tuple[int, Entry]] = field(default_factory=list)


# What a name may turn out to be, the newest last, None for no file: what was made or removed is
# certain once the folder is synced.
Folder = dict[str, list[_Content | None]]


def after_cut(diary: list[Entry], chance: Random) -> dict[str, bytes]:
    """The files, by name, that are there when the power comes back."""
    folder: Folder = {}
    for moment, entry in enumerate(diary):
        if entry.did != "told":
            _move(folder, moment, entry)
    way, moment = chance.choice(WAYS), chance.randrange(len(diary) + 1)
    found = {name: chance.choice(contents) for name, contents in folder.items()}
    return {
        name: bytes(_left(content, way, moment, chance))
        for name, content in found.items()
        if content is not None
    }


def _move(folder: Folder, moment: int, entry: Entry) -> None:
    contents = folder.setdefault(entry.file, [None])
    content = contents[-1]
    if entry.did == "removed":
        contents.append(None)
    elif entry.did == "made":
        contents.append(_Content())
    elif content is None:
        raise AssertionError(f"{entry.file} was never made")
    elif entry.did == "synced":
        for _, done in content.since:
            _apply(content.bytes, done, done.data)
        content.since.clear()
    else:
        content.since.append((moment, entry))
    if (entry.did == "synced" and len(contents) > 1) or (entry.did == "removed" and entry.offset):
        # SQLite syncs the folder with the first sync of a file in it.
        for contents in folder.values():
            del contents[:-1]


def _left(content: _Content, way: str, moment: int, chance: Random) -> bytearray:
    left = bytearray(content.bytes)
    for done_at, entry in content.since:
        fate = {"nothing": 1.0, "everything": 0.0, "order": float(done_at >= moment)}.get(way)
        fate = chance.random() if fate is None else fate
        if fate < 0.5:
            _apply(left, entry, entry.data)
        elif fate < 0.75 and entry.did == "wrote":
            _tear(left, entry, chance)
    return left


def _apply(left: bytearray, entry: Entry, data: bytes) -> None:
    if entry.did == "cut":
        del left[entry.offset :]
        left.extend(bytes(entry.offset - len(left)))
        return
    left.extend(bytes(max(0, entry.offset - len(left))))
    left[entry.offset : entry.offset + len(data)] = data


def _tear(left: bytearray, entry: Entry, chance: Random) -> None:
    """Write some sectors of a write; others become what was never written, or stay."""
    start, end = entry.offset, entry.offset + len(entry.data)
    while start < end:
        stop = min(end, (start // SECTOR + 1) * SECTOR)
        data = entry.data[start - entry.offset : stop - entry.offset]
        fate = chance.random()
        if fate < 0.4:
            _apply(left, Entry("wrote", "", start), data)
        elif fate < 0.6:
            _apply(left, Entry("wrote", "", start), chance.randbytes(len(data)))
        start = stop
