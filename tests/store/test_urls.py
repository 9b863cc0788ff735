"""URLs of databases: what they say, and that none is ever printed with a password."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import URL, make_url

from runreel.store.urls import Url, may_create, parse_url, shown, sqlite_path

PARTS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=9)
HOSTS = st.sampled_from(["host", "10.0.0.1", "::1", "db.example.com"])


@st.composite
def servers(draw: st.DrawFn) -> URL:
    """URLs of Postgres."""
    user = draw(st.none() | PARTS)
    return URL.create(
        "postgresql+psycopg",
        username=user,
        password=None if user is None else draw(st.none() | PARTS),
        host=draw(HOSTS),
        port=draw(st.none() | st.integers(1, 65_535)),
        database=draw(st.none() | PARTS),
        query=draw(st.dictionaries(st.sampled_from(["host", "sslmode", "options"]), PARTS)),
    )


@given(servers(), st.sampled_from(["postgresql", "postgres", "postgresql+psycopg"]))
def test_a_server_is_what_the_url_says_whatever_driver_it_names(theirs: URL, scheme: str) -> None:
    told = theirs.set(drivername=scheme).render_as_string(hide_password=False)
    ours = parse_url(told)
    assert ours.postgres
    assert ours.alchemy == theirs
    assert make_url(ours.text) == theirs.set(drivername="postgresql")
    assert parse_url(ours.text) == ours


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:hu%20sh@host/log",
        "postgresql://me@host/log?password=hu%20sh",
        "postgresql://me@host/log?sslpassword=hu%20sh&sslmode=require",
    ],
)
def test_no_password_is_printed(url: str) -> None:
    told = parse_url(url)
    for text in (shown(told), repr(told), f"{told}"):
        assert "hu" not in text
        assert "***" in text
    assert "hu" in told.text


@pytest.mark.parametrize("text", ["a b/log.db", "sqlite:///a b/log.db", "sqlite+x:///a b/log.db"])
def test_a_file_is_named_by_a_path_or_a_url(text: str) -> None:
    url = parse_url(text)
    assert url == Url("a b/log.db")
    assert str(sqlite_path(url)) == shown(url) == "a b/log.db"
    assert may_create(url)


def test_a_file_may_be_told_how_it_is_opened() -> None:
    url = parse_url("sqlite:///file:/data/a%20b.db?mode=ro&uri=true")
    assert str(sqlite_path(url)) == "/data/a b.db"
    assert not may_create(url)
    assert may_create(replace(url, query=(("uri", "true"),)))
    assert parse_url(url.text) == url
