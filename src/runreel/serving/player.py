"""Answers requests from recordings; knows no server.

A ``Player`` is the whole service, for ``runreel serve`` and for tests in one process::

    player = Player(database, exchanges, matcher)
    reply = player.create("/v1/responses", body_bytes)
    for seconds, data in reply.chunks: ...      # seconds after the request
    # then the end of the body, or a connection that breaks if reply.cut
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from runreel.codec import json_text
from runreel.codec.json_values import as_object
from runreel.model.errors import BadValue, RunreelError
from runreel.serving import recordings, timing, wire
from runreel.serving.matching import Miss
from runreel.serving.timing import AS_RECORDED, Timing
from runreel.sources import requests

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runreel.serving.exchange import Exchange
    from runreel.serving.matching import Matcher
    from runreel.store.database import Database

# Statuses that no client retries.
_BAD, _MISSING = 400, 404
# Sent where a client got no response at all: a body of this length that never comes.
_PROMISED = 1


class Reply(NamedTuple):
    """An answer over HTTP: its parts, each with the seconds after the request to send it at.

    ``cut``: the connection breaks after them. ``problem`` says why a request is refused.
    """

    status: int
    media: str
    chunks: list[tuple[float, bytes]]
    cut: bool = False
    headers: tuple[tuple[str, str], ...] = ()
    problem: str | None = None

    @property
    def streamed(self) -> bool:
        """Whether the parts are events, which are sent as they come."""
        return self.media == wire.EVENTS

    @property
    def length(self) -> int:
        """The length of the body in bytes; of one that is cut, more than that."""
        return sum(len(data) for _, data in self.chunks) + (_PROMISED if self.cut else 0)


class Player:
    """Answers requests with the recordings of ``matcher``.

    With ``fail_at`` the connection breaks after that many events.
    """

    def __init__(
        self,
        database: Database,
        exchanges: Sequence[Exchange],
        matcher: Matcher,
        *,
        as_timed: Timing = AS_RECORDED,
        fail_at: int | None = None,
    ) -> None:
        self._database = database
        self._exchanges = exchanges
        self._matcher = matcher
        self._timing = as_timed
        self._fail_at = fail_at

    def create(self, path: str, content: bytes) -> Reply:
        """Return the answer to a request that asks a model, by its path and body."""
        source = requests.source_of_path(path)
        if source is None:
            return refusal(None, f"nothing is recorded of POST {path}", code="not_recorded")
        try:
            body = json_text.loads(content)
        except BadValue as error:
            return refusal(source, f"the body is not JSON: {error}", code="bad_json", status=_BAD)
        if not isinstance(body, dict):
            return refusal(source, "the body is no JSON object", code="bad_json", status=_BAD)
        found = self._matcher.find(source, body)
        if isinstance(found, Miss):
            pointer = None if found.difference is None else found.difference.pointer
            return refusal(source, found.message, code=found.reason, pointer=pointer)
        return self._answer(found, streamed=body.get("stream") is True)

    def retrieve(
        self, response_id: str, *, streamed: bool = False, after: int | None = None
    ) -> Reply:
        """Return a recorded response by its id: as it was last, or its events after a number."""
        source = requests.OPENAI_RESPONSES
        found = [one for one in self._exchanges if one.response_id == response_id]
        found = [one for one in found if one.streamed] or found if streamed else found
        if not found or found[-1].source != source:
            return refusal(source, f"no recording has response {response_id}", code="not_recorded")
        if not streamed:
            return self._answer(found[-1], streamed=False, last=True)
        return self._answer(found[-1], streamed=True, after=after)

    def models(self) -> Reply:
        """Return the list of recorded models."""
        names = sorted({one.model for one in self._exchanges if one.model is not None})
        listed = [
            {"id": name, "object": "model", "created": 0, "owned_by": "runreel"} for name in names
        ]
        return _whole(200, {"object": "list", "data": listed})

    def _answer(
        self, exchange: Exchange, *, streamed: bool, last: bool = False, after: int | None = None
    ) -> Reply:
        try:
            values = recordings.values(self._database, exchange)
        except RunreelError as error:
            message = f"{exchange.name} cannot be read: {error}"
            return refusal(exchange.source, message, code="unreadable")
        if exchange.refusal is not None:
            return self._refused(exchange)
        if streamed:
            return self._stream(exchange, values, after)
        return self._whole_answer(exchange, values, last=last)

    def _stream(self, exchange: Exchange, values: list[object], after: int | None) -> Reply:
        begin = 0 if after is None else _place_after(values, after)
        # A stream that is continued has sent its earlier events.
        start = exchange.times[begin - 1] if begin else 0
        times = timing.plan([time - start for time in exchange.times[begin:]], self._timing)
        sent = [
            (time, wire.event(exchange.source, value))
            for time, value in zip(times, values[begin:], strict=True)
            if value is not None
        ]
        if self._fail_at is not None and self._fail_at <= len(sent):
            return _reply(exchange, wire.EVENTS, sent[: self._fail_at], cut=True)
        rest = b"" if exchange.cut or not sent else wire.end(exchange.source, values[-1])
        if rest:
            sent.append((sent[-1][0], rest))
        return _reply(exchange, wire.EVENTS, sent, cut=exchange.cut)

    def _whole_answer(self, exchange: Exchange, values: list[object], *, last: bool) -> Reply:
        place = slice(-1, None) if exchange.streamed or last else slice(1)
        time = timing.plan(exchange.times[place], self._timing)
        if exchange.seqs and exchange.streamed and not exchange.cut:
            value = wire.whole(exchange.source, values)
        else:
            value = next(iter(values[place]), None)
        if exchange.cut or self._fail_at == 0 or not time:
            return _reply(exchange, wire.JSON, [(at, b"") for at in time], cut=True)
        if value is None:
            return refusal(
                exchange.source,
                f"{exchange.name} was answered as a stream, which has no whole answer in it",
                code="only_streamed",
                pointer="/stream",
            )
        return _reply(exchange, wire.JSON, [(time[0], wire.body(value))])

    def _refused(self, exchange: Exchange) -> Reply:
        refused = exchange.refusal
        time = timing.plan(exchange.times, self._timing)[-1]
        if refused is None or refused.status is None:
            return _reply(exchange, wire.JSON, [(time, b"")], cut=True)
        media, content = wire.JSON, refused.body
        if isinstance(content, str):
            media, sent = "text/plain; charset=utf-8", content.encode()
        elif content is None:
            error = wire.error(
                exchange.source, refused.message or "", code="recorded", status=refused.status
            )
            sent = wire.body(error)
        else:
            sent = wire.body(content)
        reply = _reply(exchange, media, [(time, sent)], status=refused.status)
        if self._timing.instant:
            # The client need not wait either before it tries again.
            return reply._replace(headers=(*reply.headers, ("retry-after-ms", "1")))
        return reply


def refusal(
    source: str | None,
    message: str,
    *,
    code: str,
    status: int = _MISSING,
    pointer: str | None = None,
) -> Reply:
    """Return the answer to a request that no recording answers."""
    value = wire.error(source, message, code=code, status=status, pointer=pointer)
    return _whole(status, value)._replace(problem=message)


def _whole(status: int, value: object) -> Reply:
    return Reply(status, wire.JSON, [(0.0, wire.body(value))])


def _reply(
    exchange: Exchange,
    media: str,
    chunks: list[tuple[float, bytes]],
    *,
    status: int = 200,
    cut: bool = False,
) -> Reply:
    headers = [
        ("x-runreel-run", exchange.run_id),
        ("x-runreel-call", str(exchange.number)),
        ("x-runreel-clock", exchange.clock),
    ]
    if exchange.blocked:
        headers.append(("x-runreel-blocks", "parts of this recording were erased"))
    printable = tuple(
        (name, value) for name, value in headers if value.isascii() and value.isprintable()
    )
    return Reply(status, media, chunks, cut, printable)


def _place_after(values: Sequence[object], number: int) -> int:
    """Return the place of the first event with a greater number."""
    return next((n for n, value in enumerate(values) if _number_of(value) > number), len(values))


def _number_of(value: object) -> int:
    number = as_object(value).get("sequence_number")
    return number if type(number) is int else -1
