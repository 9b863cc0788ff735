"""``keygen``, ``checkpoint``, ``verify --checkpoint``, ``backup`` and ``doctor``."""

from __future__ import annotations

import os
import stat
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import runreel
from tests.audit import forging
from tests.cli import stories
from tests.cli.calls import PROGRAM
from tests.cli.shapes import validate

if TYPE_CHECKING:
    from tests.cli.calls import Called, Caller


def sign(call: Caller, *more: str, key: str = "audit.key", out: str = "shelf") -> Called:
    return call("checkpoint", "--key", key, "--out", out, *more)


def verify(call: Caller, *more: str, key: str = "audit.key.pub", at: str = "shelf") -> Called:
    return call("verify", "--checkpoint", at, "--public-key", key, *more)


@pytest.fixture
def keyed(told: Caller) -> Caller:
    """A log with a run of every kind, and beside it a key and a place for checkpoints."""
    told.good("keygen", "audit.key")
    Path("shelf").mkdir()
    return told


def test_a_key_is_made_and_its_id_told(call_sqlite: Caller) -> None:
    made = call_sqlite.good("keygen", "audit.key", "--json").json
    validate(made, "keygen")
    assert (made["file"], made["public_file"], made["passphrase"]) == (
        "audit.key",
        "audit.key.pub",
        False,
    )
    assert stat.S_IMODE(Path("audit.key").stat().st_mode) == 0o600
    again = call_sqlite("keygen", "audit.key")
    assert (again.code, again.out) == (2, "")
    assert "already exists" in again.err
    shown = call_sqlite.good("keygen", "other.key").out
    assert [line.split("  ")[0] for line in shown.splitlines()] == [
        "Key",
        "Private key",
        "Public key",
    ]
    assert not Path(call_sqlite.url).exists(), "a key has nothing to do with the log"


def test_checkpoints_are_made_and_verified(keyed: Caller) -> None:
    first = sign(keyed, "--json").json
    validate(first, "checkpoint")
    assert (first["file"], first["number"], first["kind"], first["runs"]) == (
        "shelf/checkpoint-000001.txt",
        1,
        "full",
        4,
    )
    shown = sign(keyed).out
    assert "shelf/checkpoint-000002.txt" in shown
    assert "changes" in shown

    verified = verify(keyed, "--json")
    assert verified.code == 0, verified.out
    validate(verified.json, "verify")
    assert verified.json["checkpoints"] == {"checkpoints": 2, "runs": 4, "pruned": 0}
    assert "2 checkpoints, 4 run heads compared." in verify(keyed).err
    assert keyed.good("verify", "--json").json["checkpoints"] is None


def test_what_verify_alone_does_not_see_checkpoints_show(keyed: Caller) -> None:
    sign(keyed)
    with runreel.open(keyed.url) as reel:
        stories.tell_done(reel, "run-later")
        reel.recording("open-run").append(stories.partial("Well then"))
        forging.cut(reel, "run-failed")
        forging.cut(reel, "run-plain", 2)
        reel.rebuild()
        reguard(reel)
    assert keyed("verify").code == 0
    caught = verify(keyed, "--json")
    assert caught.code == 1
    assert [(found["run_id"], found["what"]) for found in caught.json["findings"]] == [
        ("run-failed", "deleted"),
        ("run-plain", "truncated"),
    ]
    assert "run-failed" in verify(keyed).out
    refused = sign(keyed)
    assert refused.code == 1
    assert "run-failed (deleted)" in refused.err


def reguard(reel: runreel.Reel) -> None:
    """Put the guards back that a forger took away, as a clever one would."""
    from runreel.store.schema import migrations

    with reel.db.writing() as connection:
        if connection.driver.url.postgres:
            for (name,) in connection.all(
                "SELECT tgname FROM pg_trigger WHERE tgrelid = 'events'::regclass"
                " AND NOT tgisinternal"
            ):
                connection.execute(f"ALTER TABLE events ENABLE ALWAYS TRIGGER {name}")
            return
        ddl = migrations.ddl(reel.db.url)
        for piece in ddl.split("CREATE TRIGGER ")[1:]:
            connection.execute("CREATE TRIGGER " + piece.split("\nEND")[0] + "\nEND")


def test_forged_checkpoints_are_findings(keyed: Caller) -> None:
    sign(keyed)
    place = Path("shelf/checkpoint-000001.txt")
    place.write_bytes(place.read_bytes().replace(b'"run-plain"', b'"run-plaim"'))
    told = verify(keyed, "--json")
    assert told.code == 1
    (found,) = told.json["findings"]
    assert (found["what"], found["run_id"]) == ("checkpoint", None)
    keyed.good("keygen", "other.key")
    assert verify(keyed, key="other.key.pub").code == 1


def test_checkpoint_and_key_go_together(keyed: Caller) -> None:
    sign(keyed)
    for arguments in (
        ("verify", "--checkpoint", "shelf"),
        ("verify", "--public-key", "audit.key.pub"),
        ("verify", "run-done", "--checkpoint", "shelf", "--public-key", "audit.key.pub"),
        ("verify", "--checkpoint", "nowhere", "--public-key", "audit.key.pub"),
        ("verify", "--checkpoint", "shelf", "--public-key", "audit.key"),
    ):
        told = keyed(*arguments)
        assert (told.code, told.out) == (2, ""), told.err


def test_the_key_is_passed_on(keyed: Caller) -> None:
    sign(keyed)
    keyed.good("keygen", "new.key")
    assert sign(keyed, key="new.key").code == 2
    passing = sign(keyed, "--next-key", "new.key.pub", "--json").json
    assert passing["next_key_id"]
    last = sign(keyed, "--json", key="new.key").json
    assert (last["number"], last["kind"], last["key_id"]) == (3, "full", passing["next_key_id"])
    assert verify(keyed).code == 0
    assert verify(keyed, key="new.key.pub", at=last["file"]).code == 0
    assert verify(keyed, key="new.key.pub").code == 1


