from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import runreel
from runreel.cli import configuration
from runreel.model.errors import UsageError

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
    assert configuration.database(None) == (None, None)
    file = own(tmp_path, 'db = "user.db"\n')
    assert configuration.database(None).name == str(file.parent / "user.db")
    project(Path.cwd(), '[tool.runreel]\ndb = "project.db"\n')
    assert configuration.database(None).name == str(Path.cwd() / "project.db")
    monkeypatch.setenv("RUNREEL_DB", "variable.db")
    assert configuration.database(None).name == "variable.db"
    assert configuration.database("flag.db").name == "flag.db"


def test_the_nearest_project_that_says_something_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    outer = Path.cwd()
    project(outer, '[tool.runreel]\ndb = "logs/outer.db"\n')
    inner = outer / "a" / "b"
    project(inner, "[tool.other]\nx = 1\n")
    monkeypatch.chdir(inner)
    assert configuration.database(None).name == str(outer / "logs" / "outer.db")
    project(inner, '[tool.runreel]\ndb = "sqlite:////data/log.db"\n')
    assert configuration.database(None) == ("sqlite:////data/log.db", inner / "pyproject.toml")
    project(inner, '[tool.runreel]\ndb = "~/mine.db"\n')
    assert configuration.database(None).name == str(Path.home() / "mine.db")


@pytest.mark.parametrize(
    "text",
    [
        "not toml [",
        "[tool.runreel]\ndb = 3\n",
        '[tool.runreel]\ndb = ""\n',
        "[tool.runreel]\ndb = []\n",
        '[tool.runreel]\ndb = "postgresql:log"\n',
        '[tool.runreel]\ndb = "host=h dbname=log"\n',
        '[tool.runreel]\ndb = "~nosuchuser/log.db"\n',
    ],
)
def test_a_configuration_that_makes_no_sense_is_named(text: str, call_sqlite: Caller) -> None:
    file = project(Path.cwd(), text)
    with pytest.raises(UsageError, match=r"pyproject\.toml"):
        configuration.database(None)
    called = call_sqlite.bare("runs")
    assert called.code == 2
    assert str(file) in called.err


@pytest.mark.parametrize(
    "text", ["tool = 3\n", "[tool]\nrunreel = 3\n", "[tool.runreel]\nother = 1\n"]
)
def test_other_people_s_configuration_is_no_matter(text: str) -> None:
    project(Path.cwd(), text)
    assert configuration.database(None).name is None


