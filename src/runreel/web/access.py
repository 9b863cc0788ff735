"""Who may see the pages: hosts, the token in the URL, and the cookie that it is exchanged for."""

from __future__ import annotations

import ipaddress
import secrets
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

LOOPBACK = "127.0.0.1"
_LOCAL_NAMES = frozenset(("localhost", LOOPBACK, "::1"))
_BYTES = 32


class Access:
    """The rules of one server, which listens on ``host`` and ``port``.

    Without a ``token`` one is made, which is good for one browser. A given one is that of a file,
    and good for every browser.
    """

    def __init__(self, host: str, port: int, *, token: str | None = None) -> None:
        self.host = host
        self.port = port
        self.token = token or secrets.token_urlsafe(_BYTES)
        self._is_shared = token is not None
        self._is_used = False
        self._session = secrets.token_urlsafe(_BYTES)
        # Servers on other ports of this host share its cookies.
        self._cookie = f"runreel-{port}"

    @property
    def origin(self) -> str:
        """The URL of the list of runs, without the slash at its end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    @property
    def set_cookie(self) -> str:
        """The header that gives a browser the cookie."""
        return f"{self._cookie}={self._session}; HttpOnly; SameSite=Strict; Path=/"

    def allows_host(self, header: str) -> bool:
        """True if a page of this server may have this ``Host``.

        Names of others are refused: the page of a foreign site could have its name resolve to this
        machine. Addresses cannot.
        """
        name = _host_name(header)
        if name is None:
            return False
        if is_loopback(self.host):
            return name in _LOCAL_NAMES or name == self.host.lower()
        known = {*_LOCAL_NAMES, self.host.lower(), socket.gethostname().lower()}
        return name in known or _address(name) is not None

    def redeem(self, token: str) -> bool:
        """Use a token; True if it is right and, unless it is that of a file, was not used yet."""
        if not _equal(token, self.token) or (self._is_used and not self._is_shared):
            return False
        self._is_used = True
        return True

    def admits(self, cookies: Iterable[str]) -> bool:
        """True if one of the ``Cookie`` headers has the cookie of this server."""
        for header in cookies:
            for cookie in header.split(";"):
                name, _, value = cookie.strip().partition("=")
                if name == self._cookie and _equal(value, self._session):
                    return True
        return False


def is_loopback(host: str) -> bool:
    """True if only this machine reaches the host."""
    address = _address(host)
    return host.lower() == "localhost" if address is None else address.is_loopback


def _host_name(header: str) -> str | None:
    """Return the name or address in a ``Host`` header, None if it has none."""
    name, bracket, rest = header.strip().lower().rpartition("]")
    if bracket:
        name = name.removeprefix("[")
    else:
        name, _, port = rest.partition(":")
        rest = f":{port}" if port else ""
    if rest and not (rest[0] == ":" and rest[1:].isdecimal()):
        return None
    return name or None


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _equal(given: str, right: str) -> bool:
    return secrets.compare_digest(given.encode(errors="replace"), right.encode())
