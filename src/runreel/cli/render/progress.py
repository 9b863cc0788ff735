"""A progress bar on stderr, if that is a terminal."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from runreel.cli.render import terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rich.progress import ProgressColumn

    Step = Callable[[int, int | None], None]


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
