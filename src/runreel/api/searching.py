"""The part of a ``Reel`` that searches what was said."""

from __future__ import annotations

# Types of signatures are imported at run time because `checked` resolves them.
# ruff: noqa: TC001, TC003
from collections.abc import Callable, Iterable, Iterator
from typing import Unpack

from runreel.model.arguments import checked
from runreel.model.run_filter import Filters
from runreel.model.search import SEARCHED, IndexReport, Match
from runreel.store.database import Database


class SearchMixin:
    """Searches the texts of runs."""

    db: Database

    @checked
    def search(  # noqa: PLR0913 - the options of a search
        self,
        text: str,
        *,
        run_ids: Iterable[str] | None = None,
        in_: str | Iterable[str] = SEARCHED,
        regex: bool = False,
        case: bool = False,
        progress: Callable[[int, int], None] | None = None,
        on_problem: Callable[[str], None] | None = None,
        **filters: Unpack[Filters],
    ) -> Iterator[Match]:
        """Yield where a text occurs in what was said, newest run first.

        ``in_`` is one or more of ``answer`` (all answers), ``request`` (the last request),
        ``tools`` (arguments and results of tool calls), ``error`` and ``reasoning``. Text that is
        spread over several events is found. Case is ignored unless ``case``. ``regex`` makes
        ``text`` a regular expression. ``run_ids`` limits the search to these runs; the filters are
        those of ``runs``. ``progress`` receives the runs done and the total.

        ``on_problem`` is called with a message for each part that cannot be searched.

        Raises:
            UsageError: if the text is empty, or another argument is invalid.
            RunNotFound: if one of ``run_ids`` is not in the log.
            PartNotSearched: at the end, if parts could not be searched, for example because the
                pattern took too long, and there is no ``on_problem``.
        """
        from runreel.query import search as queries

        asked = queries.question(text, filters, run_ids=run_ids, parts=in_, regex=regex, case=case)
        return queries.search(self.db, asked, progress=progress, on_problem=on_problem)

    @checked
    def build_search_index(
        self, *, jobs: int = 1, progress: Callable[[int, int], None] | None = None
    ) -> IndexReport:
        """Make the index that speeds up searches, or bring it up to date.

        Searches find the same without it. On SQLite, runs that ended after the last call are
        searched without it; Postgres updates it itself. With ``jobs`` worker processes the index
        of many texts is made in parts, and searches ask each of them.

        Raises:
            UsageError: if ``jobs`` is below 1.
            LogError: if the database cannot have one.
        """
        from runreel.model.errors import UsageError
        from runreel.query import search as queries
        from runreel.store.worker_pool import workers

        if jobs < 1:
            raise UsageError("jobs must be at least 1")
        with workers(self.db, jobs) as pool:
            return queries.build_index(self.db, progress, pool)
