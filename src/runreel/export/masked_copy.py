"""Masked copies of runs: other recordings, with new salts and hash chains.

A secret may be spread over several rows, so each run is searched as a whole first. Its rows then
keep their positions, times and lengths; masked characters are blocks. A note ``made_from`` at the
end holds the head of the original.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from runreel.codec import json_text
from runreel.codec.masks import masked_payload
from runreel.codec.secret_masking import SECONDS, SECRETS, SecretFilter, StreamSecretFilter
from runreel.codec.text_delta import APPENDED
from runreel.codec.text_search import Match, SearchPattern, StreamSearch
from runreel.integrity import digest_chain
from runreel.model.errors import UsageError
from runreel.model.events import (
    CONTEXT,
    MADE_FROM,
    MASKED,
    NOTE,
    OPENED,
    PRUNED,
    REDACTED,
    EventRow,
)
from runreel.projection.tombstone import tombstone_of
from runreel.query.requests import stored_request
from runreel.sources import requests
from runreel.store.events import event_log, salts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runreel.store.connection import Connection

# Characters of earlier rows that a match may include.
_REACH = 1_000
_SLOW = "Nothing was written. Write the pattern without nested repeats."
# Keys of notes whose values are not texts of a source or a user.
_NEEDED = ("source", "via", "digest", "status", "what")


def rule_names(rules: Sequence[str]) -> tuple[str, ...]:
    """Return what a file says about the rules; a pattern could name what it masks."""
    return tuple(dict.fromkeys(rule if rule == SECRETS else "pattern" for rule in rules))


class _Rules(SearchPattern):
    """Mask rules as something to search for."""

    def __init__(self, rules: SecretFilter) -> None:
        self.text, self.max_reach, self._rules = None, _REACH, rules

    def spans(self, text: str, start: int = 0) -> list[tuple[int, int]]:
        found = self._rules.spans(text[start:] if start else text, SECONDS)
        return [(start + low, start + high) for low, high in found if low < high]


class MaskedCopy:
    """The masked copy of one run; give it the rows in order.

    Raises:
        UsageError: if a rule takes too long.
        MissingExtra: if a rule is a pattern and ``regex`` is not installed.
    """

    def __init__(self, connection: Connection, run_id: str, rules: Sequence[str]) -> None:
        secrets = SecretFilter(rules)
        self._connection = connection
        self._run_id = run_id
        self._filter = StreamSecretFilter(secrets, _refuse)
        self._source = ""
        self._matches: dict[int, list[Match]] = {}
        search = StreamSearch(_Rules(secrets), hint=_SLOW)
        for row in event_log.read(connection, run_id):
            search.feed(row)
        for match in search.matches:
            self._matches.setdefault(match.seq, []).append(match)
        self._masked = sum(len(match.spans) for one in self._matches.values() for match in one)
        self._names = rule_names(rules)
        self._digest = digest_chain.genesis(run_id)
        self._original: EventRow | None = None

    def rows(self, rows: Sequence[EventRow]) -> list[EventRow]:
        """Return the copies of the next rows."""
        self._original = rows[-1]
        return [self._copied(row) for row in rows]

    @property
    def masked_count(self) -> int:
        """The number of texts that were masked so far."""
        return self._masked + self._filter.masked_count

    def made_from(self) -> EventRow:
        """Return the row after the last one: a note with the head of the original."""
        original = self._original
        assert original is not None  # noqa: S101 - every run has a row
        value = {
            "seq": original.seq,
            "digest": original.digest.hex(),
            "rules": self._names,
            "masked": self.masked_count,
        }
        now = time.time_ns() // 1_000
        columns = (self._run_id, original.seq + 1, NOTE, MADE_FROM, None, now, original.elapsed)
        return self._chained(EventRow(*columns, None, None, json_text.dumps(value), b"", None, b""))

    def _copied(self, row: EventRow) -> EventRow:
        if (found := tombstone_of(row)) is not None:
            self._digest = found.digest
        if row.kind == NOTE and row.type == OPENED and row.seq == 0 and row.payload:
            self._source = json_text.loads(row.payload)["source"]
        if row.payload is None:
            return self._chained(row)
        return self._chained(row._replace(payload=self._payload(row, row.payload)))

    def _payload(self, row: EventRow, payload: str) -> str:
        if row.kind == NOTE and row.type in (MASKED, REDACTED, PRUNED):
            return self._note(payload)
        if row.kind == CONTEXT and requests.OWN in payload:
            whole = self._request(row, payload)
            if whole is not None:
                return whole
        found = self._matches.get(row.seq, [])
        if row.kind == NOTE:
            found = [match for match in found if _is_free_text(match)]
        return masked_payload(payload, found) if found else payload

    def _request(self, row: EventRow, payload: str) -> str | None:
        """Return a request that refers to another row as a whole: that row has another digest."""
        value = json_text.loads(payload)
        found = stored_request(self._connection, self._source, row.run_id, row.seq)
        if found is None or requests.reference_of(value) is None:
            return None
        body: dict[str, Any] = self._filter.apply(found.request.body)
        if row.keep is not None:
            body = {APPENDED: value.get(APPENDED, ""), **body}
        return json_text.dumps(body)

    def _note(self, payload: str) -> str:
        value = json_text.loads(payload)
        if "payloads" in value:
            value["payloads"] = {
                seq: json_text.dumps(self._masked_payload(seq, json_text.loads(text)))
                for seq, text in value["payloads"].items()
            }
            return json_text.dumps(value)
        return json_text.dumps(self._masked_texts(value))

    def _masked_payload(self, seq: str, value: Any) -> Any:
        """Return what is left of an erased row, masked; the first row is the note ``opened``."""
        if seq == "0" and isinstance(value, dict):
            return self._masked_texts(value)
        return self._filter.apply(value)

    def _masked_texts(self, value: dict[str, Any]) -> dict[str, Any]:
        """Return a copy of a note with masked texts; what its readers need stays."""
        return {
            key: self._masked_texts(item)
            if key == "kept" and isinstance(item, dict)
            else item
            if key in _NEEDED
            else self._filter.apply(item)
            for key, item in value.items()
        }

    def _chained(self, row: EventRow) -> EventRow:
        """Return a row with a new salt and digest."""
        salt, committed = None, row.redacted
        if row.payload is not None:
            salt = salts.salt()
            committed = digest_chain.commitment(salt, row.payload)
        assert committed is not None  # noqa: S101 - an erased row has a commitment
        self._digest = digest_chain.digest(self._digest, *row[:9], committed)
        return row._replace(salt=salt, digest=self._digest)


def _is_free_text(match: Match) -> bool:
    """True if a match in a note is neither the name of a key nor a word that readers need."""
    return bool(match.path) and match.path[-1] is not None and match.path[0] not in _NEEDED


def _refuse(message: str) -> None:
    raise UsageError(f"{message}: nothing was written")
