"""One Parquet file, written in parts of limited size."""

from __future__ import annotations

import contextlib
import importlib
from typing import TYPE_CHECKING, Any

from runreel.codec.flat_columns import pick
from runreel.export.parquet_columns import COLUMNS, FLAG, INTEGER, NUMBER, TIMESTAMP
from runreel.export.parquet_values import GrowingTexts, Values
from runreel.model.errors import MissingExtra

if TYPE_CHECKING:
    from pathlib import Path

    from runreel.codec.json_objects import JsonObject
    from runreel.export.parquet_values import ColumnValues

# Rows, and characters of text, that are held as Python objects.
_ROWS, _CHARACTERS = 5_000, 8_000_000
# Rows, and bytes before compression, of a row group.
_GROUP_ROWS, _GROUP_BYTES = 100_000, 128_000_000
# The text so far begins like that of the row before: this encoding stores what follows.
_GROWING = "text"
_INCREMENTAL = "DELTA_BYTE_ARRAY"
# Different in each row.
_UNIQUE = ("added", _GROWING)


class Arrow:
    """The modules of pyarrow that write Parquet.

    Raises:
        MissingExtra: if pyarrow is not installed.
    """

    def __init__(self) -> None:
        try:
            self.core: Any = importlib.import_module("pyarrow")
            self.parquet: Any = importlib.import_module("pyarrow.parquet")
        except ImportError:
            raise MissingExtra(
                "Parquet files require the package pyarrow", hint="pip install 'runreel[parquet]'"
            ) from None

    def schema(self, table: str, version: str) -> Any:
        """Return the schema of a table; its metadata names the version of runreel."""
        core = self.core
        types = {
            TIMESTAMP: core.timestamp("us", tz="UTC"),
            INTEGER: core.int64(),
            NUMBER: core.float64(),
            FLAG: core.bool_(),
        }
        fields = [(column.name, types.get(column.kind, core.string())) for column in COLUMNS[table]]
        return core.schema(fields, metadata={"runreel.table": table, "runreel.version": version})


class ParquetTable:
    """Writes one file."""

    def __init__(self, arrow: Arrow, path: Path, table: str, version: str) -> None:
        self._arrow = arrow
        self._columns = COLUMNS[table]
        self._schema = arrow.schema(table, version)
        self._values: list[ColumnValues] = [
            GrowingTexts(arrow.core)
            if column.name == _GROWING
            else Values(arrow.core, column, field.type)
            for column, field in zip(self._columns, self._schema, strict=True)
        ]
        self._rows = self._characters = 0
        self._group: list[Any] = []
        self._file = path.open("xb")
        try:
            self._writer = self._new_writer()
        except BaseException:
            self._close_file()
            raise

    def _new_writer(self) -> Any:
        names = [column.name for column in self._columns]
        return self._arrow.parquet.ParquetWriter(
            self._file,
            self._schema,
            compression="zstd",
            use_dictionary=[name for name in names if name not in _UNIQUE],
            column_encoding={name: _INCREMENTAL for name in names if name == _GROWING},
        )

    @property
    def escaped(self) -> int:
        """The number of texts that were escaped."""
        return sum(values.escaped for values in self._values)

    def append(self, value: JsonObject) -> None:
        """Append the row of a JSON object."""
        for column, values in zip(self._columns, self._values, strict=True):
            item = pick(value, column.field)
            values.append(item)
            if type(item) is str:
                self._characters += len(item)
        self._rows += 1
        if self._rows >= _ROWS or self._characters >= _CHARACTERS:
            self._encode()

    def close(self) -> None:
        """Write the rest, and the end of the file."""
        try:
            self._encode()
            self._write_group()
            self._writer.close()
            self._file.close()
        finally:
            self.discard()

    def discard(self) -> None:
        """Close the file, which is not complete unless ``close`` has succeeded."""
        # pyarrow would write the end of the file when the writer is deleted.
        with contextlib.suppress(OSError, ValueError):
            self._writer.close()
        self._close_file()

    def _close_file(self) -> None:
        with contextlib.suppress(OSError):
            self._file.close()

    def _encode(self) -> None:
        """Convert the rows at hand to a part of the row group."""
        if not self._rows:
            return
        arrays = [values.take() for values in self._values]
        self._rows = self._characters = 0
        self._group.append(self._arrow.core.record_batch(arrays, schema=self._schema))
        rows, size = (
            sum(getattr(part, of) for part in self._group) for of in ("num_rows", "nbytes")
        )
        if rows >= _GROUP_ROWS or size >= _GROUP_BYTES:
            self._write_group()

    def _write_group(self) -> None:
        if self._group:
            table = self._arrow.core.Table.from_batches(self._group, schema=self._schema)
            self._group = []
            self._writer.write_table(table, row_group_size=table.num_rows)
