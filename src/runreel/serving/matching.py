"""Finds the recorded exchange that answers a request.

This is the whole interface, in process and below any server::

    matcher = Matcher(exchanges)
    found = matcher.find("openai-responses", body)   # an Exchange, or a Miss that says why
    matcher.unused()
"""

from __future__ import annotations

import threading
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from runreel.codec.masks import matches_mask
from runreel.serving.canonical import Canonicalizer
from runreel.serving.difference import first_difference, number_of_differences

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from runreel.codec.secret_masking import SecretPattern
    from runreel.serving.canonical import Canonical
    from runreel.serving.difference import Difference
    from runreel.serving.exchange import Exchange
    from runreel.sources.requests import Body

# Number of recorded requests that a request is compared with in full, to find the closest.
_COMPARED = 8

NOTHING, OTHER_SOURCE, USED_UP, DIFFERENT = "nothing", "other_source", "used_up", "different"


class Miss(NamedTuple):
    """Why no recording answers a request.

    ``reason`` is ``nothing`` (nothing is recorded), ``other_source`` (only other APIs are),
    ``used_up`` (all that fit were served) or ``different``: then ``closest`` is the closest
    recording, and ``difference`` its first difference.
    """

    reason: str
    message: str
    closest: Exchange | None = None
    difference: Difference | None = None


class _Recorded(NamedTuple):
    exchange: Exchange
    request: Canonical


class Matcher:
    """Matches requests with exchanges, each of which is given once, in their order.

    Equal requests get equal recordings one after the other, then the last one again or, if
    ``strict``, a miss. Exchanges whose request is unknown answer what nothing else does, unless
    ``strict``. ``mask`` has rules like those of ``open``. Thread-safe.
    """

    def __init__(
        self,
        exchanges: Iterable[Exchange],
        *,
        strict: bool = False,
        mask: Iterable[SecretPattern] = (),
    ) -> None:
        self._strict = strict
        self._canonicalizer = Canonicalizer(mask)
        self._exchanges = list(exchanges)
        unknown = [one for one in self._exchanges if one.request is None]
        self._unknown = [] if strict else unknown
        self._recorded = list(self._canonical())
        self._exact: dict[bytes, list[_Recorded]] = defaultdict(list)
        self._loose: dict[bytes, list[_Recorded]] = defaultdict(list)
        for recorded in self._recorded:
            self._exact[recorded.request.exact].append(recorded)
            self._loose[recorded.request.loose].append(recorded)
        self._blocked = [one for one in self._recorded if one.request.blocked]
        self._ids = {id_ for one in self._recorded for id_ in one.request.ids}
        self._ids |= {one.response_id for one in self._exchanges if one.response_id is not None}
        self._used: set[Exchange] = set()
        self._lock = threading.Lock()

    def _canonical(self) -> Iterator[_Recorded]:
        canonical = self._canonicalizer.canonical
        for one in self._exchanges:
            if one.request is not None:
                yield _Recorded(one, canonical(one.source, one.request))

    def unused(self) -> list[Exchange]:
        """Return the exchanges that were not served, in order."""
        with self._lock:
            return [one for one in self._exchanges if one not in self._used]

    def find(self, source: str, body: Body) -> Exchange | Miss:
        """Return the exchange that answers a request, or why none does.

        ``source`` is that of the answers, such as ``openai-chat``; ``body`` is the request's JSON.
        """
        sent = self._canonicalizer.canonical(source, body)
        fits: list[Exchange] = []
        with self._lock:
            for fitting in self._ways(sent):
                for exchange in fitting:
                    if exchange not in self._used:
                        self._used.add(exchange)
                        return exchange
                fits += fitting[-1:]
            if fits and not self._strict:
                return fits[0]
        return self._used_up(fits[0]) if fits else self._miss(sent, body)

    def _ways(self, sent: Canonical) -> Iterator[list[Exchange]]:
        """Yield the exchanges that fit, the best first; those of another form come last."""
        for fitting in self._fitting(sent):
            found = [one.exchange for one in fitting if one.request.source == sent.source]
            yield [one for one in found if one.refusal or one.streamed == sent.streamed]
            # A stream has what a whole answer has.
            yield [] if sent.streamed else [one for one in found if one.streamed]
        yield [one for one in self._unknown if one.source == sent.source]

    def _fitting(self, sent: Canonical) -> Iterator[list[_Recorded]]:
        """Yield the recordings of a request: equal, with other ids, with parts that were erased."""
        yield self._exact.get(sent.exact, [])
        yield [one for one in self._loose.get(sent.loose, ()) if self._has_ids(one, sent)]
        yield [one for one in self._blocked if _fits_blocks(one.request, sent)]

    def _has_ids(self, recorded: _Recorded, sent: Canonical) -> bool:
        """Whether each id that was sent is that of the recording, or unknown to all of them."""
        pairs = zip(recorded.request.ids, sent.ids, strict=True)
        return all(new == old or new not in self._ids for old, new in pairs)

    def _used_up(self, last: Exchange) -> Miss:
        return Miss(
            USED_UP,
            f"all recordings of this request were served already, last {last.name}",
            last,
        )

    def _miss(self, sent: Canonical, body: Body) -> Miss:
        if not self._exchanges:
            return Miss(NOTHING, "there are no recordings")
        candidates = [one for one in self._recorded if one.request.source == sent.source]
        if not candidates:
            return self._other_source(sent.source)
        closest = self._closest(candidates, sent)
        difference = first_difference(closest.request, sent, body)
        where = f": {difference}" if difference else ""
        if difference is None:
            # Only ids of other recordings, or the form of the answer, differ.
            where = _other_form(closest, sent)
        return Miss(
            DIFFERENT,
            f"no recording answers this request; the closest is {closest.exchange.name}{where}",
            closest.exchange,
            difference,
        )

    def _other_source(self, source: str) -> Miss:
        known = sorted({one.source for one in self._exchanges})
        if source in known:
            return Miss(DIFFERENT, f"the requests of the recordings of {source} are unknown")
        return Miss(
            OTHER_SOURCE, f"no recording is of {source}: the recordings are of {', '.join(known)}"
        )

    def _closest(self, candidates: Sequence[_Recorded], sent: Canonical) -> _Recorded:
        shared = sorted(
            candidates, key=lambda one: len(one.request.parts & sent.parts), reverse=True
        )
        return min(shared[:_COMPARED], key=lambda one: number_of_differences(one.request, sent))


def _fits_blocks(recorded: Canonical, sent: Canonical) -> bool:
    """Whether a request is equal to a recorded one, except for what was erased of that."""
    missing, known = recorded.missing, recorded.items
    if known is None or sent.items is None:
        return known is sent.items and matches_mask(recorded.parameters, sent.parameters)
    rest = known[1:] if missing else known
    return (
        len(sent.items) == missing + len(rest)
        and matches_mask(rest, sent.items[missing:])
        and matches_mask(recorded.parameters, sent.parameters)
    )


def _other_form(closest: _Recorded, sent: Canonical) -> str:
    if closest.request.ids != sent.ids:
        for old, new in zip(closest.request.ids, sent.ids, strict=False):
            if old != new:
                return f": it goes on from {old}, and this request from {new}"
    if sent.streamed:
        return ": its answer is not a stream, and this request asks for one"
    return ""
