"""The module of column names, made from the tables: short commands do not import SQLAlchemy."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

from runreel.store.schema import tables
from tests.docs.checkout import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sqlalchemy import Table

HEAD = '''\
"""The tables and their columns, made from ``store/schema/tables.py`` and the migrations.

Do not edit: ``python -m tests.docs.generate`` writes this file.
"""

# fmt: off
'''

# The tables whose columns the code reads.
_READ = (
    tables.events,
    tables.runs,
    tables.run_labels,
    tables.run_keys,
    tables.key_frames,
    tables.run_text,
    tables.usage_by_time,
    tables.run_costs,
    tables.cost_sums,
)


def render() -> str:
    """The whole module."""
    parts = [HEAD, "# Of the schema, oldest first.", _tuple("REVISIONS", _revisions())]
    parts += [f'PROJECTION_VERSION = "{tables.PROJECTION_VERSION}"', ""]
    parts += [_tuple("TABLES", tables.metadata.tables), "# Computed from the log."]
    parts += [_tuple("PROJECTIONS", [table.name for table in tables.PROJECTIONS])]
    for table in _READ:
        parts += ["", _tuple(table.name.upper(), table.columns.keys())]
    parts += ["# In an index of `runs` or its condition.", _tuple("INDEXED", _indexed(tables.runs))]
    return "\n".join(parts) + "\n"


def _revisions() -> list[str]:
    versions = CHECKOUT / "migrations/versions"
    return sorted(path.name.partition("_")[0] for path in versions.glob("[0-9]*.py"))


def _indexed(table: Table) -> Iterator[str]:
    used = set()
    for index in table.indexes:
        where = index.dialect_options["sqlite"]["where"]
        used |= {*index.columns.keys(), *re.findall(r"\w+", "" if where is None else where.text)}
    return (name for name in table.columns.keys() if name in used and name != "run_id")  # noqa: SIM118


def _tuple(name: str, items: Iterable[str]) -> str:
    quoted = [f'"{item}"' for item in items]
    line = f"{name} = ({', '.join(quoted)})"
    if len(line) <= 100:
        return line
    text = textwrap.fill(f"{', '.join(quoted)},", 96)
    return f"{name} = (\n{textwrap.indent(text, ' ' * 4)}\n)"
