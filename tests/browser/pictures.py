"""The pictures of the pages in the documentation: ``python -m tests.browser.pictures``.

Browsers draw the same page with other fonts in other places, so no picture is compared. Beside them
stands what the browser loaded for each, and a digest of it; a test loads the same again.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import httpx
import pytest

import runreel
from tests.browser import chromium, picture_log
from tests.browser.visits import Visits
from tests.cli.calls import clean_environment
from tests.docs.checkout import CHECKOUT
from tests.web.conftest import serving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from runreel.web.access import Access

FOLDER = CHECKOUT / "docs/pictures"
MANIFEST = FOLDER / "pages.json"
# Bytes of all pictures together.
MOST = 200_000
_QUALITY = 60
# Times of today, and what differs from one process to the next.
_OWN = re.compile(
    r"(?!2025-)20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d[.\d]*(?:Z|[+-]\d\d:\d\d)?"
    r"|(?<=host )\S+ pid \S+ started \d+"
)


class Picture(NamedTuple):
    """A page to draw: its URL, how it is looked at, and what is done before."""

    path: str
    theme: str = "light"
    size: tuple[int, int] = (1100, 800)


PICTURES = {
    "run-light": Picture(f"/run/{picture_log.RUN}?seq=40"),
    "run-dark": Picture(f"/run/{picture_log.RUN}?seq=40", "dark"),
    "runs": Picture("/"),
    "usage": Picture("/usage"),
    "diff": Picture(f"/diff?a={picture_log.OTHER}&b={picture_log.RUN}", "dark"),
}


@contextmanager
def served() -> Iterator[Access]:
    """Serve the log of the pictures, to someone without settings."""
    with tempfile.TemporaryDirectory() as folder, clean(Path(folder)):
        log = Path(folder) / "log.db"
        picture_log.record(log)
        with runreel.open(log) as reel, serving(reel) as access:
            yield access


@contextmanager
def clean(home: Path) -> Iterator[None]:
    """Use a home directory without files, and UTC."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        for name, value in clean_environment(home).items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
        yield


def digest(access: Access, paths: list[str]) -> str:
    """Return the digest of what the server answers for these paths."""
    found = hashlib.sha256()
    cookie = access.set_cookie.partition(";")[0]
    with httpx.Client(base_url=access.origin, headers={"Cookie": cookie}, timeout=30) as client:
        for path in paths:
            answer = client.get(path)
            answer.raise_for_status()
            found.update(f"{path}\n{_OWN.sub('', answer.text)}\n".encode())
    return found.hexdigest()


def _draw(visits: Visits, access: Access, picture: Picture) -> tuple[bytes, list[str]]:
    """Return a picture, and the paths that the browser loaded for it."""
    visit = visits(access, theme=picture.theme, size=picture.size, reduced_motion="reduce")
    page: Page = visit.page
    loaded: set[str] = set()
    kinds = ("document", "stylesheet", "script", "fetch", "xhr")

    def on_finished(request: Any) -> None:
        parts = urlsplit(request.url)
        if request.resource_type in kinds and parts.scheme == "http":
            loaded.add(parts._replace(scheme="", netloc="").geturl())

    page.on("requestfinished", on_finished)
    visit.goto(picture.path)
    page.wait_for_load_state("load")
    page.wait_for_timeout(500)
    session = page.context.new_cdp_session(page)
    shot = session.send("Page.captureScreenshot", {"format": "webp", "quality": _QUALITY})
    return base64.b64decode(shot["data"]), sorted(loaded)


def write(path: str) -> None:
    """Write the pictures whose pages are not what they were, with the browser at ``path``."""
    known = json.loads(MANIFEST.read_text("utf-8")) if MANIFEST.exists() else {}
    browser = chromium.Chromium(path)
    try:
        with served() as access:
            visits = browser.call(lambda: Visits(browser.browser))
            for name, picture in PICTURES.items():
                data, paths = browser.call(lambda picture=picture: _draw(visits, access, picture))
                entry = {"loaded": paths, "digest": digest(access, paths)}
                if known.get(name) != entry or not file(name).exists():
                    file(name).write_bytes(data)
                    known[name] = entry
                    print(file(name).relative_to(CHECKOUT), len(data), "bytes")
            wrong = visits.wrong()
            browser.call(visits.close)
    finally:
        browser.close()
    assert wrong == []
    kept = {name: known[name] for name in PICTURES}
    MANIFEST.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


def file(name: str) -> Path:
    """Return the file of a picture."""
    return FOLDER / f"page-{name}.webp"


if __name__ == "__main__":
    found = chromium.find()
    if found is None:
        raise SystemExit(chromium.ADVICE)
    write(found)
