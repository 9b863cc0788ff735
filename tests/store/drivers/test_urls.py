"""URLs of databases: what they say, and that none is ever printed with a password."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import URL, make_url

from runreel.model.errors import BadDatabaseUrl
from runreel.store.database_url import Url, may_create, parse_url, shown, sqlite_path

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
    assert make_url(ours.text) == theirs.set(drivername="postgresql")
    assert parse_url(ours.text) == ours
    parameters = theirs.translate_connect_args(username="user", database="dbname")
    assert ours.arguments == parameters | dict(theirs.query)


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


@pytest.mark.parametrize(
    "text", ["a b/log.db", "sqlite:///a b/log.db", "sqlite+pysqlite:///a b/log.db"]
)
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


PASSWORD = "hunter2"  # noqa: S105 - nobody has it
USER_PARTS = ("postgresql+psycopg", "postgresql", "postgres", "sqlite", "mysql", "log", "")
SEPARATORS = ("://", ":/", ":", "//", "")
CREDENTIALS = (f"bob:{PASSWORD}@h/db", f"bob:{PASSWORD}@h:5432/db", f":{PASSWORD}@h/db")


@pytest.mark.parametrize("credentials", CREDENTIALS)
@pytest.mark.parametrize("separator", SEPARATORS)
@pytest.mark.parametrize("scheme", USER_PARTS)
def test_credentials_are_of_a_server_or_refused_and_never_a_path(
    scheme: str, separator: str, credentials: str
) -> None:
    try:
        url = parse_url(f"{scheme}{separator}{credentials}")
    except BadDatabaseUrl as error:
        assert PASSWORD not in f"{error} {error.hint}"
        assert error.__cause__ is None
    else:
        assert url.postgres
        assert PASSWORD not in shown(url)


@given(servers(), st.data())
def test_a_url_that_lost_a_character_of_its_head_is_never_a_file(
    theirs: URL, data: st.DataObject
) -> None:
    text = theirs.render_as_string(hide_password=False)
    lost = data.draw(st.integers(len("postgresql"), text.index("://") + 2))
    broken = text[:lost] + text[lost + 1 :]
    try:
        assert parse_url(broken).postgres
    except BadDatabaseUrl as error:
        password = theirs.password
        assert not isinstance(password, str) or len(password) < 5 or password not in str(error)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "\n", ":memory:", "file::memory:", "sqlite://", "sqlite:///:memory:"),
        *("sqlite+pysqlcipher:///log.db", "sqlite+pysqlcipher://:pw@/log.db", "sqlite:log.db"),
        *("sqlite:/log.db", "sqlite//log.db", "file:log.db?mode=ro", "postgresql+odd://h/log"),
        *("host=h dbname=log", "dbname = log", "service=log", "user=me password=x", "port=1"),
        *("postgresql:log", "postgres:log", "postgresql:/h/log", "postgresql//h/log"),
        *("h:5432/log", "//me@h/log", "postgresql+psycopg/h/log", "mysql://h/log", "log\n.db"),
        *("log\0.db", "~nosuchuser/log.db", "log\ud800.db", "postgresql://h/\udcff"),
        *("postgresql://h1:x,h2/log", "postgresql://me:a@b@h1,h2/log", "postgresql://h:x/log"),
    ],
)
def test_what_is_neither_a_path_nor_a_url_is_refused(text: str) -> None:
    with pytest.raises(BadDatabaseUrl):
        parse_url(text)


@pytest.mark.parametrize(
    "path", ["log", "a=b.db", "a/b:c.db", "./sqlite:log.db", "/data/a:b@c/log.db", "../host=h"]
)
def test_a_path_may_hold_what_a_url_has_where_it_cannot_be_one(path: str) -> None:
    url = parse_url(path)
    assert str(sqlite_path(url)) == path.removeprefix("./")


@given(st.sampled_from(["log.db", "sqlite:///log.db", "postgresql:///log"]), st.text("\r\n"))
def test_a_line_break_at_the_end_is_not_part_of_the_name(text: str, end: str) -> None:
    assert parse_url(text + end) == parse_url(text)


LIBPQ_HOSTS = st.sampled_from(["", "h1", "10.0.0.1", "::1", "/var/run/postgresql", "@socket"])


@given(
    st.lists(st.tuples(LIBPQ_HOSTS, st.none() | st.integers(1, 65_535)), min_size=1, max_size=4),
    st.sampled_from(["me@", "me:p%40w@", ""]),
)
def test_servers_are_what_libpq_reads(hosts: list[tuple[str, int | None]], user: str) -> None:
    listed = ",".join(
        (f"[{host}]" if ":" in host else quote(host, safe=""))
        + (f":{port}" if port is not None else "")
        for host, port in hosts
    )
    text = f"postgresql://{user}{listed}/log"
    theirs = conninfo_to_dict(text)
    ours = parse_url(text).arguments
    for key in ("host", "port", "user", "password", "dbname"):
        blank = str(theirs.get(key, "")).strip(",") == ""
        assert blank or str(ours.get(key, "")) == theirs[key], key
    assert parse_url(parse_url(text).text) == parse_url(text)
