"""The turns in the log of ``llm``, a SQLite database of one of two generations.

The older one has a row for each response, the newer one a tree of messages that turns point into. A
run is a turn of the user: its first response, and those that go on with results of tools.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.codec.json_text import loads
from runreel.codec.json_values import as_object, as_text, objects_in
from runreel.importing.archives.entries import Entry, Origin
from runreel.importing.archives.llm_messages import Messages
from runreel.model.errors import BadInput, BadValue
from runreel.model.events import CONTEXT, RUN, TOOL_RESULTS
from runreel.sources.archives.lines import LLM_LOG
from runreel.store import foreign_sqlite

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.store.foreign_sqlite import ForeignDatabase, Record

# Columns of a row that a response keeps, in both generations.
_KEPT = (
    *("id", "model", "resolved_model", "reasoning", "response_json", "datetime_utc"),
    *("duration_ms", "input_tokens", "output_tokens", "token_details"),
)
_RESPONSES = "SELECT * FROM responses ORDER BY datetime_utc, id"
_TURNS = "SELECT * FROM turns ORDER BY datetime_utc, id"
_CALLS = "SELECT name, arguments, tool_call_id FROM tool_calls WHERE response_id = ? ORDER BY id"
_RESULTS = "SELECT name, output, tool_call_id FROM tool_results WHERE response_id = ? ORDER BY id"
_FRAGMENTS = (
    "SELECT f.content FROM {} AS p JOIN fragments AS f ON f.id = p.fragment_id"
    ' WHERE p.response_id = ? ORDER BY p."order"'
)


def entries(path: str) -> Iterator[Entry]:
    """Yield the events in a log of ``llm``, those of the older generation first.

    Raises:
        BadInput: if it is no such log, or cannot be read.
    """
    with foreign_sqlite.opened(path) as database:
        is_older, is_newer = (bool(database.columns(name)) for name in ("responses", "turns"))
        if not is_older and not is_newer:
            raise BadInput("the SQLite database is no log of llm: it has no responses")
        found = _all(database, is_older=is_older, is_newer=is_newer)
        for number, entry in enumerate(found, 1):
            yield entry._replace(number=number)


def _all(database: ForeignDatabase, *, is_older: bool, is_newer: bool) -> Iterator[Entry]:
    if is_older:
        has_tools = bool(database.columns("tool_calls"))
        has_fragments = bool(database.columns("prompt_fragments"))
        yield from _Older(database, tools=has_tools, fragments=has_fragments).entries()
    if is_newer:
        yield from _Newer(database).entries()


class _Turns:
    """Which run the next response of a conversation belongs to."""

    def __init__(self) -> None:
        # The run of the last response of each conversation.
        self._last: dict[str, str] = {}

    def entries(self, row: Record, thread: str | None, parts: list[Record]) -> Iterator[Entry]:
        """Yield the parts of a response; only one with a request begins a run."""
        id_ = str(row["id"])
        begins = any(part["part"] == "request" for part in parts)
        run_id = id_ if begins else self._last.get(thread or id_, id_)
        self._last[thread or id_] = run_id
        origin = Origin(LLM_LOG, LLM_LOG, thread)
        kinds = {"request": CONTEXT, "results": TOOL_RESULTS, "response": RUN}
        for part in parts:
            value = {"id": id_, **part}
            identity = f"{id_} {part['part']}"
            yield Entry(run_id, origin, kinds[str(part["part"])], value, identity, 0)


class _Older:
    """The older generation: a row for each response."""

    def __init__(self, database: ForeignDatabase, *, tools: bool, fragments: bool) -> None:
        self._database = database
        self._tools, self._fragments = tools, fragments
        self._turns = _Turns()

    def entries(self) -> Iterator[Entry]:
        for row in self._database.rows(_RESPONSES):
            yield from self._turns.entries(row, as_text(row["conversation_id"]), self._parts(row))

    def _parts(self, row: Record) -> list[Record]:
        id_ = row["id"]
        calls = list(self._database.rows(_CALLS, (id_,))) if self._tools else []
        results = list(self._database.rows(_RESULTS, (id_,))) if self._tools else []
        parts: list[Record] = []
        if results:
            parts.append({"part": "results", "tool_results": results})
        messages = self._messages(row)
        if messages or not results:
            parts.insert(0, _request(row, messages, row.get("options_json")))
        response = {"part": "response", "text": row.get("response"), **_kept(row)}
        return [*parts, response | ({"tool_calls": calls} if calls else {})]

    def _messages(self, row: Record) -> list[Record]:
        found: list[Record] = []
        for role, column in (("system", "system"), ("user", "prompt")):
            texts = [*self._borrowed(row, column), as_text(row.get(column)) or ""]
            text = "\n".join(filter(None, texts))
            if text:
                found.append({"role": role, "content": text})
        return found

    def _borrowed(self, row: Record, column: str) -> list[str]:
        if not self._fragments:
            return []
        sql = _FRAGMENTS.format(f"{column}_fragments")
        return [str(part["content"]) for part in self._database.rows(sql, (row["id"],))]


class _Newer:
    """The newer generation: turns that point into a tree of messages."""

    def __init__(self, database: ForeignDatabase) -> None:
        self._database = database
        self._messages = Messages(database)
        self._turns = _Turns()

    def entries(self) -> Iterator[Entry]:
        for row in self._database.rows(_TURNS):
            yield from self._turns.entries(row, as_text(row["thread_id"]), self._parts(row))

    def _parts(self, row: Record) -> list[Record]:
        given = self._messages.new_before(row["parent_message_hash"])
        made = self._messages.between(row["tip_message_hash"], row["parent_message_hash"])
        results = [part for message in given for part in objects_in(message, "tool_results")]
        asked = [message for message in given if message.get("content")]
        parts: list[Record] = []
        if any(message["role"] == "user" for message in asked) or not results:
            parts.append(_request(row, asked, row.get("options_json")))
        if results:
            parts.append({"part": "results", "tool_results": results})
        return [*parts, _response(row, made)]


def _response(row: Record, messages: list[Record]) -> Record:
    response = {"part": "response", "text": _joined(messages, "content"), **_kept(row)}
    if calls := [call for message in messages for call in objects_in(message, "tool_calls")]:
        response["tool_calls"] = calls
    if thoughts := _joined(messages, "reasoning"):
        response["reasoning"] = thoughts
    return response


def _joined(messages: list[Record], key: str) -> str:
    return "".join(as_text(message.get(key)) or "" for message in messages)


def _request(row: Record, messages: list[Record], options: object) -> Record:
    request: Record = {"part": "request", "model": row.get("model"), "messages": messages}
    request["datetime_utc"] = row.get("datetime_utc")
    try:
        found = as_object(loads(options)) if isinstance(options, str) else {}
    except BadValue:
        found = {}
    return request | ({"options": found} if found else {})


def _kept(row: Record) -> Record:
    return {name: row[name] for name in _KEPT if row.get(name) is not None}
