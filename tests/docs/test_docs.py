"""The documentation says what the program does."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

import click
import pytest

from runreel.cli.main import root
from runreel.codec.source_protocol import RunMetadata
from runreel.model import columns
from runreel.model.events import EventRow
from runreel.model.runs import PLAIN_COLUMNS
from runreel.sources import SOURCES
from runreel.store import database_url
from tests.docs import columns_file, generate, pictures, python_page
from tests.docs.checkout import CHECKOUT
from tests.docs.snippets import Runner, agree, blocks, commands

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DOCS = CHECKOUT / "docs"
POSTGRES = "postgresql://me@db.example/log"
# What may stand before a call, and the call up to what ends it.
_CALL = re.compile(r"(?:^|[|;&(]\s*|^\w+=\S+ )runreel\b([^|;&()>#]*)")
WRITTEN = sorted(
    path.relative_to(DOCS).as_posix()
    for path in DOCS.rglob("*.md")
    if path.relative_to(DOCS).as_posix() not in generate.PAGES
)
_BLOCKS = {name: list(blocks((DOCS / name).read_text("utf-8"))) for name in WRITTEN}
WITH_SNIPPETS = [
    name
    for name, found in _BLOCKS.items()
    if {block.language for block in found} & {"python", "console"}
]
# Those that open a log on Postgres.
SERVED = [
    name
    for name in WITH_SNIPPETS
    if any(POSTGRES in block.text for block in _BLOCKS[name] if block.language != "sh")
]


def _pages() -> dict[str, str]:
    pages = {path.relative_to(CHECKOUT).as_posix(): path for path in DOCS.rglob("*.md")}
    pages["README.md"] = CHECKOUT / "README.md"
    return {name: path.read_text("utf-8") for name, path in sorted(pages.items())}


def _called(line: str) -> Iterator[list[str]]:
    """The words of each call of runreel in a line of shell."""
    for words in _CALL.findall(line):
        yield shlex.split(words)


def _shell_lines(page: str) -> Iterator[str]:
    for language, _, text in blocks(page):
        if language == "console":
            yield from (command.line for command in commands(text))
        elif language == "sh":
            yield from text.replace("\\\n", " ").splitlines()


@pytest.mark.parametrize("name", generate.PAGES)
def test_a_generated_page_is_what_the_code_says(name: str) -> None:
    hint = "run python -m tests.docs.generate"
    assert (DOCS / name).read_text("utf-8") == generate.PAGES[name](), hint


def test_the_columns_in_the_code_are_those_of_the_tables() -> None:
    hint = "run python -m tests.docs.generate"
    assert generate.COLUMNS.read_text("utf-8") == columns_file.render(), hint
    assert EventRow._fields == columns.EVENTS
    after = columns.RUNS.index("call_usage") + 1
    assert columns.RUNS[after:] == PLAIN_COLUMNS
    assert set(PLAIN_COLUMNS) <= set(RunMetadata._fields)


@pytest.mark.parametrize("name", generate.PICTURES)
def test_a_picture_says_what_the_commands_print(name: str) -> None:
    svg = (DOCS / name).read_text("utf-8")
    assert pictures.words(svg) == pictures.words(generate.PICTURES[name]())
    assert "@font-face" not in svg


def test_the_reference_of_names_has_a_chapter_for_every_name() -> None:
    assert python_page.chapters_cover_everything()


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.postgres] if name in SERVED else [])
        for name in WITH_SNIPPETS
    ],
)
def test_the_snippets_of_a_page_run(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    page = (DOCS / name).read_text("utf-8")
    meant, printed = {"CHECKOUT": str(CHECKOUT)}, {}
    if name in SERVED:
        meant[POSTGRES] = request.getfixturevalue("empty_postgres")
        printed = {database_url.shown(database_url.parse_url(meant[POSTGRES])): POSTGRES}
    Runner(tmp_path, meant=meant, printed=printed).run(page)


@pytest.mark.parametrize("name", _pages())
def test_the_commands_on_a_page_are_commands(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The files of the examples need not be there, but a configuration may name reports.
    monkeypatch.setattr(click.Path, "convert", lambda *arguments: arguments[1])
    monkeypatch.chdir(tmp_path)
    saved = [block.text for block in blocks(_pages()[name]) if block.file == "pyproject.toml"]
    saved.append("[tool.runreel.reports.monthly]\n")
    (tmp_path / "pyproject.toml").write_text("\n".join(saved), "utf-8")
    for line in _shell_lines(_pages()[name]):
        for words in _called(line):
            _parse(words)


def _parse(words: list[str]) -> None:
    """See that click takes the words, without carrying them out."""
    command: click.Command = root
    context: click.Context | None = None
    while True:
        if isinstance(command, click.Group) and {"--help", "-h", "--version"} & set(words):
            return
        context = command.make_context(command.name, list(words), parent=context)
        if not isinstance(command, click.Group):
            return
        rest = [*context._protected_args, *context.args]
        _, found, words = command.resolve_command(context, rest)
        assert found is not None
        command = found


def test_a_page_agrees_with_what_is_printed_but_for_numbers_and_blanks() -> None:
    assert agree("run-1  12 tokens\n...done", "run-7 4 tokens\n x \n  done")
    assert agree("revision 0003", "revision 0003")
    assert not agree("revision 0002", "revision 0003")
    assert not agree("run-1 12 tokens", "run-1 twelve tokens")
    assert not agree("...done", "done, and more")


def test_extras_are_installed_from_a_clone() -> None:
    for name, page in _pages().items():
        assert not re.search(r"pip install[^\n]*['\" ]runreel(\[|\s|$)", page), name


def test_the_pages_that_list_the_sources_list_each() -> None:
    for name in ("index.md", "glossary.md", "reference/formats.md"):
        page = (DOCS / name).read_text("utf-8")
        assert [source for source in SOURCES if f"`{source}`" not in page] == [], name


def test_every_page_is_in_the_table_of_contents() -> None:
    contents = (CHECKOUT / ".mkdocs.yml").read_text("utf-8")
    listed = re.findall(r"[\w/-]+\.md", contents)
    assert sorted(listed) == sorted(
        path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")
    )
