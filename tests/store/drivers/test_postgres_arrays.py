"""Arrays for Postgres: what the server reads of them is what went in."""

from __future__ import annotations

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runreel.store.drivers.postgres.arrays import array
from tests.strategies import INT64, SOME

ITEMS = {
    "bigint": INT64,
    "text": st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",))),
    "bytea": st.binary(),
}


@pytest.fixture(scope="module")
def connection(postgres_url):
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize("type_", ITEMS)
@SOME
@given(data=st.data())
def test_the_server_reads_what_went_in(connection, type_, data):
    items = data.draw(st.lists(ITEMS[type_] | st.none()) | st.lists(ITEMS[type_]))
    sql = f"SELECT $1::{type_}[] IS NOT DISTINCT FROM $2::{type_}[]"
    stored = connection.execute(f"SELECT %s::{type_}[]::text", (items,)).fetchone()[0]
    read = connection.pgconn.exec_params(
        sql.encode(), [array(type_, items), stored.encode()], param_formats=[1, 0]
    )
    assert read.get_value(0, 0) == b"t"
