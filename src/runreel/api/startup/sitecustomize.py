# ruff: noqa: INP001 - a directory for PYTHONPATH, no package
"""Begins to record a Python program that `runreel watch` has started.

Python imports the first module of this name on its path before a program begins.
"""

import os
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec


def _import_hidden() -> None:
    """Import the module of the same name that this one hides; forget this directory."""
    own = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib takes long
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != own]  # noqa: PTH100
    spec = PathFinder.find_spec("sitecustomize", sys.path)
    if spec is not None and spec.loader is not None:
        module = sys.modules["sitecustomize"] = module_from_spec(spec)
        spec.loader.exec_module(module)


def _start() -> None:
    options = os.environ.get("RUNREEL_WATCH")
    if options is None:
        return
    try:
        from runreel.api import autostart
    except ImportError:
        import json

        with open(json.loads(options)["report"], "a", encoding="utf-8") as report:  # noqa: PTH123
            report.write(f"missing {sys.executable}\n")
    else:
        autostart.start(options)


_start()
_import_hidden()
