"""Finds where a text was said in the runs of a log, newest run first.

The projection of texts and its index only propose runs. A run that is proposed is read from the
log, where the text is whole and its rows are known, and only what is found there is reported.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runreel.codec.patterns import TooSlow
from runreel.codec.wanted_text import WantedText
from runreel.model.errors import PartNotSearched, UsageError
from runreel.model.identifiers import check_lookup_id, not_found
from runreel.model.run_filter import run_filter
from runreel.model.search import PARTS, REQUEST, IndexReport, Match
from runreel.model.timestamps import from_micros
from runreel.projection.projector import DamagedRow
from runreel.projection.run_text import PartText, folded_text
from runreel.projection.text_reader import TextReader
from runreel.projection.tombstone import is_tombstone, pruned_message
from runreel.query.requests import request_of
from runreel.query.runs import with_stale
from runreel.sources import searchable_text
from runreel.sources.archives import lines as archive_lines
from runreel.store.events import event_log, stream_heads
from runreel.store.projections import text_queries
from runreel.store.schema import migrations
from runreel.system import wall_clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from runreel.model.run_filter import Filters
    from runreel.model.selection import RunFilter
    from runreel.store.connection import Connection
    from runreel.store.database import Database
    from runreel.store.projections.text_queries import Position
    from runreel.store.worker_pool import WorkerPool

    Progress = Callable[[int, int], None]

# Number of runs that are chosen with one connection.
_PAGE = 200
# Characters of a snippet before and after what was found, and of that.
_AROUND, _LONGEST = 40, 200
# A pattern that is too slow for this number of texts is so for most.
_MAX_SLOW = 5
_CUT = "\N{HORIZONTAL ELLIPSIS}"


class Question(NamedTuple):
    """What is searched for, and where."""

    wanted: WantedText
    parts: tuple[str, ...]
    run_ids: frozenset[str] | None
    selected: RunFilter


def question(  # noqa: PLR0913 - the options of a search
    text: str,
    filters: Filters,
    *,
    run_ids: Iterable[str] | None,
    parts: str | Iterable[str],
    regex: bool,
    case: bool,
) -> Question:
    """Return what the arguments of a search ask for.

    Raises:
        UsageError: if one is invalid.
        MissingExtra: if patterns need a package that is not installed.
    """
    wanted = WantedText(text, regex=regex, case=case)
    chosen = (parts,) if isinstance(parts, str) else tuple(dict.fromkeys(parts))
    for part in chosen:
        if part not in PARTS:
            raise UsageError(f"invalid part {part!r}", hint=f"Choose from {', '.join(PARTS)}.")
    if not chosen:
        raise UsageError("no part of the runs to search", hint=f"Name some of {', '.join(PARTS)}.")
    ids = None if run_ids is None else frozenset(run_ids)
    for run_id in ids or ():
        check_lookup_id(run_id)
    return Question(wanted, chosen, ids, run_filter(filters, now=wall_clock.now()))


def search(
    database: Database,
    asked: Question,
    *,
    progress: Progress | None = None,
    on_problem: Callable[[str], None] | None = None,
) -> Iterator[Match]:
    """Yield each occurrence, run by run. No connection is held while the generator is suspended.

    ``on_problem`` is called for each part that cannot be searched, and why.

    Raises:
        RunNotFound: if one of the runs is not in the log.
        ProjectionOutdated: if the projections are of another version.
        PartNotSearched: at the end, if parts could not be searched and there is no ``on_problem``.
    """
    problems: list[str] = []
    scan = _Scan(asked, on_problem or problems.append)
    for run_id in scan.runs(database, progress):
        yield from scan.matches(database, run_id)
        if scan.slow >= _MAX_SLOW:
            scan.report(f"stopped: the pattern is too slow for {scan.slow} parts")
            break
    if problems:
        raise PartNotSearched(tuple(problems))


def build_index(
    database: Database, progress: Progress | None = None, pool: WorkerPool | None = None
) -> IndexReport:
    """Make the index of trigrams, or bring it up to date; ``pool`` does a part of the work.

    Raises:
        LogError: if this database cannot have one.
    """
    with database.writing() as connection:
        migrations.require_projections(connection)
        text_search, added = connection.driver.text_search, 0
        if pool is not None:
            work, total = (
                text_search.planned(connection, pool.jobs),
                text_search.missing(connection),
            )
            # No more than one result of each worker is in memory.
            for start in range(0, len(work), pool.jobs):
                for made in pool.map(work[start : start + pool.jobs]):
                    added += text_search.add_part(connection, made)
                    if progress is not None:
                        progress(added, total)
        rest = progress and (lambda done, total: progress(added + done, added + total))
        report = text_search.build(connection, rest)
        return report._replace(added=report.added + added)


class _Proposed(NamedTuple):
    """The runs that may have an occurrence; those that are ``certain`` have to be read."""

    runs: frozenset[str]
    certain: frozenset[str]


class _Scan:
    """One search."""

    def __init__(self, asked: Question, report: Callable[[str], None]) -> None:
        self._asked = asked
        self._folded = None if asked.wanted.folded is None else folded_text(asked.wanted.folded)
        self.report = report
        # Number of texts that took the pattern too long.
        self.slow = 0

    def runs(self, database: Database, progress: Progress | None) -> Iterator[str]:
        """Yield the runs that may have an occurrence, newest first."""
        with database.reading() as connection:
            migrations.require_projections(connection)
            for pruned in _require(connection, self._asked.run_ids or ()):
                self.report(pruned)
            selected = with_stale(connection, self._asked.selected)
            proposed = self._proposed(connection)
            among = self._asked.run_ids if proposed is None else proposed.runs
            total = 0
            if progress is not None:
                total = text_queries.count(connection, selected) if among is None else len(among)
        report, done = progress or _ignore, 0
        certain = None if proposed is None else proposed.certain
        for run_ids, chosen in self._pages(database, selected, among, certain):
            for run_id in run_ids:
                report(done, max(total, done))
                done += 1
                if run_id in chosen:
                    yield run_id
        report(done, done)

    def _pages(
        self,
        database: Database,
        selected: RunFilter,
        among: frozenset[str] | None,
        certain: frozenset[str] | None,
    ) -> Iterator[tuple[list[str], set[str]]]:
        """Yield the selected runs page by page, and those of them that have to be read."""
        page: list[Position] = []
        while True:
            after = page[-1] if page else None
            with database.reading() as connection:
                page = text_queries.page(connection, selected, among, limit=_PAGE, after=after)
                ids = [run_id for _, run_id in page]
                chosen = self._chosen(connection, ids, certain)
            yield ids, chosen
            if len(page) < _PAGE:
                return

    def _proposed(self, connection: Connection) -> _Proposed | None:
        """Return the runs that the index proposes, with those that it does not know."""
        if self._folded is None:
            return None
        parts, text_search = self._asked.parts, connection.driver.text_search
        found = text_search.candidates(connection, self._folded, parts)
        if found is None:
            return None
        certain = text_queries.lagging(connection)
        if REQUEST in parts and text_queries.has_extensions(connection):
            asking = text_search.candidates(connection, self._folded, [REQUEST]) or set()
            certain |= text_queries.extensions(connection, self._having(connection, asking))
        found |= certain
        if self._asked.run_ids is not None:
            found &= self._asked.run_ids
        return _Proposed(frozenset(found), frozenset(found if text_search.EXACT else certain))

    def _having(self, connection: Connection, run_ids: set[str]) -> set[str]:
        """Return those of these runs whose request has the text."""
        text_search, folded = connection.driver.text_search, self._folded
        if text_search.EXACT or folded is None:
            return run_ids
        ids, found = sorted(run_ids), set[str]()
        for start in range(0, len(ids), _PAGE):
            some = ids[start : start + _PAGE]
            found |= text_search.containing(connection, folded, [REQUEST], some)
        return found

    def _chosen(
        self, connection: Connection, run_ids: Sequence[str], certain: frozenset[str] | None
    ) -> set[str]:
        """Return those of these runs that have to be read in the log."""
        doubtful = [run_id for run_id in run_ids if certain is None or run_id not in certain]
        if self._folded is None or not doubtful:
            return set(run_ids)
        parts = self._asked.parts
        found = connection.driver.text_search.containing(connection, self._folded, parts, doubtful)
        if certain is not None:
            return found | certain
        if REQUEST in parts:
            found |= text_queries.extending(connection, run_ids)
        return found | text_queries.lagging(connection)

    def matches(self, database: Database, run_id: str) -> list[Match]:
        """Return the occurrences in a run, read from the log."""
        with database.reading() as connection:
            try:
                reader = TextReader(run_id, event_log.read(connection, run_id))
            except DamagedRow as error:
                self.report(str(error))
                return []
            texts = list(self._texts(connection, run_id, reader)) if reader.found else []
        return [match for text in texts for match in self._in_text(run_id, reader, text)]

    def _texts(self, connection: Connection, run_id: str, reader: TextReader) -> Iterator[PartText]:
        for part in self._asked.parts:
            is_whole = part == REQUEST and reader.source not in archive_lines.BY_MESSAGE
            seq = reader.request_seq if is_whole else None
            body = None if seq is None else request_of(connection, reader.source, run_id, seq + 1)
            if seq is None or body is None:
                # Also the requests of sources that have no items, or a row for each message:
                # nothing is repeated in them.
                yield from reader.texts((part,))
                continue
            for text in searchable_text.request_texts(reader.source, body):
                yield PartText(REQUEST, text, [(0, seq)])

    def _in_text(self, run_id: str, reader: TextReader, text: PartText) -> Iterator[Match]:
        try:
            spans = self._asked.wanted.spans(text.text)
        except TooSlow as slow:
            self.slow += 1
            self.report(f"{slow} in the {text.part} of run {run_id}")
            return
        for start, end in spans:
            seq = text.row_at(start, end)
            snippet = _snippet(text.text, start, end)
            at = from_micros(reader.at(seq))
            yield Match(run_id, text.part, seq, start, end, snippet, at)


def _ignore(done: int, total: int) -> None:
    """Report no progress."""


def _require(connection: Connection, run_ids: Iterable[str]) -> Iterator[str]:
    """Check that the log has these runs; yield a message for each that was pruned."""
    for run_id in sorted(run_ids):
        found = stream_heads.first_and_last(connection, run_id)
        if found is None:
            raise not_found(run_id)
        if is_tombstone(found[0]):
            yield pruned_message(found[0])


def _snippet(text: str, start: int, end: int) -> str:
    """Return what was found with some text around it."""
    first, last = max(0, start - _AROUND), min(end, start + _LONGEST) + _AROUND
    before, after = _CUT if first else "", _CUT if last < len(text) else ""
    return f"{before}{text[first:last]}{after}"
