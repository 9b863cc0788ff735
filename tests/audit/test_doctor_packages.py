"""The check for packages whose model calls `watch` does not record."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from runreel.doctor import packages
from runreel.doctor.checks import OK, WARN

NAMES = [package.name for package in (*packages._PACKAGES, *packages._TRANSPORTS)]
MODULES = [package.module for package in (*packages._PACKAGES, *packages._TRANSPORTS)]


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which packages can be installed, on a path without any."""
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    for module in MODULES:
        monkeypatch.delitem(sys.modules, module, raising=False)
    return tmp_path


def install(folder: Path, name: str) -> None:
    made = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    made.mkdir()
    (made / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")


def test_without_such_packages_all_is_well(empty: Path) -> None:
    install(empty, "openai")
    check = packages.check_packages()
    assert check == ("unwatched packages", OK, "none", None)


@pytest.mark.parametrize("package", packages._PACKAGES, ids=lambda package: package.name)
def test_an_installed_package_is_named_with_what_to_do(
    empty: Path, package: packages._Package
) -> None:
    install(empty, package.name)
    if package.through:
        assert packages.check_packages().verdict == OK
        install(empty, package.through)
    check = packages.check_packages()
    assert check.verdict == WARN
    found = str(check.found).partition(";")[0]
    assert found == f"`watch` does not record all calls of {package.name}"
    assert check.advice == f"{package.name}: {package.advice}."


def test_the_interceptors_are_the_way_for_grpc(empty: Path) -> None:
    install(empty, "yandex-ai-studio-sdk")
    assert "reel.interceptors()" in str(packages.check_packages().advice)


def test_a_loaded_package_counts_without_being_installed(
    empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert list(empty.iterdir()) == []
    monkeypatch.setitem(sys.modules, "claude_agent_sdk", ModuleType("claude_agent_sdk"))
    assert "claude-agent-sdk" in packages.check_packages().found


def test_packages_of_many_uses_are_no_warning(empty: Path) -> None:
    for name in ("aiohttp", "boto3", "websockets"):
        install(empty, name)
    check = packages.check_packages()
    assert (check.verdict, check.advice) == (OK, None)
    assert check.found == (
        "not recorded if used: aiohttp (direct requests), boto3 (Bedrock), websockets (the"
        " Realtime API)"
    )
    install(empty, "google-genai")
    check = packages.check_packages()
    assert check.verdict == WARN
    assert "google-genai; not recorded if used: aiohttp" in check.found


def test_nothing_is_imported(tmp_path: Path) -> None:
    # Each would end the process when it is imported.
    for name, module in zip(NAMES, MODULES, strict=True):
        install(tmp_path, name)
        made = tmp_path.joinpath(*module.split("."))
        made.mkdir(parents=True)
        (made / "__init__.py").write_text("raise SystemExit(7)\n")
    program = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from runreel.doctor import packages\nprint(packages.check_packages().found)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert all(name in done.stdout for name in NAMES)


def test_the_page_names_what_is_listed() -> None:
    page = Path(__file__).parents[2] / "docs/how-to/record-programs.md"
    section = page.read_text("utf-8").split("\n## What is not recorded\n")[1]
    assert [name for name in NAMES if name not in section] == []
    assert "runreel doctor" in section
