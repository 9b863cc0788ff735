"""The columns of the groups of a report, which every table of a report begins with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeVar

from runreel.cli.render.tables import Column
from runreel.projection.usage_periods import LABEL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class _Grouped(Protocol):
    @property
    def key(self) -> tuple[str | None, ...]: ...


Item = TypeVar("Item", bound=_Grouped)


def group_columns(by: Iterable[str], _item: type[Item]) -> list[Column[Item]]:
    """Return a column for each group; an item has its value of each in ``key``."""
    return [
        Column(
            group if group.startswith(LABEL) else group.upper(),
            _key(index),
            min_width=10,
            cut_middle=True,
        )
        for index, group in enumerate(by)
    ]


def _key(index: int) -> Callable[[_Grouped], str | None]:
    return lambda item: item.key[index]
