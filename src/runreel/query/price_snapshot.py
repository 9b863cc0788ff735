"""The prices of the package genai-prices, as a price book; read without a network."""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
from collections import defaultdict
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING

from runreel.model.errors import MissingExtra
from runreel.prices.entry_lines import entry_lines
from runreel.prices.price_book import PriceBook
from runreel.query import snapshot_names
from runreel.query.snapshot_prices import model_entries, why_left_out

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from genai_prices.types import ModelInfo, Provider

    from runreel.prices.entries import PriceEntry

PACKAGE = "genai-prices"


class Snapshot(PriceBook):
    """The price book of an installed version.

    ``left_out`` has the names of models whose prices a price book cannot have, with the reason, and
    ``sellers`` the names that several providers sell at different prices, with these providers.
    """

    left_out: dict[str, str]
    sellers: dict[str, list[str]]


@lru_cache(maxsize=1)
def snapshot() -> Snapshot:
    """Return the prices of the installed version of genai-prices.

    Its digest is that of the entries as lines: it changes only with the version of one of both
    packages. A model name that several providers sell at different prices has no entry, unless
    the package says whose it is.

    Raises:
        MissingExtra: if genai-prices is not installed.
    """
    try:
        providers: Sequence[Provider] = importlib.import_module("genai_prices.data").providers
        version = importlib.metadata.version(PACKAGE)
    except ImportError:
        raise MissingExtra(
            f"the default price book requires the package {PACKAGE}",
            hint="pip install 'runreel[prices]', or name a price book with --prices.",
        ) from None
    left_out: dict[str, str] = {}
    sellers: dict[str, list[str]] = {}
    found = [*_own_names(providers, left_out), *_other_names(providers, sellers)]
    unique = {(*entry.subject[1:], entry.valid_from): entry for entry in reversed(found)}
    entries = [entry._replace(line=n) for n, entry in enumerate(reversed(unique.values()), 1)]
    digest = hashlib.sha256(entry_lines(entries)).hexdigest()
    book = Snapshot(f"{PACKAGE} {version}", entries, digest)
    book.left_out, book.sellers = left_out, sellers
    return book


def left_out_reason(book: PriceBook, model: str) -> str | None:
    """Return why the snapshot among these price books has no entry for a model it knows."""
    for one in book.books:
        if isinstance(one, Snapshot):
            for pattern, why in one.left_out.items():
                if fnmatchcase(model, pattern):
                    return why
            for pattern, sellers in one.sellers.items():
                if fnmatchcase(model, pattern):
                    return f"its prices differ by provider ({', '.join(sellers)}); add yours"
    return None


def _own_names(providers: Sequence[Provider], left_out: dict[str, str]) -> Iterator[PriceEntry]:
    """Yield the entries of the names that belong to one provider."""
    for provider in providers:
        for model in provider.models:
            for name in snapshot_names.names(model, provider.model_match):
                if _owner(providers, name.example) is not provider:
                    continue
                # Of several models that accept a name, the package takes the first.
                if provider.find_model(name.example) is not model:
                    continue
                why = why_left_out(model)
                if why is None:
                    yield from _entries(model, name.pattern, provider)
                else:
                    left_out[name.pattern] = why


def _other_names(
    providers: Sequence[Provider], sellers: dict[str, list[str]]
) -> Iterator[PriceEntry]:
    """Yield the entries of exact names that only one provider sells, or all at the same prices."""
    sold: defaultdict[str, list[list[PriceEntry]]] = defaultdict(list)
    for provider in providers:
        for model in provider.models:
            for name in snapshot_names.names(model, None):
                if _owner(providers, name.example) is None and why_left_out(model) is None:
                    sold[name.pattern].append([*_entries(model, name.pattern, provider)])
    for pattern, offers in sold.items():
        if all(_same(offer, offers[0]) for offer in offers):
            yield from offers[0]
        else:
            providers_of = (str(entry.provider) for offer in offers for entry in offer)
            sellers[pattern] = list(dict.fromkeys(providers_of))


def _owner(providers: Sequence[Provider], name: str) -> Provider | None:
    owners = (one for one in providers if snapshot_names.is_own(one.model_match, name.lower()))
    return next(owners, None)


def _entries(model: ModelInfo, pattern: str, provider: Provider) -> Iterator[PriceEntry]:
    source = provider.pricing_urls[0] if provider.pricing_urls else None
    return model_entries(model, pattern, provider.id, source)


def _same(one: Sequence[PriceEntry], other: Sequence[PriceEntry]) -> bool:
    return [entry.facts[1:] for entry in one] == [entry.facts[1:] for entry in other]
