from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runreel.cli import settings
from runreel.words.errors import UsageError

if TYPE_CHECKING:
    from tests.cli.calls import Caller


def project(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "pyproject.toml"
    file.write_text(text, encoding="utf-8")
    return file


def own(home: Path, text: str) -> Path:
    from platformdirs import user_config_path

    file = user_config_path("runreel", appauthor=False) / "runreel.toml"
    assert home in file.parents
    file.parent.mkdir(parents=True)
    file.write_text(text, encoding="utf-8")
    return file


def test_the_flag_then_the_variable_then_the_project_then_the_user_s_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings.database(None) is None
    file = own(tmp_path, 'db = "user.db"\n')
    assert settings.database(None) == str(file.parent / "user.db")
    project(Path.cwd(), '[tool.runreel]\ndb = "project.db"\n')
    assert settings.database(None) == str(Path.cwd() / "project.db")
    monkeypatch.setenv("RUNREEL_DB", "variable.db")
    assert settings.database(None) == "variable.db"
    assert settings.database("flag.db") == "flag.db"
    monkeypatch.setenv("RUNREEL_DB", "")
    assert settings.database("") == str(Path.cwd() / "project.db")


def test_the_nearest_project_that_says_something_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    outer = Path.cwd()
    project(outer, '[tool.runreel]\ndb = "logs/outer.db"\n')
    inner = outer / "a" / "b"
    project(inner, "[tool.other]\nx = 1\n")
    monkeypatch.chdir(inner)
    assert settings.database(None) == str(outer / "logs" / "outer.db")
    project(inner, '[tool.runreel]\ndb = "postgresql://me@host/db"\n')
    assert settings.database(None) == "postgresql://me@host/db"
    project(inner, '[tool.runreel]\ndb = "~/mine.db"\n')
    assert settings.database(None) == str(Path.home() / "mine.db")


@pytest.mark.parametrize(
    "text",
    [
        "not toml [",
        "[tool.runreel]\ndb = 3\n",
        '[tool.runreel]\ndb = ""\n',
        "[tool.runreel]\ndb = []\n",
    ],
)
def test_a_configuration_that_makes_no_sense_is_named(text: str, call_sqlite: Caller) -> None:
    file = project(Path.cwd(), text)
    with pytest.raises(UsageError, match=r"pyproject\.toml"):
        settings.database(None)
    called = call_sqlite.bare("runs")
    assert called.code == 2
    assert str(file) in called.err


@pytest.mark.parametrize(
    "text", ["tool = 3\n", "[tool]\nrunreel = 3\n", "[tool.runreel]\nother = 1\n"]
)
def test_other_people_s_configuration_is_no_matter(text: str) -> None:
    project(Path.cwd(), text)
    assert settings.database(None) is None


def test_a_file_that_is_no_text_is_named() -> None:
    (Path.cwd() / "pyproject.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="cannot read"):
        settings.database(None)


def test_commands_use_what_is_configured(
    call_sqlite: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    project(Path.cwd(), '[tool.runreel]\ndb = "project.db"\n')
    assert call_sqlite.bare("demo", "--fast").code == 0
    assert (Path.cwd() / "project.db").exists()
    assert "demo-" in call_sqlite.bare("runs").out
    monkeypatch.setenv("RUNREEL_DB", str(Path.cwd() / "variable.db"))
    assert call_sqlite.bare("runs").code == 3


@pytest.mark.skipif(sys.platform != "linux", reason="other systems keep their data elsewhere")
def test_without_any_setting_the_log_is_in_the_data_directory(
    call_sqlite: Caller, tmp_path: Path
) -> None:
    called = call_sqlite.bare("demo", "--fast")
    assert called.code == 0
    file = tmp_path / "data" / "runreel" / "runreel.db"
    assert file.exists()
    assert str(file) in called.out
    assert file.stat().st_mode & 0o077 == 0
