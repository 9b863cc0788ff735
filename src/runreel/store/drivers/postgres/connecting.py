"""Opens connections to a Postgres server."""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, Any

from runreel.model.errors import MissingExtra
from runreel.store.database_url import READ_ONLY

if TYPE_CHECKING:
    from psycopg import Connection as Raw

    from runreel.store.database_url import Url

CONNECT_SECONDS = 10
_REFUSED = "unsupported startup parameter"


def connect(url: Url, *, autocommit: bool = True) -> Raw:
    """Open a connection that commits each statement by itself, or not.

    Raises:
        MissingExtra: if the Postgres driver is not installed.
    """
    try:
        import psycopg
    except ModuleNotFoundError:
        raise MissingExtra(
            "the driver for Postgres is not installed", hint="pip install 'runreel[postgres]'"
        ) from None
    # The driver's own prepared statements break behind a pooler that shares server connections.
    arguments: dict[str, Any] = {"prepare_threshold": None, "connect_timeout": CONNECT_SECONDS}
    arguments |= url.arguments
    arguments |= {"client_encoding": "utf8", "autocommit": autocommit}
    try:
        return psycopg.connect(**arguments)
    except psycopg.OperationalError as error:
        options = str(arguments.get("options", ""))
        if READ_ONLY not in options or _REFUSED not in str(error):
            raise
        # A pooler that does not pass options on.
        return psycopg.connect(**arguments | {"options": options.replace(READ_ONLY, "").strip()})


def is_alive(raw: Raw) -> bool:
    """True if the server has not closed an idle connection.

    Asking the server each time takes as long as most queries.
    """
    if raw.closed:
        return False
    poll = select.poll()
    poll.register(raw.fileno(), select.POLLIN)
    # A server that closes the connection sends a message first, so a silent one is alive.
    if poll.poll(0):
        try:
            raw.execute("SELECT 1")
        except Exception:  # noqa: BLE001 - an error on the connection, which is then replaced
            return False
    return True
