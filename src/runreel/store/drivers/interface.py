"""The interface of a driver: everything in which one database differs from another.

A third database implements ``Driver`` with its ``Dialect``, ``Admin`` and ``Catalogue``, and
``factory`` chooses it. ``Connection`` is what a driver can use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from sqlalchemy import Engine

    from runreel.model.events import EventRow
    from runreel.model.maintenance import Space
    from runreel.model.search import IndexReport
    from runreel.store.database_url import Url

    # A connection of the database's own Python module.
    Raw = Any
    Row = tuple[Any, ...]
    Parameters = Sequence[object]
    # The tables of ``Driver.add_counts`` and their keys.
    Keys = tuple[tuple[str, tuple[str, ...]], ...]
    Fetch = Callable[[int], list[Row]]
    # Key: table or view, and object in it ("" is the table itself). Value: its definition, of which
    # messages show the first line.
    SchemaObjects = dict[tuple[str, str], str]


class Cursor(Protocol):
    """The result of a statement."""

    @property
    def rowcount(self) -> int:
        """The number of affected rows."""

    def __iter__(self) -> Iterator[Any]: ...

    def fetchone(self) -> Any:
        """Return the next row, or None."""

    def fetchmany(self, size: int) -> list[Any]:
        """Return the next rows, none at the end."""

    def fetchall(self) -> list[Any]:
        """Return the remaining rows."""


class Connection(Protocol):
    """What a driver uses of a connection: see ``store.connection``."""

    @property
    def raw(self) -> Raw:
        """The connection of the database's own Python module."""

    @property
    def driver(self) -> Driver:
        """The driver."""

    # The statements that the server has prepared; None if it cannot.
    prepared: set[object] | None

    def execute(self, sql: str, parameters: Parameters = ()) -> Cursor:
        """Execute a statement."""

    def executemany(self, sql: str, rows: Iterable[Parameters]) -> int:
        """Execute a statement for each row."""

    def one(self, sql: str, parameters: Parameters = ()) -> Any:
        """Return the first row, or None."""

    def all(self, sql: str, parameters: Parameters = ()) -> list[Any]:
        """Return all rows."""

    def transaction(self) -> AbstractContextManager[None]:
        """Run the block in one transaction that may write."""


class Dialect(NamedTuple):
    """The parts of SQL that differ."""

    # Begin a transaction that writes, and one that sees a single moment.
    begin: str
    begin_snapshot: str
    # Return a name by which another connection sees the same moment; empty if that is impossible.
    export_snapshot: str
    # After a SELECT: lock its rows until commit.
    lock_rows: str
    # Before a column: do not use its index.
    no_index: str
    # After a text: compare it by its bytes.
    bytewise: str
    # Whether a text contains another one, in any case of ASCII letters.
    contains: str
    # An item of FROM: the strings of a JSON array.
    strings: str
    # Whether a subquery of FROM may use the items before it.
    lateral: bool


class Driver(Protocol):
    """One database: its connections, and what it does in its own way. ``?`` is a parameter."""

    # Its name for users.
    backend: str
    url: Url
    # The file of the log, None for a server.
    path: Path | None = None
    dialect: Dialect
    # The database is this process itself: it needs no server, and is created at first use.
    in_process: bool
    # A transaction that writes excludes every other one from its beginning.
    one_writer: bool
    # ``append`` stores all rows or none, also outside of a transaction.
    atomic_appends: bool
    # The planner of queries knows how common a value is.
    has_statistics: bool

    @property
    def admin(self) -> Admin:
        """The maintenance of this database."""

    @property
    def catalogue(self) -> Catalogue:
        """The schema of this database."""

    @property
    def text_search(self) -> TextSearch:
        """The texts of runs in this database, and their index."""

    def fresh(self) -> Driver:
        """Return a driver of the same log that has not seen its file yet."""

    def read_only_engine(self) -> Engine:
        """Return a SQLAlchemy engine whose connections cannot write, and see one snapshot each."""

    # -- Connections ------------------------------------------------------------------------------

    def check_exists(self) -> None:
        """Check that the file of a log exists, without opening it.

        Raises:
            DatabaseUnavailable: if it does not.
        """

    def create_file(self, *, allowed: bool) -> None:
        """Create the file of a log if there is none; if not ``allowed``, raise an error."""

    def open(self) -> Raw:
        """Open a connection that commits each statement by itself."""

    def is_usable(self, raw: Raw) -> bool:
        """True if an idle connection can be used again; raises an error if its file cannot."""

    def close(self, raw: Raw) -> None:
        """Close a connection in any state; raises nothing."""

    def runner(self, raw: Raw) -> Callable[[str, Parameters], Cursor]:
        """Return the function that executes a statement."""

    def translate(self, sql: str) -> str:
        """Return a statement with the driver's own marks for parameters."""

    def in_transaction(self, raw: Raw) -> bool:
        """True if a transaction is open, also if that is unknown."""

    def wait_for_lock(self, raw: Raw, *, waits: bool) -> None:
        """Switch waiting for locks of other processes and for the disk on or off, if possible."""

    def check_commit(self, *, now: bool = False) -> None:
        """Check after a commit, at least every 10 ms or ``now``, that others will find it.

        Raises:
            DatabaseUnavailable: if its file was replaced.
        """

    def change_mark(self, connection: Connection) -> object:
        """Return a value that is equal later only if nothing was committed in between.

        A database without such a counter returns a value that is equal to no other.
        """

    def change_hint(self, connection: Connection) -> object:
        """Return a value that is another one later if something was committed in between.

        Unlike the mark, it may miss what other nodes of a server have committed.
        """

    # -- Statements -------------------------------------------------------------------------------

    def append(self, connection: Connection, rows: Sequence[EventRow], *, durable: bool) -> bool:
        """Append rows, each directly after its predecessor; False on an append conflict."""

    def append_one(self, connection: Connection, row: EventRow, *, durable: bool) -> bool:
        """Append one row, if its position is free; False on an append conflict."""

    def write(self, connection: Connection, sql: str, parameters: Parameters) -> int:
        """Execute a statement that changes rows, one of a few; return how many."""

    def append_tombstone(self, connection: Connection, row: EventRow) -> bool:
        """Store a tombstone as the first row of a run, in a transaction without other appends.

        False if the run has rows.
        """

    def insert(
        self, connection: Connection, table: str, columns: Sequence[str], rows: Sequence[Parameters]
    ) -> None:
        """Insert rows into a table that has none of them."""

    def add_counts(
        self,
        connection: Connection,
        keys: Keys,
        counts: tuple[str, ...],
        rows: Mapping[str, Sequence[Row]],
    ) -> None:
        """Add ``rows`` of several tables to their ``counts``; missing rows are inserted.

        The tables have ``keys`` and, for writers that do not wait for each other, a ``slot``.
        """

    def lock_writes(self, connection: Connection, table: str, *, seconds: float = 0) -> None:
        """Exclude other writers of a table until commit; wait for them at most so long."""

    def stream(
        self,
        connection: Connection,
        sql: str,
        parameters: Parameters = (),
        *,
        name: str,
        by_key: bool = False,
    ) -> Fetch:
        """Run a query inside a transaction; return a function that fetches its next rows.

        ``name`` is that of the cursor. With ``by_key`` it follows the primary key, so that a
        damaged row is reached after all rows before it.
        """

    def id_list(self, ids: Sequence[str]) -> tuple[str, str, object]:
        """Return SQL for being one of these ids, for being none of them, and its parameter."""

    def decode_damaged(self, raw: Raw, *, enabled: bool) -> None:
        """Switch the reading of text that is not UTF-8 on or off."""


