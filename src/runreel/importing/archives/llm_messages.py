"""The tree of messages in the newer log of ``llm``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.codec.json_text import loads
from runreel.codec.json_values import as_object, as_text, objects_in
from runreel.model.errors import BadValue

if TYPE_CHECKING:
    from runreel.store.foreign_sqlite import ForeignDatabase, Record

_MESSAGE = (
    "SELECT m.parent_hash, m.role,"
    " EXISTS (SELECT 1 FROM turns WHERE turns.tip_message_hash = m.hash) AS is_tip"
    " FROM messages AS m WHERE m.hash = ?"
)
_PARTS = "SELECT type, text, payload FROM parts WHERE message_hash = ? ORDER BY position"
_FRAGMENT = "SELECT content FROM fragments WHERE id = ?"
# Number of messages that are followed back; a longer chain is damage.
_LONGEST = 10_000


class Messages:
    """Reads messages, each with its text, tool calls, results and reasoning."""

    def __init__(self, database: ForeignDatabase) -> None:
        self._database = database

    def new_before(self, last: object) -> list[Record]:
        """Return the messages up to ``last`` that no earlier turn ends with."""
        return self._chain(last, None)

    def between(self, last: object, first: object) -> list[Record]:
        """Return the messages after ``first``, up to ``last``."""
        return self._chain(last, first, stops_at_tips=False)

    def _chain(self, last: object, first: object, *, stops_at_tips: bool = True) -> list[Record]:
        found: list[Record] = []
        hash_ = last
        while hash_ is not None and hash_ != first and len(found) < _LONGEST:
            row = next(self._database.rows(_MESSAGE, (hash_,)), None)
            if row is None or (stops_at_tips and row["is_tip"]):
                break
            found.append(self._message(hash_, row))
            hash_ = row["parent_hash"]
        return found[::-1]

    def _message(self, hash_: object, row: Record) -> Record:
        message: Record = {"role": as_text(row["role"]) or "user"}
        texts: list[str] = []
        for part in self._database.rows(_PARTS, (hash_,)):
            payload = _json(part["payload"])
            text = as_text(part["text"]) or self._borrowed(payload)
            if part["type"] == "text":
                texts.append(text)
            elif part["type"] == "reasoning":
                message["reasoning"] = text
            elif part["type"] in ("tool_call", "tool_result"):
                message[f"{part['type']}s"] = [*objects_in(message, f"{part['type']}s"), payload]
        if texts:
            message["content"] = "".join(texts)
        return message

    def _borrowed(self, payload: dict[str, object]) -> str:
        """Return a text that is put together from fragments."""
        texts: list[str] = []
        for segment in objects_in(payload, "text_ref"):
            if "fragment" in segment:
                rows = self._database.rows(_FRAGMENT, (segment["fragment"],))
                texts += [str(row["content"]) for row in rows]
            else:
                texts.append(as_text(segment.get("literal")) or "")
        return "".join(texts)


def _json(text: object) -> dict[str, object]:
    try:
        return as_object(loads(text)) if isinstance(text, str) else {}
    except BadValue:
        return {}
