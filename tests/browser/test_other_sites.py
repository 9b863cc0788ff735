"""A page of another site in the same browser reads nothing, though it shares the cookies."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

REFUSED = "Requests from other sites are refused.\n"
ASKS = """<!doctype html><title>Another site</title>
<img src="{url}"><script src="{url}static/page.css"></script><iframe src="{url}"></iframe>
<form action="{url}"><input type="hidden" name="status" value="failed"><button>Send</button></form>
<a href="{url}">Follow</a>
<script>
  const asked = ["no-cors", "cors"].map((mode) => fetch("{url}", {{mode, credentials: "include"}}));
  Promise.allSettled(asked).then((all) => {{
    document.body.append(Object.assign(document.createElement("p"), {{
      id: "read", textContent: all.map((one) => one.value ? one.value.type : "blocked").join(" "),
    }}));
  }});
</script>"""


@pytest.fixture
def other_site(site):
    """Another server of this machine: for a browser, one of the same site with the same cookies."""

    class Handler(BaseHTTPRequestHandler):
        cookies: list[str | None] = []  # noqa: RUF012

        def do_GET(self):
            self.cookies.append(self.headers["Cookie"])
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(ASKS.format(url=f"{site.origin}/").encode())

        def log_message(self, *given):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/", Handler.cookies
        server.shutdown()
        thread.join()


def test_another_site_reads_nothing(visit, site, other_site):
    url, cookies = other_site
    opened = visit(site)
    opened.goto("/")
    # What this page asks for itself ends here.
    opened.page.goto("about:blank")
    answers = []
    opened.page.on("response", lambda answer: answers.append((answer.url, answer.status)))
    # Of a machine's ports, each is another origin of the same site.
    for host in ("127.0.0.1", "localhost"):
        answers.clear()
        page = opened.page
        page.goto(url.replace("127.0.0.1", host))
        assert page.locator("#read").inner_text() == "blocked blocked"
        page.get_by_role("link", name="Follow").click()
        assert page.locator("body").inner_text() == REFUSED
        page.go_back()
        page.get_by_role("button", name="Send").click()
        assert page.locator("body").inner_text() == REFUSED
        ours = [status for asked, status in answers if asked.startswith(site.origin)]
        assert len(ours) >= 3
        assert set(ours) == {403}
    # The cookie was there to be sent.
    assert any(f"runreel-{site.port}=" in (cookie or "") for cookie in cookies)
    opened.goto("/")
    opened.requests.clear()
    opened.forgive("403|CORS|ERR_|^Framing|favicon")
