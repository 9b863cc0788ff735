"""Who gets a page, and what every answer forbids to a browser."""

from __future__ import annotations

import socket

import httpx
import psycopg
import pytest

import runreel
from runreel import LogError
from runreel.model.errors import DatabaseReadOnly
from runreel.store.database import Database
from runreel.store.database_url import READ_ONLY
from runreel.store.read_only import ReadOnlyDatabase
from runreel.web.access import Access
from tests.cli import stories
from tests.web.conftest import browsing, serving


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    with runreel.open(tmp_path_factory.mktemp("page") / "log.db") as reel:
        stories.tell_done(reel)
        yield reel


@pytest.fixture
def access(log):
    with serving(log) as found:
        yield found


def get(access, path="/", *, token=False, **headers):
    params = {"token": access.token} if token else None
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.get(access.origin + path, params=params, headers=headers)


def test_a_token_opens_the_page_once_for_one_browser(access):
    assert get(access).status_code == 401
    first = get(access, "/?status=failed", token=False)
    assert first.status_code == 401
    first = httpx.get(f"{access.origin}/?status=failed&token={access.token}")
    assert (first.status_code, first.headers["location"]) == (303, "/?status=failed")
    cookie = first.headers["set-cookie"]
    assert cookie.startswith(f"runreel-{access.port}=")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert access.token not in cookie
    assert get(access, token=True).status_code == 401
    with_cookie = httpx.Client(base_url=access.origin, cookies=first.cookies)
    with with_cookie as client:
        assert client.get("/").status_code == 200
        assert client.get("/", params={"token": access.token}).status_code == 401
        assert client.get("/").status_code == 200
    assert get(access, cookie=cookie.split(";")[0].replace("=", "=x")).status_code == 401
    assert get(access, cookie=cookie.replace(str(access.port), "1")).status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 400),
        ({"host": "127.0.0.1.evil.example:80"}, 400),
        ({"host": "127.0.0.1@evil.example"}, 400),
        ({"host": "10.0.0.1"}, 400),
        ({"host": ""}, 400),
        ({"sec_fetch_site": "cross-site"}, 403),
        ({"sec_fetch_site": "same-site"}, 403),
        ({"sec_fetch_site": "Same-Origin"}, 403),
    ],
)
def test_a_refused_request_does_not_use_the_token_up(access, headers, status):
    assert get(access, token=True, **headers).status_code == status
    assert httpx.head(f"{access.origin}/?token={access.token}").status_code == 401
    assert httpx.post(f"{access.origin}/?token={access.token}").status_code == 405
    assert get(access, "/?token=wrong").status_code == 401
    assert get(access, token=True, sec_fetch_site="none").status_code == 303


@pytest.mark.parametrize("host", ["localhost", "localhost:1", "127.0.0.1", "[::1]:80", "LOCALHOST"])
def test_the_names_of_this_machine_are_known(access, host):
    assert get(access, token=True, host=host).status_code == 303


def test_two_hosts_in_one_request_are_none(access):
    lines = f"GET /?token={access.token} HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n"
    with socket.create_connection((access.host, access.port)) as raw:
        raw.sendall(lines.encode())
        assert raw.recv(100).startswith(b"HTTP/1.1 400")
    assert get(access, token=True).status_code == 303


def test_an_address_is_no_name_that_others_could_redirect():
    shared = Access("0.0.0.0", 80, token="t" * 32)  # noqa: S104
    allowed = ("192.168.1.5:80", "[fe80::1]:80", "localhost", socket.gethostname())
    assert all(map(shared.allows_host, allowed))
    assert not any(map(shared.allows_host, ("evil.example", "", ":80", "1.2.3.4.evil", "[::1")))
    assert shared.redeem("t" * 32)
    assert shared.redeem("t" * 32)
    assert not shared.redeem("t" * 31)


def test_no_answer_lets_a_browser_run_or_keep_anything(log):
    with browsing(log) as client:
        paths = ("/", "/none", "/static/page.css", "/static/none", "/?status=none", "/?token=x")
        answers = [client.get(path) for path in paths]
        answers += [client.post("/"), client.get("/", headers={"host": "evil.example"})]
        answers += [client.get("/", headers={"sec-fetch-site": "cross-site"}), client.head("/")]
        statuses = [answer.status_code for answer in answers]
        assert statuses == [200, 404, 200, 404, 400, 401, 405, 400, 403, 200]
        for answer in answers:
            policy = answer.headers["content-security-policy"]
            assert policy == (
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
                " connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none';"
                " require-trusted-types-for 'script'"
            )
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["x-frame-options"] == "DENY"
            assert answer.headers["referrer-policy"] == "no-referrer"
            assert answer.headers["cache-control"] == "no-store"
            assert "server" not in answer.headers


