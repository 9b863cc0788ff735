"""Transports of httpx and httpx2 that record the calls that pass through them."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any

from runreel.capture.http.patching import PACKAGES
from runreel.model.errors import UsageError

if TYPE_CHECKING:
    from runreel.capture.http.patching import Hook


def recorded_transport(inner: Any, hook: Hook) -> Any:
    """Return a transport like ``inner`` whose calls ``hook`` records.

    It is synchronous or asynchronous as ``inner`` is, and closes ``inner`` when it is closed.

    Raises:
        UsageError: if ``inner`` is no transport of httpx or httpx2.
    """
    loaded = [sys.modules[name] for name in PACKAGES if name in sys.modules]
    known = [getattr(module, name, object) for module in loaded for name in _MIXINS]
    bases = tuple(kind for kind in type(inner).__mro__ if kind in known and kind is not object)
    if not bases:
        raise UsageError(
            f"{type(inner).__name__} is no transport of httpx or httpx2",
            hint="Pass one, such as httpx.HTTPTransport(), or use reel.watch().",
        )
    return _class_of(bases)(inner, hook)


@functools.cache
def _class_of(bases: tuple[type, ...]) -> type:
    mixins = tuple(_MIXINS[base.__name__] for base in bases)
    return type("RecordedTransport", (*mixins, _Recorded, *bases), {})


class _Recorded:
    def __init__(self, inner: Any, hook: Hook) -> None:
        self._inner = inner
        self._hook = hook

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class _Transport(_Recorded):
    def handle_request(self, request: Any) -> Any:
        return self._hook.send(self._inner.handle_request, request)

    def __enter__(self) -> Any:
        self._inner.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._inner.__exit__(*error)

    def close(self) -> None:
        self._inner.close()


class _AsyncTransport(_Recorded):
    async def handle_async_request(self, request: Any) -> Any:
        return await self._hook.asend(self._inner.handle_async_request, request)

    async def __aenter__(self) -> Any:
        await self._inner.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._inner.__aexit__(*error)

    async def aclose(self) -> None:
        await self._inner.aclose()


_MIXINS: dict[str, type[_Recorded]] = {
    "BaseTransport": _Transport,
    "AsyncBaseTransport": _AsyncTransport,
}
