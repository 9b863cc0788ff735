"""Requests to models: their items, the tool results in them, and their stored form.

Most programs send the whole conversation with each request. A stored request therefore names an
earlier one that it repeats, and holds only the items after it::

    {"model": "m", "messages": [...new ones...],
     "$runreel": {"extends": {"run_id": ..., "seq": 1, "items": 7, "digest": ..., "depth": 2},
                  "same": ["tools"]}}

``items`` is the number of repeated items, ``digest`` the digest of the earlier row, and ``same``
names long parameters that are those of the earlier request. The last item is always stored. A row's
digest contains its salt, which a redaction erases: a reference never helps to guess erased text.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple

import msgspec

from runreel.codec import json_text
from runreel.codec.json_text import canonical, sorted_bytes
from runreel.codec.json_values import as_list, as_object, as_text, object_in
from runreel.codec.masks import matches_mask
from runreel.codec.stream_codec import PLACEHOLDER
from runreel.model.errors import BadValue
from runreel.sources.archives import lines as archive_lines

OPENAI_RESPONSES = "openai-responses"
OPENAI_CHAT = "openai-chat"
ANTHROPIC_MESSAGES = "anthropic-messages"
GOOGLE_GEMINI = "google-gemini"
YANDEX_COMPLETIONS = "yandex-completions"

# The source of the answers to a request, by the end of its path.
ENDPOINTS = {
    "/responses": OPENAI_RESPONSES,
    "/chat/completions": OPENAI_CHAT,
    "/messages": ANTHROPIC_MESSAGES,
    ":generateContent": GOOGLE_GEMINI,
    ":streamGenerateContent": GOOGLE_GEMINI,
}
# The key that holds the items of a request, by source.
_ITEMS = {
    OPENAI_RESPONSES: "input",
    OPENAI_CHAT: "messages",
    ANTHROPIC_MESSAGES: "messages",
    GOOGLE_GEMINI: "contents",
    YANDEX_COMPLETIONS: "messages",
    archive_lines.CLAUDE_CODE: "messages",
    archive_lines.CODEX: "input",
    archive_lines.LLM_LOG: "messages",
}
# Added by runreel; no service has a parameter of this name.
OWN = "$runreel"
# How the types of items begin that stand for parts which the log does not have any more.
OWN_TYPES = "runreel."
# Number of items, from the end of a request, that may follow the request that it repeats.
MAX_NEW_ITEMS = 64
# Number of rows that a reference lists.
MAX_ROWS = 32
# Shorter parameters are stored in each request.
_LONG = 100

Body = dict[str, object]


class Reference(msgspec.Struct, frozen=True):
    """The beginning of a request: the first ``items`` items of the request in an earlier row.

    ``digest`` is that of the row. ``depth`` is the number of rows that a reader has to follow, and
    ``rows`` are the next of these, so that they are read at once: ids of runs, each with positions.
    """

    run_id: str
    seq: int
    items: int
    digest: str
    depth: int
    rows: list[list[str | int]] = []

    @property
    def positions(self) -> list[tuple[str, int]]:
        """The rows as pairs of a run id and a position, the nearest first."""
        return [
            (run_id, seq)
            for run_id, *seqs in self.rows
            if isinstance(run_id, str)
            for seq in seqs
            if isinstance(seq, int)
        ]

    def after(self, earlier: Reference | None) -> Reference:
        """This reference with the rows to follow, if its row repeats ``earlier``."""
        if earlier is None:
            return self
        rows: list[list[str | int]] = []
        for run_id, seq in [(earlier.run_id, earlier.seq), *earlier.positions][:MAX_ROWS]:
            if rows and rows[-1][0] == run_id:
                rows[-1].append(seq)
            else:
                rows.append([run_id, seq])
        return msgspec.structs.replace(self, rows=rows)


class Request(NamedTuple):
    """A request: its items (messages) and its other parameters."""

    source: str
    items: list[object]
    parameters: Body

    @property
    def body(self) -> Body:
        """The request as JSON."""
        return {**self.parameters, _ITEMS[self.source]: self.items}


def source_of_path(path: str) -> str | None:
    """Return the source of the answers from the path of a URL, None if it is no known endpoint."""
    path = path.rstrip("/")
    return next((source for end, source in ENDPOINTS.items() if path.endswith(end)), None)


def source_in_path(path: str) -> str | None:
    """Like ``source_of_path``, also for the path of one answer: the endpoint and an id."""
    return next((source for end, source in ENDPOINTS.items() if end in path), None)


def model_in_path(path: str) -> str | None:
    """Return the model that the path of a request names, as those of the Gemini API do."""
    model = path.rpartition("/")[2].rpartition(":")[0]
    return model or None


def parse(source: str, body: object) -> Request | None:
    """Return a request with its items; None if it has none, or the source has no such requests."""
    message = archive_lines.message_of(source, body)
    if message is not None:
        return Request(source, [message], {})
    name = _ITEMS.get(source)
    if name is None or not isinstance(body, dict) or name not in body:
        return None
    items = body[name]
    if isinstance(items, str):
        items = [{"role": "user", "content": items}]
    if not isinstance(items, list):
        return None
    return Request(source, items, {key: value for key, value in body.items() if key != name})


def of_items(source: str, items: list[object]) -> Request | None:
    """Return a request with these items alone; None if the source has no such requests."""
    return Request(source, items, {}) if source in _ITEMS else None


def reference_of(body: object) -> Reference | None:
    """Return what a stored request repeats; None if it repeats nothing."""
    found = object_in(object_in(as_object(body), OWN), "extends")
    try:
        return msgspec.convert(found, Reference)
    except msgspec.ValidationError:
        return None


def referenced_runs(payload: str) -> set[str]:
    """Return the runs that a stored request goes on from, given its payload."""
    if OWN not in payload:
        return set()
    found = reference_of(json_text.loads(payload))
    if found is None:
        return set()
    return {found.run_id, *(run_id for run_id, _ in found.positions)}


def same_parameters(body: object) -> list[str]:
    """Return the names of the parameters of a stored request that are those of the earlier one."""
    names = as_list(object_in(as_object(body), OWN).get("same"))
    return [name for name in names if isinstance(name, str)]


def long_parameters_in_common(request: Request, earlier: Request) -> list[str]:
    """Return the names of the long parameters that two requests share."""
    return [
        name
        for name, value in request.parameters.items()
        if name in earlier.parameters
        and _same(earlier.parameters[name], value)
        and len(json_text.dumps(value)) > _LONG
    ]


def stored_form(request: Request, reference: Reference, same: list[str]) -> Body:
    """Return the stored form of a request that repeats the one at ``reference``.

    ``same`` are the names of parameters to repeat too.
    """
    own: Body = {"extends": msgspec.structs.asdict(reference)}
    if same:
        own["same"] = same
    kept = {key: value for key, value in request.parameters.items() if key not in same}
    return {**kept, _ITEMS[request.source]: request.items[reference.items :], OWN: own}


def extended(body: object, source: str, earlier: Request | None, dropped: int) -> Request | None:
    """Return the whole request of a stored one; ``earlier`` is the request that it repeats.

    ``dropped`` is the number of items at the end of ``earlier`` that it does not repeat.
    """
    request = parse(source, body)
    if request is None:
        return None
    own = {key: value for key, value in request.parameters.items() if key != OWN}
    if reference_of(body) is None or earlier is None:
        return request._replace(parameters=own)
    same = {
        key: earlier.parameters[key] for key in same_parameters(body) if key in earlier.parameters
    }
    repeated = earlier.items[: len(earlier.items) - dropped]
    return Request(source, repeated + request.items, same | own)


def number_of_items(source: str, body: object) -> int:
    """Return the number of items of a stored request, with those that it repeats."""
    request, reference = parse(source, body), reference_of(body)
    own = 0 if request is None else len(request.items)
    return own + (0 if reference is None else reference.items)


def row_key(source: str, body: object) -> str | None:
    """Return the key by which a later request finds this stored one.

    None without items, and for an archive: no request is recorded that goes on from it.
    """
    request = None if source in archive_lines.SOURCES else parse(source, body)
    if request is None or not request.items:
        return None
    return _key(source, number_of_items(source, body), request.items[-1])


def earlier_keys(request: Request) -> dict[str, int]:
    """Return the keys of all requests that this one may repeat, with their numbers of items.

    The longest come first.
    """
    numbers = range(len(request.items), max(0, len(request.items) - MAX_NEW_ITEMS), -1)
    return {
        key: number
        for number in numbers
        if (key := _key(request.source, number, request.items[number - 1])) is not None
    }


def _key(source: str, number: int, last: object) -> str | None:
    """Return the key of a request of this number of items.

    Only the last item is part of it: with all items, the key of a later request would help to
    guess the erased text of an earlier one.
    """
    try:
        content = canonical([source, number, last])
    except BadValue:
        return None
    return hashlib.sha256(content).hexdigest()[:32]


def begins_with(request: Request, earlier: Request, number: int) -> bool:
    """Whether a request begins with the first ``number`` items of an earlier one.

    What was erased of these is equal to anything of the same length.
    """
    if len(earlier.items) < number or len(request.items) < number:
        return False
    pairs = zip(earlier.items[:number], request.items, strict=False)
    return all(_same(old, new) or _is_mask_of(old, new) for old, new in pairs)


def _same(old: object, new: object) -> bool:
    # Equality is not enough: 1, 1.0 and true are equal.
    return old == new and sorted_bytes(old) == sorted_bytes(new)


def _is_mask_of(old: object, new: object) -> bool:
    return PLACEHOLDER in json_text.dumps(old) and matches_mask(old, new)


def conversation_of(body: object) -> str | None:
    """Return the id of the conversation that a request of the Responses API belongs to."""
    conversation = as_object(body).get("conversation")
    if isinstance(conversation, str):
        return conversation or None
    return as_text(as_object(conversation).get("id")) or None


def previous_response_of(body: object) -> str | None:
    """Return the id of the response that a request of the Responses API continues."""
    return as_text(as_object(body).get("previous_response_id")) or None
