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
    catalogue = _Catalogue(providers)
    found = [*_own_names(catalogue, left_out), *_other_names(catalogue, sellers)]
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


class _Catalogue:
    """What the package says of its providers and models; each is asked once.

    Thousands of names are of a few models, and most of the time went into asking again.
    """

    def __init__(self, providers: Sequence[Provider]) -> None:
        self.providers = providers
        self._owners: dict[str, Provider | None] = {}
        self._entries: dict[int, tuple[PriceEntry, ...]] = {}
        self._left_out: dict[int, str | None] = {}

    def owner(self, name: str) -> Provider | None:
        """Return the provider whose name this is."""
        small = name.lower()
        if small not in self._owners:
            owners = (
                one for one in self.providers if snapshot_names.is_own(one.model_match, small)
            )
            self._owners[small] = next(owners, None)
        return self._owners[small]

    def left_out(self, model: ModelInfo) -> str | None:
        """Return why a price book cannot have the prices of a model; None if it can."""
        if id(model) not in self._left_out:
            self._left_out[id(model)] = why_left_out(model)
        return self._left_out[id(model)]

    def entries(self, model: ModelInfo, pattern: str, provider: Provider) -> Iterator[PriceEntry]:
        """Yield the entries of a model of a provider under a pattern."""
        if id(model) not in self._entries:
            source = provider.pricing_urls[0] if provider.pricing_urls else None
            self._entries[id(model)] = tuple(model_entries(model, pattern, provider.id, source))
        for entry in self._entries[id(model)]:
            yield entry._replace(model=pattern)


def _own_names(catalogue: _Catalogue, left_out: dict[str, str]) -> Iterator[PriceEntry]:
    """Yield the entries of the names that belong to one provider."""
    for provider in catalogue.providers:
        for model in provider.models:
            for name in snapshot_names.names(model, provider.model_match):
                if catalogue.owner(name.example) is not provider:
                    continue
                # Of several models that accept a name, the package takes the first.
                if provider.find_model(name.example) is not model:
                    continue
                why = catalogue.left_out(model)
                if why is None:
                    yield from catalogue.entries(model, name.pattern, provider)
                else:
                    left_out[name.pattern] = why


def _other_names(catalogue: _Catalogue, sellers: dict[str, list[str]]) -> Iterator[PriceEntry]:
    """Yield the entries of exact names that only one provider sells, or all at the same prices."""
    sold: defaultdict[str, list[list[PriceEntry]]] = defaultdict(list)
    for provider in catalogue.providers:
        for model in provider.models:
            for name in snapshot_names.names(model, None):
                if catalogue.owner(name.example) is None and catalogue.left_out(model) is None:
                    sold[name.pattern].append([*catalogue.entries(model, name.pattern, provider)])
    for pattern, offers in sold.items():
        if all(_same(offer, offers[0]) for offer in offers):
            yield from offers[0]
        else:
            providers_of = (str(entry.provider) for offer in offers for entry in offer)
            sellers[pattern] = list(dict.fromkeys(providers_of))


def _same(one: Sequence[PriceEntry], other: Sequence[PriceEntry]) -> bool:
    return [entry.facts[1:] for entry in one] == [entry.facts[1:] for entry in other]
