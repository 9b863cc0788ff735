"""What only the driver of Postgres does: it replaces connections that the server has closed."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import psycopg
import pytest

from runreel.model.errors import DatabaseUnavailable
from runreel.store.database_url import parse_url
from runreel.store.drivers.errors import our_errors
from runreel.store.drivers.factory import create_driver
from runreel.store.pool import Pool

if TYPE_CHECKING:
    from runreel.store.connection import Connection

pytestmark = pytest.mark.parametrize("backend", ["postgresql"], indirect=True)


def end(connection: Connection, db_url: str) -> None:
    with psycopg.connect(db_url, autocommit=True) as other:
        pid = connection.raw.info.backend_pid
        other.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))


def test_a_connection_that_the_server_ended_is_not_lent_again(pool: Pool, db_url: str) -> None:
    held = pool.connect()
    held.close()
    end(held, db_url)
    with closing(pool.connect()) as again:
        assert again.one("SELECT 1")[0] == 1
        assert again.raw is not held.raw


def test_a_connection_that_the_server_ended_in_use_is_not_kept(pool: Pool, db_url: str) -> None:
    held = pool.connect()
    end(held, db_url)
    with pytest.raises(DatabaseUnavailable), our_errors(pool.driver.url), held.transaction():
        pass
    assert held.in_transaction, "a broken connection is as good as one in a transaction"
    held.close()
    with closing(pool.connect()) as again:
        assert again.raw is not held.raw


def test_a_connection_that_has_a_message_of_the_server_is_lent_again(
    pool: Pool, db_url: str
) -> None:
    held = pool.connect()
    held.raw.execute("LISTEN something")
    held.close()
    with psycopg.connect(db_url, autocommit=True) as other:
        other.execute("NOTIFY something")
    with closing(pool.connect()) as again:
        assert again.raw is held.raw


def test_options_of_the_url_reach_the_server(db_url: str) -> None:
    separator = "&" if "?" in db_url else "?"
    url = parse_url(f"{db_url}{separator}application_name=a%20name&connect_timeout=3")
    pool = Pool(create_driver(url, durability="full"))
    with closing(pool.connect()) as connection:
        assert connection.one("SHOW application_name")[0] == "a name"
        assert connection.one("SHOW client_encoding")[0] == "UTF8"
        assert connection.raw.autocommit
        assert connection.raw.prepare_threshold is None
    pool.dispose()


def test_no_password_is_in_an_error(db_url: str) -> None:
    url = parse_url("postgresql://me:hu%20sh@127.0.0.1:1/log?sslpassword=hu%20sh")
    pool = Pool(create_driver(url, durability="full"))
    with pytest.raises(DatabaseUnavailable) as raised, our_errors(url):
        pool.connect()
    assert "hu" not in f"{raised.value} {raised.value.hint}"
    assert "me:***@127.0.0.1:1" in str(raised.value)
