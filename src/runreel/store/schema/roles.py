"""SQL for Postgres roles, each with the least privileges that its work needs."""

from __future__ import annotations

from dataclasses import dataclass

from runreel.model.columns import PROJECTIONS
from runreel.model.errors import UsageError
from runreel.store.schema.comparison import FUNCTIONS, RELATIONS

# Postgres truncates longer names silently.
_LONGEST = 63


@dataclass(frozen=True, slots=True)
class Roles:
    """The names of the roles, and of the schema with the tables."""

    owner: str = "runreel_owner"
    recorder: str = "runreel_recorder"
    reader: str = "runreel_reader"
    redactor: str = "runreel_redactor"
    schema: str = "public"


def roles_sql(roles: Roles) -> str:
    """Return a script that creates missing roles and sets privileges; it can be run repeatedly.

    Raises:
        UsageError: if Postgres does not accept a name, or two roles have the same.
    """
    names = (roles.owner, roles.recorder, roles.reader, roles.redactor)
    owner, recorder, reader, redactor = map(_quoted, names)
    home = _quoted(roles.schema)
    if len(set(names)) < len(names):
        raise UsageError("two roles have the same name")
    tables = ", ".join(f"{home}.{name}" for name in RELATIONS)
    events, projections = f"{home}.events", ", ".join(f"{home}.{name}" for name in PROJECTIONS)
    writers = f"{recorder}, {redactor}"
    lines = [
        "-- To be run in the log's database by a superuser, and again after `runreel db upgrade`.",
        "BEGIN;",
        *map(_created, names),
        "",
        "-- The owner owns the tables and runs `runreel db upgrade`. Use it for nothing else.",
        f"GRANT USAGE, CREATE ON SCHEMA {home} TO {owner};",
        *(f"ALTER TABLE {home}.{name} OWNER TO {owner};" for name in RELATIONS),
        *(f"ALTER FUNCTION {home}.{name}() OWNER TO {owner};" for name in FUNCTIONS),
        "",
        "-- The other roles get only the privileges below; earlier ones are revoked.",
        f"REVOKE CREATE ON SCHEMA {home} FROM PUBLIC, {writers}, {reader};",
        f"REVOKE ALL ON {tables} FROM PUBLIC, {writers}, {reader};",
        f"GRANT USAGE ON SCHEMA {home} TO {writers}, {reader};",
        f"GRANT SELECT ON {tables} TO {writers}, {reader};",
        _of_partitions(events, owner, f"{writers}, {reader}"),
        "",
        "-- The recorder appends to the event log and updates the projections.",
        f"GRANT INSERT ON {events} TO {writers};",
        f"GRANT INSERT, UPDATE, DELETE ON {projections} TO {writers};",
        "",
        "-- The redactor may also erase payloads and prune runs, as far as the triggers allow.",
        f"GRANT UPDATE (payload, salt, redacted), DELETE ON {events} TO {redactor};",
        "COMMIT;",
    ]
    return "\n".join(lines) + "\n"


def _created(name: str) -> str:
    known = f"EXISTS (SELECT FROM pg_roles WHERE rolname = {_literal(name)})"
    body = f"BEGIN IF NOT {known} THEN CREATE ROLE {_quoted(name)}; END IF; END"
    return f"DO {_literal(body)};"


def _of_partitions(events: str, owner: str, readers: str) -> str:
    """Return SQL for the partitions: owned by the owner, read by the guards as any other role."""
    parts = f"SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = {_literal(events)}"
    steps = (
        ("ALTER TABLE", f" OWNER TO {owner}"),
        ("REVOKE ALL ON", f" FROM PUBLIC, {readers}"),
        ("GRANT SELECT ON", f" TO {readers}"),
    )
    statements = " ".join(
        f"EXECUTE '{action} ' || part || {_literal(target)};" for action, target in steps
    )
    body = f"DECLARE part text; BEGIN FOR part IN {parts}::regclass LOOP {statements} END LOOP; END"
    return f"DO {_literal(body)};"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _quoted(name: str) -> str:
    if not name or not name.isprintable() or len(name.encode()) > _LONGEST:
        raise UsageError(f"{name!r} is not a valid name for a Postgres role or schema")
    return '"' + name.replace('"', '""') + '"'