def test_a_file_that_is_no_text_is_named() -> None:
    (Path.cwd() / "pyproject.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="cannot read"):
        configuration.database(None)


def test_commands_use_what_is_configured(
    call_sqlite: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    project(Path.cwd(), '[tool.runreel]\ndb = "project.db"\n')
    assert call_sqlite.bare("db", "upgrade").code == 0
    assert (Path.cwd() / "project.db").exists()
    assert call_sqlite.bare("runs").code == 0
    monkeypatch.setenv("RUNREEL_DB", str(Path.cwd() / "variable.db"))
    assert call_sqlite.bare("runs").code == 3


@pytest.mark.skipif(sys.platform != "linux", reason="other systems keep their data elsewhere")
def test_without_any_setting_the_log_is_in_the_data_directory(
    call_sqlite: Caller, tmp_path: Path
) -> None:
    called = call_sqlite.bare("db", "upgrade")
    assert called.code == 0
    file = tmp_path / "data" / "runreel" / "runreel.db"
    assert file.exists()
    assert str(file) in called.out
    assert file.stat().st_mode & 0o077 == 0


NAMES = ("", " ", "\n")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "command", [("record", "--run", "x", "--input", "-"), ("runs",), ("doctor",), ("db", "upgrade")]
)
def test_an_empty_name_is_refused_in_words_and_never_the_default_log(
    name: str, command: tuple[str, ...], call_sqlite: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    flag = call_sqlite.bare("--db", name, *command)
    assert flag.code == 2
    assert "--db is empty" in flag.err
    monkeypatch.setenv("RUNREEL_DB", name)
    variable = call_sqlite.bare(*command)
    assert variable.code == 2
    assert "RUNREEL_DB is empty" in variable.err
    with pytest.raises(UsageError, match="RUNREEL_DB is empty"):
        runreel.open()
    assert not (Path.home() / "data").exists()


@pytest.mark.parametrize(
    "name",
    [
        *("", ":memory:", "host=h dbname=log", "postgresql:log", "sqlite+pysqlcipher:///log.db"),
        *("postgresql+psycopg//bob:hunter2@h/db", "bob:hunter2@h/db", "//bob:hunter2@h/db"),
    ],
)
@pytest.mark.parametrize("command", [("demo", "--fast"), ("runs",), ("backup", "copy.db")])
def test_a_name_that_is_refused_makes_nothing_on_disk(
    name: str, command: tuple[str, ...], call_sqlite: Caller
) -> None:
    called = call_sqlite.bare("-v", "--db", name, *command)
    assert called.code in (2, 3)
    assert "hunter2" not in called.err + called.out
    assert list(Path.cwd().iterdir()) == []


def test_a_project_s_log_is_named_on_stderr_and_the_user_s_own_is_not(
    call_sqlite: Caller, tmp_path: Path
) -> None:
    file = own(tmp_path, 'db = "user.db"\n')
    assert call_sqlite.bare("db", "upgrade").code == 0
    runs = call_sqlite.bare("--db", str(file.parent / "user.db"), "runs", "--json")
    assert runs.err == ""
    project(Path.cwd(), '[tool.runreel]\ndb = "project.db"\n')
    called = call_sqlite.bare("db", "upgrade")
    assert (
        called.err == f"Log: {Path.cwd() / 'project.db'}, from {Path.cwd() / 'pyproject.toml'}.\n"
    )
    assert call_sqlite.bare("--db", "project.db", "db", "status").err == ""


SERVER = "postgresql://bob:hunter2@localhost:1/log"


def test_a_project_s_server_is_refused_unless_the_user_s_own_file_trusts_the_project(
    call_sqlite: Caller, tmp_path: Path
) -> None:
    project(Path.cwd(), f'[tool.runreel]\ndb = "{SERVER}"\n')
    refused = call_sqlite.bare("runs")
    assert refused.code == 2
    assert "trusted_projects" in refused.err
    assert "hunter2" not in refused.err
    file = own(tmp_path, 'trusted_projects = ["~/elsewhere"]\n')
    assert call_sqlite.bare("runs").code == 2
    file.write_text('trusted_projects = ["~/here"]\n', encoding="utf-8")
    tried = call_sqlite.bare("runs")
    assert tried.code == 3
    assert "Log: postgresql://bob:***@localhost:1/log, from " in tried.err
    file.write_text("trusted_projects = 3\n", encoding="utf-8")
    assert str(file) in call_sqlite.bare("runs").err


def test_the_user_s_own_file_may_name_a_server(call_sqlite: Caller, tmp_path: Path) -> None:
    own(tmp_path, f'db = "{SERVER}"\n')
    assert call_sqlite.bare("runs").code == 3


@pytest.mark.parametrize("rules", ["[]", '["card"]', '["secrets", "card"]'])
def test_a_project_adds_mask_rules_and_takes_none_away(rules: str, tmp_path: Path) -> None:
    own(tmp_path, 'mask = ["secrets", "mine"]\n')
    assert configuration.mask() == ["secrets", "mine"]
    project(Path.cwd(), f"[tool.runreel]\nmask = {rules}\n")
    assert configuration.mask() == ["secrets", "mine", *(["card"] if "card" in rules else [])]


def test_a_project_has_mask_rules_without_the_user_s_file() -> None:
    assert configuration.mask() == []
    project(Path.cwd(), '[tool.runreel]\nmask = ["card"]\n')
    assert configuration.mask() == ["card"]
