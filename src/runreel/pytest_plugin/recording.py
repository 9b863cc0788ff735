"""Records the model calls of a test into a part of its recording."""

from __future__ import annotations

import os
import uuid
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import runreel
from runreel.api.reel import Reel
from runreel.capture.http import patching
from runreel.capture.http.hook import CallHook
from runreel.importing.recording_log import RecordingLog
from runreel.model.errors import UsageError
from runreel.pytest_plugin import environment
from runreel.pytest_plugin.interface import Outcome, Urls

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

_ENDINGS = (".reel.jsonl", ".reel.jsonl.gz")
_DEFAULTS = {
    environment.OPENAI: "https://api.openai.com/v1",
    environment.ANTHROPIC: "https://api.anthropic.com",
}


class RecordedCalls:
    """Records the model calls of this process, until ``end``, into a file in ``folder``.

    ``rules`` are what is masked there.

    Raises:
        UsageError: if ``path`` cannot be the name of a recording.
    """

    def __init__(self, path: Path, folder: Path, test: str, rules: Sequence[str]) -> None:
        if not path.name.endswith(_ENDINGS):
            raise UsageError(f"{path.name} is no name of a recording", hint="Use NAME.reel.jsonl.")
        self._file = folder / uuid.uuid4().hex
        self._rules = tuple(rules)
        self._reel = runreel.open(self._file.with_suffix(".db"), durability="normal")
        self._hook = _Recorder(CallHook(self._reel.db, labels={"test": test}))
        patching.add(self._hook)

    def problems(self) -> list[str]:
        """Return nothing: a call that cannot be recorded raises an error."""
        return []

    @contextmanager
    def serving(self) -> Iterator[Urls]:
        """Record the calls of other processes, too: forward them to the URLs that were set.

        Raises:
            MissingExtra: if a package of the server is not installed.
            UsageError: if a base URL is not valid.
        """
        with (
            self._proxy(_base_url(environment.OPENAI)) as openai,
            # The client of anthropic has /v1 in its paths.
            self._proxy(f"{_base_url(environment.ANTHROPIC)}/v1") as anthropic,
        ):
            yield Urls(f"{openai}/v1", anthropic)

    def end(self) -> Outcome:
        """End it, and return the file with what was recorded."""
        patching.remove(self._hook)
        part = self._file.with_suffix(_ENDINGS[0])
        with self._reel as reel:
            if next(iter(reel.runs()), None) is None:
                return Outcome()
            reel.export(part, mask=self._rules)
        return Outcome(part=str(part))

    @contextmanager
    def _proxy(self, upstream: str) -> Iterator[str]:
        from runreel.pytest_plugin import served
        from runreel.serving import proxy

        url = proxy.upstream_url(upstream)
        app = proxy.create_app(url, self._hook.inner, served.HOST, on_problem=lambda _: None)
        with served.running(app, has_lifespan=True) as origin:
            self._hook.own.append(origin)
            yield origin


class _Recorder:
    """Records what ``inner`` records, except requests to servers of our own, which do so."""

    def __init__(self, inner: CallHook) -> None:
        self.inner = inner
        self.own: list[str] = []

    def send(self, send: Callable[[Any], Any], request: Any) -> Any:
        return send(request) if self._is_own(request) else self.inner.send(send, request)

    async def asend(self, send: Callable[[Any], Awaitable[Any]], request: Any) -> Any:
        if self._is_own(request):
            return await send(request)
        return await self.inner.asend(send, request)

    def _is_own(self, request: Any) -> bool:
        return str(request.url).startswith(tuple(f"{origin}/" for origin in self.own))


def write(path: str, parts: Sequence[str]) -> int:
    """Write the runs of ``parts`` to a recording, which is replaced whole; return their number.

    Without any, the file stays as it is.

    Raises:
        RunreelError: if it cannot be written; the file is then as it was.
    """
    if not parts:
        return 0
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with Reel(RecordingLog(parts)) as reel:
        ids = [run.run_id for run in reel.runs()]
        reel.export(path, ids[::-1], force=True)
    return len(ids)


def _base_url(name: str) -> str:
    return (os.environ.get(name) or _DEFAULTS[name]).rstrip("/")
