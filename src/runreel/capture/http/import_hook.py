"""Calls a function after a module has been imported, without importing the module."""

from __future__ import annotations

import sys
import threading
from importlib.abc import Loader, MetaPathFinder
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType


class ImportHook(MetaPathFinder):
    """Calls ``imported`` with each of the named modules right after its first import.

    It is active from ``install`` to ``remove``. ``imported`` must not raise: the error would come
    out of an import statement of the program.
    """

    def __init__(self, names: Sequence[str], imported: Callable[[ModuleType], None]) -> None:
        self._names = frozenset(names)
        self._imported = imported
        self._searching = threading.local()

    def install(self) -> None:
        """Begin to watch the imports of modules that are not loaded yet."""
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)

    def remove(self) -> None:
        """End this; does nothing if it has ended."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Return the spec that the other finders find, with a loader that calls ``imported``."""
        if fullname not in self._names or getattr(self._searching, "active", False):
            return None
        self._searching.active = True
        try:
            spec = _find(fullname, path, target)
        finally:
            self._searching.active = False
        if spec is not None and spec.loader is not None:
            spec.loader = _NotifyingLoader(spec.loader, self._imported)
        return spec


class _NotifyingLoader(Loader):
    """Stands in for the loader of one module until the module is executed."""

    def __init__(self, loader: Loader, imported: Callable[[ModuleType], None]) -> None:
        self._loader = loader
        self._imported = imported

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        # From here on the module is as without the hook, also for importlib.resources.
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._imported(module)


def _find(
    fullname: str, path: Sequence[str] | None, target: ModuleType | None
) -> ModuleSpec | None:
    for finder in list(sys.meta_path):
        find_spec = getattr(finder, "find_spec", None)
        spec: ModuleSpec | None = find_spec and find_spec(fullname, path, target)
        if spec is not None:
            return spec
    return None