def test_a_passphrase_comes_from_a_file_or_the_environment(
    keyed: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("word").write_bytes("пароль\r\nmore\n".encode())
    assert keyed.good("keygen", "locked.key", "--passphrase-file", "word", "--json").json[
        "passphrase"
    ]
    asked = sign(keyed, key="locked.key")
    assert asked.code == 2
    assert "has a passphrase" in asked.err
    assert sign(keyed, "--passphrase-file", "word", key="locked.key").code == 0
    monkeypatch.setenv("RUNREEL_KEY_PASSPHRASE", "пароль")
    assert sign(keyed, key="locked.key").code == 0
    monkeypatch.setenv("RUNREEL_KEY_PASSPHRASE", "wrong")
    assert "wrong passphrase" in sign(keyed, key="locked.key").err
    assert keyed("keygen", "x.key", "--passphrase-file", "nowhere").code == 2
    monkeypatch.delenv("RUNREEL_KEY_PASSPHRASE")
    assert "no terminal" in keyed("keygen", "x.key", "--passphrase").err
    assert not Path("x.key").exists()


def test_a_passphrase_is_asked_for_where_nobody_sees_it(keyed: Caller) -> None:
    made = typed(["keygen", "locked.key", "--passphrase"], "sesame", "sesame")
    assert "Passphrase: " in made
    assert "sesame" not in made
    assert (
        typed(["keygen", "x.key", "--passphrase"], "one", "two").count("the passphrases differ")
        == 1
    )
    assert not Path("x.key").exists()
    told = typed(
        ["--db", keyed.url, "checkpoint", "--key", "locked.key", "--out", "shelf"], "sesame"
    )
    assert "checkpoint-000001.txt" in told
    assert "sesame" not in told


def typed(arguments: list[str], *lines: str) -> str:
    """What a terminal shows of the program while these lines are typed."""
    ours, theirs = os.openpty()
    child = subprocess.Popen(
        [*PROGRAM, *arguments], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    shown, left = b"", list(lines)
    while True:
        try:
            piece = os.read(ours, 4096)
        except OSError:
            break
        shown += piece
        if left and piece.endswith(b": "):
            os.write(ours, left.pop(0).encode() + b"\n")
    os.close(ours)
    child.wait(timeout=60)
    return shown.decode()


def test_a_key_that_others_can_read_is_noted(keyed: Caller) -> None:
    Path("audit.key").chmod(0o644)
    told = sign(keyed)
    assert told.code == 0
    assert "chmod 600 audit.key" in told.err


def test_a_checkpoint_needs_a_log_and_a_new_file(keyed: Caller, tmp_path: Path) -> None:
    sign(keyed)
    taken = sign(keyed, out="shelf/checkpoint-000001.txt")
    assert (taken.code, taken.out) == (2, "")
    told = keyed.bare(
        *("--db", str(tmp_path / "none.db"), "checkpoint", "--key", "audit.key", "--out", "new")
    )
    assert told.code == 3
    assert not Path("new").exists()


def test_a_backup_is_made_and_counted(told: Caller, backend: str) -> None:
    made = told("backup", "copy.db", "--json")
    if backend == "postgresql":
        assert (made.code, made.out) == (2, "")
        assert "pg_dump" in made.err
        return
    assert made.code == 0, made.err
    validate(made.json, "backup")
    assert made.json["wrong"] == 0
    assert made.json["runs"] == 4
    listed = told.good("runs", "--json").json["items"]
    assert told.bare("--db", "copy.db", "runs", "--json").json["items"] == listed
    assert told.bare("--db", "copy.db", "verify").code == 0
    assert told("backup", "copy.db").code == 2
    assert "Events" in told.good("backup", "again.db").out


def test_a_backup_of_a_log_that_is_not_intact_exits_with_1(told_sqlite: Caller) -> None:
    with runreel.open(told_sqlite.url) as reel:
        forging.cut(reel, "run-done", 3)
    made = told_sqlite("backup", "copy.db")
    assert made.code == 1
    assert "runreel verify" in made.err
    assert Path("copy.db").exists()


def test_the_doctor_tells_what_to_do(told: Caller, backend: str) -> None:
    found = told("doctor", "--json")
    validate(found.json, "doctor")
    items = {item["check"]: item for item in found.json["items"]}
    bad = any(item["verdict"] == "bad" for item in items.values())
    assert found.code == int(bad)
    assert items["schema"]["verdict"] == "ok"
    assert items["schema"]["advice"] is None
    lines = told("doctor", "-o", "jsonl").lines
    for line in lines:
        validate(line, "check")
    assert [line["check"] for line in lines] == list(items)
    shown = told("doctor").out
    assert shown.splitlines()[0].split() == ["CHECK", "VERDICT", "FOUND", "WHAT", "TO", "DO"]

    with runreel.open(told.url) as reel:
        forging.unguard(reel)
    assert told("doctor").code == 1


def test_the_doctor_says_that_there_is_nothing_to_look_at(call_sqlite: Caller) -> None:
    told = call_sqlite("doctor", "--json")
    assert told.code == 3
    (check,) = told.json["items"]
    assert (check["check"], check["verdict"]) == ("database", "bad")
    assert not Path(call_sqlite.url).exists()
    far = call_sqlite.bare("--db", "postgresql://me:hush@127.0.0.1:1/log", "doctor")
    assert far.code == 3
    assert "hush" not in far.out + far.err
