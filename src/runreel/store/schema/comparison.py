"""Compares the schema of a database with that of the migrations: tables, views and guards.

The expected schema is not written down a second time. The migrations create it for the comparison:
on SQLite in memory, on Postgres as temporary objects that are rolled back, since each server
version describes the same object in its own words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runreel.model.columns import TABLES
from runreel.store.drivers import errors as driver_errors
from runreel.store.schema import migrations as schema

if TYPE_CHECKING:
    from runreel.store.connection import Connection

VIEWS = ("transcript", "run_list")
RELATIONS = (*TABLES, schema.VERSION_TABLE, *VIEWS)
# Postgres only; SQLite's triggers contain their bodies.
FUNCTIONS = ("runreel_guard_update", "runreel_guard_delete", "runreel_guard_truncate")


def differences(connection: Connection) -> list[str]:
    """Return one sentence for each difference between the schema and this code's migrations.

    Compared are tables, columns, constraints, indexes, views, rules and triggers, and whether the
    triggers are enabled. Other objects in the database are ignored. Nothing is changed.
    ``connection`` is in no transaction. If ``not_compared`` has a reason, the list is empty.
    """
    if not_compared(connection) is not None:
        return []
    try:
        found, expected = connection.driver.catalogue.objects(
            connection, RELATIONS, _ddl(connection)
        )
    except Exception as error:
        if not driver_errors.is_rejection(error):
            raise
        return [f"the schema cannot be compared: {' '.join(str(error).split())}"]
    missing = {relation for relation, item in expected.keys() - found.keys() if not item}
    return [
        _sentence(key, found.get(key), expected.get(key))
        for key in sorted(found | expected)
        if found.get(key) != expected.get(key) and not (key[1] and key[0] in missing)
    ]


def not_compared(connection: Connection) -> str | None:
    """Return why the schema cannot be compared here, and what to do; None if it can."""
    return connection.driver.catalogue.not_compared(connection)


def _ddl(connection: Connection) -> str:
    driver = connection.driver
    # It is the same for all databases of a kind, but for the id that it inserts.
    if driver.backend not in _ddl_of_kind:
        _ddl_of_kind[driver.backend] = schema.ddl(driver.url)
    return _ddl_of_kind[driver.backend]


_ddl_of_kind: dict[str, str] = {}


def _sentence(key: tuple[str, str], found: str | None, expected: str | None) -> str:
    name = ": ".join(filter(None, key))
    if found is None:
        return f"{name} is missing"
    if expected is None:
        return f"{name} is not runreel's"
    actual, original = (definition.partition("\n")[0] for definition in (found, expected))
    return (
        f"{name} is not as runreel made it"
        if actual == original
        else f"{name} is {actual}, not {original}"
    )