# A URL of every route, and one of none.
ROUTES = (
    "/",
    "/?q=x",
    "/run?id=run-done",
    "/run/run-done",
    "/diff?a=run-done&b=run-done",
    "/usage",
    "/log",
    "/api/run/run-done/rows?after=0",
    "/api/run/run-done/event?seq=1",
    "/api/run/run-done/recording",
    "/api/rows?id=run-done&after=0",
    "/live/runs",
    "/live/run?id=run-done",
    "/live/run/run-done",
    "/static/page.css",
    "/static/run_page.js",
    "/static/vendor/uplot/uPlot.min.css",
    "/none",
)


def test_no_route_answers_whom_it_does_not_know(access):
    cookie = access.set_cookie.partition(";")[0]
    for path in ROUTES:
        assert get(access, path).status_code == 401, path
        assert get(access, path, cookie=cookie, host="evil.example").status_code == 400, path
        for site in ("cross-site", "same-site"):
            refused = get(access, path, cookie=cookie, sec_fetch_site=site)
            assert refused.status_code == 403, path
            assert "run-done" not in refused.text
        known = httpx.head(access.origin + path, headers={"cookie": cookie})
        assert known.status_code == (404 if path == "/none" else 200), path


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "X"])
def test_nothing_but_reading_is_possible(log, method):
    with browsing(log) as client:
        answer = client.request(method, "/")
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e/app.py",
        "/static/..%5capp.py",
        "/static/page.css%00",
        "/static//etc/passwd",
        "/../../etc/passwd",
        "/static/",
        "/static/vendor/../../app.py",
        "/static/vendor/..%2f..%2fapp.py",
        "/static/vendor/uplot/..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/static/%2fetc%2fpasswd",
        "/static/vendor/manifest.json",
        "/api/run/..%2f..%2fetc%2fpasswd/rows",
        "/live/run/..%2f..%2fetc%2fpasswd",
    ],
)
def test_no_path_leaves_the_folder(log, path):
    with browsing(log) as client:
        # As it is: clients resolve dots themselves.
        url = httpx.URL(str(client.base_url)).copy_with(raw_path=path.encode())
        answer = client.get(url)
        assert answer.status_code == 404
        assert "import" not in answer.text


@pytest.mark.parametrize("path", ["//evil.example/", "/%2Fevil.example/", "/%5Cevil.example"])
def test_the_token_leads_to_no_other_site(access, path):
    url = httpx.URL(access.origin).copy_with(raw_path=f"{path}?token={access.token}".encode())
    answer = httpx.get(url)
    assert answer.status_code == 303
    location = answer.headers["location"]
    assert location.startswith("/")
    assert location[1] not in "/\\"


def test_the_connections_only_read(reel):
    stories.tell_done(reel)
    database = ReadOnlyDatabase(reel.db)
    try:
        with database.reading() as connection:
            assert connection.one("SELECT count(*) FROM runs")[0] == 1
        with pytest.raises(DatabaseReadOnly), database.writing():
            pass
        with pytest.raises(DatabaseReadOnly):
            database.upgrade()
        with pytest.raises(LogError), database.reading() as connection:
            connection.execute("UPDATE runs SET model = 'x'")
    finally:
        database.close()


@pytest.mark.parametrize("backend", ["postgresql"])
def test_the_options_of_a_server_are_kept_and_a_pooler_may_refuse_ours(reel, monkeypatch):
    given = f"{reel.db.url.text}{'&' if reel.db.url.query else '?'}options=-c%20work_mem%3D77kB"
    opened, refused = psycopg.connect, []

    def connect(**arguments):
        if refused and READ_ONLY in arguments["options"]:
            refused.append(arguments["options"])
            raise psycopg.OperationalError("FATAL: unsupported startup parameter: options")
        return opened(**arguments)

    monkeypatch.setattr(psycopg, "connect", connect)
    for is_pooled, expected in ((False, "on"), (True, "off")):
        refused[:] = ["from now on"] * is_pooled
        database = ReadOnlyDatabase(Database(given))
        try:
            with database.reading() as connection:
                assert connection.one("SHOW work_mem")[0] == "77kB"
                assert connection.one("SHOW default_transaction_read_only")[0] == expected
        finally:
            database.close()
    assert len(refused) == 2