class Admin(Protocol):
    """The maintenance of a database: a module."""

    def is_replica(self, connection: Connection) -> bool:
        """True if the server only follows another one."""

    def sizes(self, connection: Connection) -> dict[str, int]:
        """Return the sizes of the parts of a log in bytes."""

    def size(self, connection: Connection) -> int:
        """Return the size of the log in bytes."""

    def settings(self, connection: Connection) -> dict[str, object]:
        """Return the important settings."""

    def release(self, connection: Connection, *, purge: bool) -> Space:
        """Free the space of erased and deleted rows; ``purge`` rewrites the tables without them."""

    def wait_durable(self, connection: Connection) -> None:
        """Wait until every row that was readable before survives a power loss."""

    def file_problems(self, connection: Connection) -> Iterator[str]:
        """Yield the problems that the database finds in its own file."""


class Catalogue(Protocol):
    """The schema of a database: a module."""

    def has_table(self, connection: Connection, name: str) -> bool:
        """True if the table exists.

        Raises:
            NotOurDatabase: if it does not, and others do in a SQLite file.
        """

    def prepare_creation(self, connection: Connection) -> None:
        """Check that the database can store every character, before creating tables.

        Raises:
            LogError: if it cannot.
        """

    def prepare_migration(self, connection: Connection) -> None:
        """Exclude other migrations until commit."""

    def check_partitions(self, number: int) -> None:
        """Check a number of partitions.

        Raises:
            UsageError: if it is out of range, or there are none in this database.
        """

    def not_compared(self, connection: Connection) -> str | None:
        """Return why the schema cannot be compared here, and what to do; None if it can."""

    def objects(
        self, connection: Connection, relations: Sequence[str], ddl: str
    ) -> tuple[SchemaObjects, SchemaObjects]:
        """Return the objects of these relations as they are, and as ``ddl`` creates them."""


class TextSearch(Protocol):
    """The texts of runs and the optional index of their trigrams: a module."""

    # Whether all runs that ``candidates`` returns have the text.
    EXACT: bool

    def packed(self, text: str) -> object:
        """Return a text as it is stored."""

    def unpacked(self, stored: object) -> str:
        """Return a stored text.

        Raises:
            BadValue: if it is damaged.
        """

    def containing(
        self, connection: Connection, folded: str, parts: Sequence[str], run_ids: Sequence[str]
    ) -> set[str]:
        """Return those of these runs that contain ``folded`` in a text of one of ``parts``."""

    def candidates(
        self, connection: Connection, folded: str, parts: Sequence[str]
    ) -> set[str] | None:
        """Return the runs that may contain ``folded``; None if the index is no help."""

    def planned(
        self, connection: Connection, jobs: int
    ) -> Sequence[Callable[[Connection], object]]:
        """Return work for worker processes, whose results ``add_part`` adds to the index.

        Raises:
            LogError: if there can be none.
        """

    def add_part(self, connection: Connection, made: object) -> int:
        """Add what a worker has made; return the number of texts, 0 if any of them has changed."""

    def build(
        self, connection: Connection, progress: Callable[[int, int], None] | None
    ) -> IndexReport:
        """Make the index, or bring it up to date.

        Raises:
            LogError: if there can be none.
        """

    def forget(
        self, connection: Connection, run_ids: Sequence[str], *, erased: bool = False
    ) -> None:
        """Remove the texts of runs from the index; call it before they change.

        With ``erased``, also what the index knows of all texts together, until it is built again.
        """

    def report(self, connection: Connection) -> IndexReport | None:
        """Return the state of the index, None if there is none."""

    def missing(self, connection: Connection) -> int:
        """Return the number of texts that are not in the index."""

    def obstacle(self, connection: Connection) -> str | None:
        """Return why there can be no index here, None if there can."""
