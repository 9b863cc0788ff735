"""A progress bar on stderr, if that is a terminal."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from itertools import chain, islice
from typing import TYPE_CHECKING, TypeVar

from runreel.cli.render import terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import ProgressColumn

    Step = Callable[[int, int | None], None]

T = TypeVar("T")
# Items that are searched for before the first is printed, while a progress bar is shown.
_PREFETCHED = 1_000


def prefetched(title: str, start: Callable[[Step | None], Iterator[T]]) -> Iterator[T]:
    """Return the items of ``start``, the first of them computed while a progress bar is shown."""
    with bar(title) as step:
        items = start(step)
        return chain(list(islice(items, _PREFETCHED)), items)


def streamed(title: str, start: Callable[[Step | None], Iterator[T]]) -> Iterator[T]:
    """Yield the items of ``start`` as they are found, while a progress bar is shown.

    Where the items are printed on a terminal, the first of them ends the bar.
    """
    with ExitStack() as shown:
        step = shown.enter_context(bar(title))
        for item in start(step):
            if terminal.is_terminal():
                shown.close()
            yield item


@contextmanager
def bar(title: str, *, in_bytes: bool = False) -> Iterator[Step | None]:
    """Yield a function to call with the amounts done and in total; None without a terminal.

    Both are numbers of items or, if ``in_bytes``, of bytes.
    """
    if not terminal.notices_are_visible():
        yield None
        return
    from rich import progress

    count: list[ProgressColumn]
    if in_bytes:
        count = [progress.DownloadColumn(), progress.TransferSpeedColumn()]
    else:
        count = [progress.MofNCompleteColumn()]
    columns = [progress.TextColumn("{task.description}"), progress.BarColumn(), *count]
    with progress.Progress(
        *columns,
        progress.TimeRemainingColumn(),
        console=terminal.notice_console(),
        transient=True,
    ) as shown:
        task = shown.add_task(title, total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)
