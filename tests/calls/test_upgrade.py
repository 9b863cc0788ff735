"""A log of an earlier revision: its runs can be continued at once, and a rebuild adds the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import runreel
from runreel.store.database import Database
from runreel.store.projections import run_key_queries
from tests.calls.hook import CHAT, ask, chat, chat_calls, user
from tests.store.test_schema import upgraded_to

if TYPE_CHECKING:
    from pathlib import Path

ROW = {
    "run_id": "resp_1",
    "source": "openai-responses",
    "status": "COMPLETED",
    "recording": "closed",
    "response_id": "resp_2",
    "started_at": 5,
    "events": 1,
    "projected_seq": 9,
}


@pytest.fixture
def old_url(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """A log of revision 0004."""
    url = str(tmp_path / "old.db")
    if backend == "postgresql":
        url = request.getfixturevalue("empty_postgres")
    upgraded_to(url, "0004")
    return url


def test_the_last_response_of_a_run_is_found_after_the_upgrade(old_url, monkeypatch):
    from runreel.store.schema import migrations

    monkeypatch.setattr(migrations, "HEAD", "0004")
    database = Database(old_url)
    columns = ", ".join((*ROW, "result"))
    with database.writing() as connection:
        connection.execute(
            f"INSERT INTO runs ({columns}) VALUES ({', '.join('?' * (len(ROW) + 1))})",
            (*ROW.values(), b""),
        )
    database.close()
    monkeypatch.undo()
    database = Database(old_url)
    database.upgrade()
    with database.reading() as connection:
        found = run_key_queries.run_of_response(connection, "openai-responses", "resp_2")
    assert found == "resp_1"
    database.close()


def test_a_rebuild_adds_the_keys(db_url):
    with runreel.open(db_url) as reel:
        run_id = ask(reel, CHAT, chat(user("Hi")), chat_calls("one", ("call_a", "f", "{}")))
        with reel.db.writing() as connection:
            kept = connection.all("SELECT * FROM run_keys ORDER BY kind")
            connection.execute("DELETE FROM run_keys")
        assert [key[0] for key in kept] == ["call", "request", "response"]
        (wrong,) = reel.rebuild(check=True)
        assert (wrong.run_id, wrong.column) == (run_id, "keys")
        reel.rebuild()
        with reel.db.reading() as connection:
            assert connection.all("SELECT * FROM run_keys ORDER BY kind") == kept
        assert reel.rebuild(check=True) == []
        with reel.db.writing() as connection:
            connection.execute("UPDATE run_keys SET run_id = 'gone' WHERE kind = 'call'")
        assert {one.run_id for one in reel.rebuild(check=True)} == {run_id, "gone"}
        reel.rebuild()
        assert reel.rebuild(check=True) == []
