"""``runreel prices``: list, explain, extend and check price books."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from runreel.cli import options, price_options

if TYPE_CHECKING:
    from datetime import date

    from runreel.cli.render.output import Output

_FILE = click.Path(exists=True, dir_okay=False)


@click.group(
    "prices",
    epilog=options.examples("""
runreel prices show gpt-5-mini
runreel prices import my-prices.jsonl
runreel prices check
"""),
)
def prices_command() -> None:
    """List, explain, add and check prices of models."""


_command = partial(options.command, group=prices_command)


@_command("""
runreel prices list
runreel prices list --model gpt -n 0 -o jsonl
runreel prices list --prices my-prices.jsonl
""")
@click.option("--model", metavar="TEXT", type=options.TEXT, help="Only models with this text.")
@price_options.prices
@click.option(
    "-n", "--limit", type=options.COUNT, metavar="N", default=20, help="At most this many; 0: all."
)
@click.option(
    "--after", type=options.COUNT, metavar="CURSOR", default=0, help="Continue after a page."
)
@options.output(empty=True)
def list_command(
    model: str | None, prices: str | None, limit: int, after: int, output: Output
) -> None:
    """List the entries of the price books.

    Your own price book comes first, then the prices of the package genai-prices, if it is
    installed.
    """
    from runreel.cli.render import price_views

    found = [
        price_views.BookEntry(book, entry)
        for book in price_options.price_book(prices).books
        for entry in book.entries
        if model is None or model in entry.model
    ]
    last = after + limit if limit else len(found)
    more = str(last) if last < len(found) else None
    output.items(price_views.PRICES, found[after:last], next_=more)


@_command("""
runreel prices show gpt-5-mini
runreel prices show gpt-5-mini --tier flex --date 2026-06-01
""")
@click.argument("model", type=options.TEXT)
@click.option("--tier", metavar="TIER", type=options.TEXT, help="Service tier. Default: default.")
@click.option(
    "--date",
    "day",
    metavar="DATE",
    type=options.Text(lambda text: datetime.strptime(text, "%Y-%m-%d").date()),  # noqa: DTZ007
    help="Day of the request, UTC. Default: today.",
)
@price_options.prices
@options.output()
def show_command(
    model: str, tier: str | None, day: date | None, prices: str | None, *, output: Output
) -> None:
    """Show which price a model has, and why.

    MODEL is the whole name of a model as it is recorded. All entries about it are listed in the
    order in which they are tried. Exits with 1 if there is no price.
    """
    from click.exceptions import Exit

    from runreel.cli import time_arguments
    from runreel.cli.render import price_views, tables, terminal
    from runreel.prices import explanation
    from runreel.query import price_snapshot

    book = price_options.price_book(prices)
    day = day or time_arguments.now().date()
    found = explanation.candidates(book, model, tier, day)
    left_out = price_snapshot.left_out_reason(book, model)
    shown = price_views.ShownPrice(book, model, tier, day, found, left_out)
    output.object(price_views.shown_object(shown), price_views.shown_facts(shown))
    if output.is_table and found:
        terminal.write("")
        tables.print_table(price_views.candidate_columns(model), found)
    if shown.chosen is None:
        raise Exit(1)


@_command("""
runreel prices import my-prices.jsonl
""")
@click.argument("file", type=_FILE, metavar="FILE")
@options.output()
def import_command(file: str, output: Output) -> None:
    """Add the entries of a file to your own price book.

    All entries are added, or none. Existing entries are never changed: a new price is an entry with
    a later `valid_from`. Entries that the book has already are not added again. The book is the
    file in RUNREEL_PRICES, in `prices` of the configuration, or prices.jsonl next to runreel.toml.
    """
    from runreel.cli import configuration
    from runreel.query import price_books

    own = configuration.own_price_book()
    addition = price_books.add(own, Path(file))
    changed = None if addition.changed_from is None else str(addition.changed_from)
    value = {
        "book": str(own),
        "added": len(addition.entries),
        "known": addition.known,
        "changed_from": changed,
        "digest": price_books.load(own).digest,
    }
    facts = [(key.replace("_", " ").capitalize(), value[key]) for key in ("book", "added", "known")]
    output.object(value, [(name, text) for name, text in facts if isinstance(text, str | int)])
    if changed is not None:
        from runreel.cli.render import terminal

        terminal.write_notice(f"Costs of requests since {changed} change: an entry is older.")


@_command("""
runreel prices check
runreel prices check my-prices.jsonl
runreel prices check --rates rates.jsonl
""")
@click.argument("file", type=_FILE, metavar="[FILE]", required=False)
@price_options.prices
@click.option("--rates", type=_FILE, metavar="FILE", help="Also check a file of exchange rates.")
@options.output()
def check_command(
    file: str | None, prices: str | None, rates: str | None, *, output: Output
) -> None:
    """Check price books and exchange rates line by line.

    Checks FILE, or else your own price book and the package genai-prices. Exits with 1 if there is
    an error. A price book whose newest entry is older than 30 days is a notice only, as is a model
    of genai-prices whose price a price book cannot express.
    """
    from click.exceptions import Exit

    from runreel.cli import configuration, time_arguments
    from runreel.cli.render import price_views
    from runreel.query import price_checks

    today = time_arguments.now().date()
    named = file or prices
    if named is not None:
        problems = price_checks.check_book(Path(named), today)
    elif rates is None or configuration.own_price_book().exists():
        problems = price_checks.check_default(configuration.own_price_book(), today)
    else:
        problems = []
    problems += [] if rates is None else price_checks.check_rates(Path(rates))
    output.items(price_views.PROBLEMS, problems)
    if any(one.level == price_checks.ERROR for one in problems):
        raise Exit(1)
