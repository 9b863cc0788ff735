"""What is shipped: a wheel that works alone, a cheap import, names that explain themselves."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import runreel
from tests.docs.checkout import CHECKOUT, files, run

ALLOWED = {
    "LICENSE",
    "README.md",
    "alembic.ini",
    "docs",
    "migrations",
    "pyproject.toml",
    "src",
    "tests",
}
HEAVY = {"alembic", "click", "msgspec", "platformdirs", "rich", "sqlalchemy"}
VENDORS = {
    "anthropic",
    "google",
    "grpc",
    "openai",
    "psycopg",
    "yandex",
    "yandex_ai_studio_sdk",
    "yandexcloud",
}

# Live recording and the servers are the parts that need more packages.
IMPORT_EVERYTHING = """
import importlib, json, pkgutil, sys, runreel
for module in pkgutil.walk_packages(runreel.__path__, "runreel."):
    servers = ("web", "serving", "system.http_server")
    others = ("migrations", "__main__", "cli.interactive", "pytest_plugin")
    parts = ("capture", *servers, *others)
    if not module.name.startswith(tuple(f"runreel.{part}" for part in parts)):
        importlib.import_module(module.name)
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""
TRAFFIC = [
    {"type": "run", "data": {"id": "run-1", "threadId": "t", "state": {"status": "PENDING"}}},
    {"type": "stream_event", "data": {"eventType": "DONE", "streamCursor": {}}},
]


def _imported(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, encoding="utf-8"
    )
    return set(json.loads(done.stdout))


@pytest.mark.slow
def test_the_wheel_works_in_an_environment_of_its_own(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "build", "--wheel", "--outdir", tmp_path, CHECKOUT]
    run(build, cwd=tmp_path, home=tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    shipped = set(zipfile.ZipFile(wheel).namelist())
    assert {"runreel/py.typed", "runreel/migrations/env.py"} <= shipped
    revisions = {path.name for path in (CHECKOUT / "migrations/versions").glob("*.py")}
    assert {f"runreel/migrations/versions/{name}" for name in revisions} <= shipped
    page = CHECKOUT / "src/runreel/web"
    parts = {
        path.relative_to(page) for path in page.glob("*/*") if path.suffix in (".html", ".css")
    }
    assert parts
    assert {f"runreel/web/{path.as_posix()}" for path in parts} <= shipped
    assert {name.partition("/")[0] for name in shipped} == {
        "runreel",
        f"runreel-{runreel.__version__}.dist-info",
    }

    venv, root = tmp_path / "venv", Path(os.sep)
    run([sys.executable, "-m", "venv", venv], cwd=tmp_path, home=tmp_path)
    run([venv / "bin/pip", "install", "-q", wheel], cwd=tmp_path, home=tmp_path)

    def command(*words: str | Path) -> str:
        log = tmp_path / "log.db"
        return run([venv / "bin/runreel", *words], cwd=root, home=tmp_path, RUNREEL_DB=str(log))

    assert "Status      completed" in command("--db", tmp_path / "log.db", "demo", "--fast")
    assert "already" in command("db", "upgrade")
    assert "revision none -> " in command("--db", tmp_path / "new.db", "db", "upgrade")
    traffic = tmp_path / "traffic.jsonl"
    traffic.write_text("\n".join(map(json.dumps, TRAFFIC)), encoding="utf-8")
    assert command("import", traffic).startswith("1 run added, 0 updated; ")
    assert json.loads(command("show", "run-1", "--json"))["status"] == "COMPLETED"

    everything = run([venv / "bin/python", "-c", IMPORT_EVERYTHING], cwd=root, home=tmp_path)
    assert VENDORS & set(json.loads(everything)) == set()


def test_the_core_imports_no_vendor_package_even_where_all_are_installed() -> None:
    assert VENDORS & _imported(IMPORT_EVERYTHING) == set()


def test_importing_runreel_is_cheap() -> None:
    code = "import json, sys, runreel; print(json.dumps(list(sys.modules)))"
    loaded = _imported(code)
    assert HEAVY & loaded == set()
    assert {name for name in loaded if name.startswith("runreel")} == {"runreel"}


def test_the_top_of_the_repository_holds_nothing_unexpected() -> None:
    tops = {name.partition("/")[0] for name in files()}
    assert {top for top in tops if not top.startswith(".")} == ALLOWED


def test_the_version_is_the_same_in_both_places() -> None:
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == runreel.__version__
    assert f"## {runreel.__version__}\n" in (CHECKOUT / "docs/changelog.md").read_text("utf-8")


def test_public_names_are_sorted_and_there() -> None:
    assert runreel.__all__ == sorted(set(runreel.__all__))
    assert set(runreel.__all__) <= set(dir(runreel))
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = runreel.nonsense


@pytest.mark.parametrize("name", runreel.__all__)
def test_a_public_name_explains_itself(name: str) -> None:
    value = getattr(runreel, name)
    # A dataclass without a docstring gets its signature for one.
    assert value.__doc__ and not value.__doc__.startswith(f"{name}(")
    if inspect.isclass(value):
        members = {key: item for key, item in vars(value).items() if not key.startswith("_")}
        silent = [
            key
            for key, item in members.items()
            if (inspect.isroutine(item) or isinstance(item, property)) and not item.__doc__
        ]
        assert silent == []
