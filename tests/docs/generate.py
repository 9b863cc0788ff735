"""Writes the generated pages and the module of column names: ``python -m tests.docs.generate``."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from tests.browser import chromium
from tests.browser import pictures as page_pictures
from tests.docs import (
    cli_page,
    columns_file,
    json_page,
    pictures,
    python_page,
    schema_page,
    stepper_picture,
)
from tests.docs.checkout import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Callable

DOCS = CHECKOUT / "docs"

PAGES: dict[str, Callable[[], str]] = {
    "reference/cli.md": cli_page.render,
    "reference/json.md": json_page.render,
    "reference/python.md": python_page.render,
    "reference/schema.md": schema_page.render,
}
PICTURES: dict[str, Callable[[], str]] = {
    "pictures/terminal.svg": pictures.render,
    "pictures/stepper.svg": stepper_picture.render,
}
COLUMNS = CHECKOUT / "src/runreel/model/columns.py"


def main() -> None:
    """Write everything that is generated."""
    columns = columns_file.render()
    if COLUMNS.read_text("utf-8") != columns:
        COLUMNS.write_text(columns, encoding="utf-8")
        # The pages need the new columns, and this process has imported the old ones.
        subprocess.run([sys.executable, "-m", "tests.docs.generate"], check=True)
        return
    for name, render in {**PAGES, **PICTURES}.items():
        path = DOCS / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(render(), encoding="utf-8")
        print(path.relative_to(CHECKOUT))
    browser = chromium.find()
    if browser is None:
        print(f"The pictures of pages stay as they are: {chromium.ADVICE}")
    else:
        page_pictures.write(browser)


if __name__ == "__main__":
    main()
