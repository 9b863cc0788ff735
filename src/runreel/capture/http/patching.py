"""Installs hooks below the clients of httpx and httpx2; imports neither of them.

A hook is called for each request of each client, redirects and retries of the vendor's client
included, whether the package was loaded before the hook was added or later.
"""

from __future__ import annotations

import functools
import logging
import sys
import threading
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from runreel.capture.http.import_hook import ImportHook
from runreel.model.errors import MissingExtra

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import ModuleType

PACKAGES = ("httpx", "httpx2")
# Redirects and authentication happen above this method, connections below.
METHOD = "_send_single_request"
_CLIENTS = {"Client": False, "AsyncClient": True}

_log = logging.getLogger("runreel")


class Hook(Protocol):
    """Is called instead of each request; calls ``send`` with it."""

    def send(self, send: Callable[[Any], Any], request: Any) -> Any:
        """Return the response to ``request``."""
        ...

    async def asend(self, send: Callable[[Any], Awaitable[Any]], request: Any) -> Any:
        """Return the response to ``request`` of an asynchronous client."""
        ...


class _Patch(NamedTuple):
    """A class of clients, its method before the patch, and the method that replaced it."""

    client_class: type
    original: Any
    wrapper: Any


_lock = threading.RLock()
_hooks: tuple[Hook, ...] = ()
_patches: list[_Patch] = []


def add(hook: Hook, *, innermost: bool = False) -> None:
    """Call ``hook`` for the requests of all clients, until ``remove``.

    It is called before the hooks that were added earlier or, if ``innermost``, after all others:
    a hook that answers requests itself then keeps nothing from them.

    Raises:
        MissingExtra: if a loaded package has another structure than the known versions.
    """
    global _hooks  # noqa: PLW0603 - the classes of clients are global too
    with _lock:
        if not _hooks:
            modules = _loaded()
            for module in modules:
                _check(module)
            for module in modules:
                _patch(module)
            _imports.install()
        _hooks = (hook, *_hooks) if innermost else (*_hooks, hook)


def remove(hook: Hook) -> None:
    """Call ``hook`` no longer; does nothing if it is not called.

    After the last one the classes of clients are as they were. Where another program part has
    patched them after us, its patch stays, and ours only passes requests along.
    """
    global _hooks  # noqa: PLW0603 - see add
    with _lock:
        _hooks = tuple(other for other in _hooks if other is not hook)
        if not _hooks:
            _imports.remove()
            _restore()


def hooks() -> tuple[Hook, ...]:
    """Return the hooks that are called for the requests of all clients."""
    return _hooks


def client_classes() -> list[type]:
    """Return the classes of clients of the packages that are loaded."""
    return [getattr(module, name, object) for module in _loaded() for name in _CLIENTS]


def attach(client: Any, hook: Hook) -> None:
    """Call ``hook`` for the requests of one client of httpx or httpx2; a second time does nothing.

    Raises:
        MissingExtra: if the client has another structure than the known versions.
    """
    for module in _loaded():
        if isinstance(client, tuple(getattr(module, name) for name in _CLIENTS)):
            _check(module)
    asynchronous = hasattr(client, "aclose")
    # Looked up at each call: the class may be patched later.
    original = vars(client).get(METHOD) or functools.partial(_send_as_class, client)
    if hook not in getattr(original, "runreel_hooks", ()):
        wrapper = _wrapper(original, lambda: (hook,), asynchronous=asynchronous)
        wrapper.runreel_hooks = (hook, *getattr(original, "runreel_hooks", ()))
        setattr(client, METHOD, wrapper)


def _send_as_class(client: Any, request: Any) -> Any:
    return getattr(type(client), METHOD)(client, request)


def _loaded() -> list[ModuleType]:
    return [sys.modules[name] for name in PACKAGES if name in sys.modules]


def _patch(module: ModuleType) -> None:
    for name, asynchronous in _CLIENTS.items():
        client_class = getattr(module, name)
        original = client_class.__dict__[METHOD]
        wrapper = _wrapper(original, lambda: _hooks, asynchronous=asynchronous)
        setattr(client_class, METHOD, wrapper)
        _patches.append(_Patch(client_class, original, wrapper))


def _restore() -> None:
    for patch in _patches:
        if patch.client_class.__dict__.get(METHOD) is patch.wrapper:
            setattr(patch.client_class, METHOD, patch.original)
    _patches.clear()


def _patch_imported(module: ModuleType) -> None:
    with _lock:
        try:
            if _hooks:
                _check(module)
                _patch(module)
        except MissingExtra as error:
            _log.warning("%s", error)


def _check(module: ModuleType) -> None:
    """Check that the clients of a package have the method that hooks replace.

    Raises:
        MissingExtra: if they have not.
    """
    classes = (getattr(module, name, None) for name in _CLIENTS)
    if not all(METHOD in getattr(client_class, "__dict__", ()) for client_class in classes):
        version = getattr(module, "__version__", "of this version")
        raise MissingExtra(
            f"cannot record the calls of {module.__name__} {version}: its clients are not built as"
            " in the versions that runreel knows",
            hint="Update runreel, or install httpx 0.28 or httpx2 2.",
        )


def _wrapper(original: Any, hooks: Callable[[], tuple[Hook, ...]], *, asynchronous: bool) -> Any:
    """A method, or the function of one client, that calls the hooks instead of ``original``."""

    def chain(owner: list[Any], method: str) -> Any:
        send = functools.partial(original, *owner)
        for hook in hooks():
            send = functools.partial(getattr(hook, method), send)
        return send

    if asynchronous:

        @functools.wraps(original)
        async def asend(*args: Any, request: Any = None) -> Any:
            *owner, request = args if request is None else (*args, request)
            return await chain(owner, "asend")(request)

        return asend

    @functools.wraps(original)
    def send(*args: Any, request: Any = None) -> Any:
        *owner, request = args if request is None else (*args, request)
        return chain(owner, "send")(request)

    return send


_imports = ImportHook(PACKAGES, _patch_imported)
