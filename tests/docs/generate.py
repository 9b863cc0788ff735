"""Writes the generated parts of the documentation: ``python -m tests.docs.generate``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.docs import cli_page, json_page, pictures, python_page, schema_page
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
PICTURE = "pictures/terminal.svg"


def main() -> None:
    """Write every page and picture."""
    for name, render in {**PAGES, PICTURE: pictures.render}.items():
        path = DOCS / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(render(), encoding="utf-8")
        print(path.relative_to(CHECKOUT))


if __name__ == "__main__":
    main()
