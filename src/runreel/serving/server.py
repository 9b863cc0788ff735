"""What ``runreel serve`` and ``runreel proxy`` run on, if its packages are installed."""

from __future__ import annotations

from runreel.model.errors import MissingExtra

try:
    from runreel.serving.app import create_app
    from runreel.serving.requests_in import is_loopback
    from runreel.system.http_server import Server, listen, run
except ImportError as error:
    raise MissingExtra(
        f"the server needs a package that is not installed: {error.name}",
        hint="pip install 'runreel[serve]'",
    ) from None

__all__ = ["Server", "create_app", "is_loopback", "listen", "run"]
