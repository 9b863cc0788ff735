"""The values of Parquet columns on their way to Arrow arrays."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any, Protocol

from runreel.export import parquet_columns

if TYPE_CHECKING:
    from collections.abc import Callable

    from runreel.export.parquet_columns import Column


class ColumnValues(Protocol):
    """The values of a column; ``escaped`` is the number of texts that were escaped."""

    escaped: int

    @property
    def append(self) -> Callable[[Any], None]:
        """The function that appends a JSON value."""

    def take(self) -> Any:
        """Return an Arrow array of the values, and forget them."""


class Values:
    """Values of any kind."""

    def __init__(self, core: Any, column: Column, type_: Any) -> None:
        self.escaped = 0
        self._core = core
        self._kind = column.kind
        self._type = type_
        self._values: list[Any] = []
        self.append = self._values.append

    def take(self) -> Any:
        """Return an Arrow array of the values, and forget them."""
        encoded = parquet_columns.encode(self._kind, self._values)
        self.escaped += encoded.escaped
        self._values.clear()
        return self._core.array(encoded.values, type=self._type)


class GrowingTexts:
    """Texts that mostly begin with the one before: only what follows is encoded."""

    def __init__(self, core: Any) -> None:
        self.escaped = 0
        self._core = core
        self._text = ""
        self._utf8 = bytearray()
        self._is_escaped = False
        self._start()

    def append(self, text: str | None) -> None:
        """Append a text."""
        self._known.append(text is not None)
        if text is not None:
            self._data += self._encode(text)
            self.escaped += self._is_escaped
        self._ends.append(len(self._data))

    def take(self) -> Any:
        """Return an Arrow array of the texts, and forget them."""
        core = self._core
        known = core.array(self._known, type=core.bool_()).buffers()[1]
        ends, data = core.py_buffer(self._ends), core.py_buffer(self._data)
        texts = core.StringArray.from_buffers(len(self._known), ends, data, known)
        # The array refers to the buffers.
        self._start()
        return texts

    def _start(self) -> None:
        # 32-bit integers, as Arrow has them.
        self._known, self._ends, self._data = list[bool](), array("i", [0]), bytearray()

    def _encode(self, text: str) -> bytearray:
        if not text.startswith(self._text):
            self._text, self._utf8, self._is_escaped = "", bytearray(), False
        tail = text[len(self._text) :]
        utf8 = parquet_columns.utf8(tail)
        self._is_escaped |= utf8 is not tail
        self._utf8 += utf8.encode()
        self._text = text
        return self._utf8
