"""The design page shows the packages as the import contract has them."""

from __future__ import annotations

import re
import tomllib

from tests.docs.checkout import CHECKOUT

PAGE = (CHECKOUT / "docs/design.md").read_text("utf-8")
SOURCE = CHECKOUT / "src/runreel"


def _contract() -> list[list[str]]:
    settings = tomllib.loads((CHECKOUT / "pyproject.toml").read_text("utf-8"))
    (layers,) = (
        contract["layers"]
        for contract in settings["tool"]["importlinter"]["contracts"]
        if contract["type"] == "layers"
    )
    return [sorted(layer.split(" | ")) for layer in layers]


def _table() -> list[list[str]]:
    section = PAGE.split("\n## Layers\n")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (`[^|]+) \|", section, re.MULTILINE)
    return [sorted(re.findall(r"`(\w+)`", cell)) for cell in cells]


def test_the_layers_are_those_of_the_import_contract() -> None:
    assert _table() == _contract()


def test_every_module_that_the_page_names_exists() -> None:
    named = set(re.findall(r"`(\w+(?:/\w+)*\.py)`", PAGE))
    assert len(named) > 20
    assert [name for name in sorted(named) if not _exists(name)] == []


def _exists(name: str) -> bool:
    return (SOURCE / name).is_file() or ("/" not in name and any(SOURCE.rglob(name)))
