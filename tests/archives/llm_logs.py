"""Logs of ``llm``, made with the tables of its two generations."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

OLDER = """
CREATE TABLE conversations (id TEXT PRIMARY KEY, name TEXT, model TEXT);
CREATE TABLE responses (id TEXT PRIMARY KEY, model TEXT, prompt TEXT, system TEXT, prompt_json TEXT,
 options_json TEXT, response TEXT, response_json TEXT, conversation_id TEXT, duration_ms INTEGER,
 datetime_utc TEXT, input_tokens INTEGER, output_tokens INTEGER, token_details TEXT, schema_id TEXT,
 resolved_model TEXT, reasoning TEXT);
CREATE TABLE fragments (id INTEGER PRIMARY KEY, hash TEXT, content TEXT);
CREATE TABLE prompt_fragments (response_id TEXT, fragment_id INTEGER, "order" INTEGER);
CREATE TABLE system_fragments (response_id TEXT, fragment_id INTEGER, "order" INTEGER);
CREATE TABLE tool_calls (id INTEGER PRIMARY KEY, response_id TEXT, tool_id INTEGER, name TEXT,
 arguments TEXT, tool_call_id TEXT);
CREATE TABLE tool_results (id INTEGER PRIMARY KEY, response_id TEXT, tool_id INTEGER, name TEXT,
 output TEXT, tool_call_id TEXT);
"""
NEWER = """
CREATE TABLE threads (id TEXT PRIMARY KEY, name TEXT, tip_message_hash TEXT);
CREATE TABLE messages (hash TEXT PRIMARY KEY, parent_hash TEXT, role TEXT, provider_metadata TEXT);
CREATE TABLE parts (id INTEGER PRIMARY KEY, message_hash TEXT, position INTEGER, type TEXT,
 tool_name TEXT, text TEXT, payload TEXT);
CREATE TABLE turns (id TEXT PRIMARY KEY, thread_id TEXT, parent_message_hash TEXT,
 tip_message_hash TEXT, model TEXT, resolved_model TEXT, options_json TEXT, schema_id TEXT,
 input_tokens INTEGER, output_tokens INTEGER, token_details TEXT, duration_ms INTEGER,
 datetime_utc TEXT, response_json TEXT);
CREATE TABLE IF NOT EXISTS fragments (id INTEGER PRIMARY KEY, hash TEXT, content TEXT);
"""
DETAILS = json.dumps({"prompt_tokens_details": {"cached_tokens": 3}})
RESULT = {"name": "add", "output": "3", "tool_call_id": "tc1"}
CALL = {"name": "add", "arguments": {"a": 1, "b": 2}, "tool_call_id": "tc1"}
# Each turn: id, prompt, answer, whether it calls a tool, whether it answers results.
TURNS = [
    ("r1", "what is 1+2", "calling", True, False),
    ("r2", "", "it is 3", False, True),
    ("r3", "thanks", "you are welcome", False, False),
]
# What the turns used together, and how many runs they are.
SUM, RUNS = (36, 15), 2


def write(path: Path, *, newer: bool, turns: int = len(TURNS)) -> Path:
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as database, database:
        database.executescript(NEWER if newer else OLDER)
        (_newer if newer else _older)(database, TURNS[:turns])
    return path


def _insert(database: sqlite3.Connection, table: str, **row: Any) -> None:
    names, marks = ", ".join(f'"{name}"' for name in row), ", ".join("?" * len(row))
    database.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", tuple(row.values()))


def _counts(number: int) -> dict[str, Any]:
    return {
        "model": "gpt-5-mini",
        "resolved_model": "gpt-5-mini-2026",
        "datetime_utc": f"2026-11-01T00:00:{number:02}+00:00",
        "duration_ms": 500,
        "input_tokens": 12,
        "output_tokens": 5,
        "token_details": DETAILS,
    }


def _older(database: sqlite3.Connection, turns: list[Any]) -> None:
    _insert(database, "conversations", id="talk", name="n", model="gpt-5-mini")
    _insert(database, "fragments", id=1, hash="h", content="a fragment")
    for number, (id_, prompt, answer, calls, results) in enumerate(turns):
        row = _counts(number)
        _insert(
            database,
            "responses",
            id=id_,
            prompt=prompt,
            system="be brief" if number == 0 else None,
            response=answer,
            conversation_id="talk",
            **row,
        )
        if number == 0:
            _insert(database, "prompt_fragments", response_id=id_, fragment_id=1, order=0)
        if calls:
            call = CALL | {"arguments": json.dumps(CALL["arguments"])}
            _insert(database, "tool_calls", response_id=id_, **call)
        if results:
            _insert(database, "tool_results", response_id=id_, **RESULT)


def _newer(database: sqlite3.Connection, turns: list[Any]) -> None:
    _insert(database, "fragments", id=1, hash="h", content="a fragment")
    _message(database, "m0", None, "system", ("text", "be brief", None))
    last = "m0"
    for number, (id_, prompt, answer, calls, results) in enumerate(turns):
        asked, made = f"{id_}-asked", f"{id_}-made"
        if results:
            _message(database, asked, last, "tool", ("tool_result", None, RESULT))
        elif number == 0:
            pieces = [{"fragment": 1}, {"literal": f"\n{prompt}"}]
            _message(database, asked, last, "user", ("text", None, {"text_ref": pieces}))
        else:
            _message(database, asked, last, "user", ("text", prompt, None))
        parts = [("reasoning", "hm", None), ("text", answer, None)]
        _message(database, made, asked, "assistant", *parts, *([("tool_call", None, CALL)] * calls))
        _insert(
            database,
            "turns",
            id=id_,
            thread_id="talk",
            parent_message_hash=asked,
            tip_message_hash=made,
            **_counts(number),
        )
        last = made


def _message(
    database: sqlite3.Connection, hash_: str, parent: str | None, role: str, *parts: Any
) -> None:
    _insert(database, "messages", hash=hash_, parent_hash=parent, role=role)
    for position, (type_, text, payload) in enumerate(parts):
        stored = None if payload is None else json.dumps(payload)
        _insert(
            database,
            "parts",
            message_hash=hash_,
            position=position,
            type=type_,
            text=text,
            payload=stored,
        )
