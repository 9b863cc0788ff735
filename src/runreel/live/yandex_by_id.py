"""Listening to a run by nothing but its id: what the command line does, without the SDK."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from runreel.keeper import Keeper
from runreel.recorder import Recorder
from runreel.words.errors import MissingExtra

if TYPE_CHECKING:
    from collections.abc import Callable

    from runreel.live.yandex_session import Patience
    from runreel.rules.matching import Offer
    from runreel.store.database import Database

SOURCE = "yandex-assistants"


@dataclass(slots=True)
class Heard:
    """What became of what was heard, in the terms of ``transfer.Report``."""

    lines: int = 0
    events_new: int = 0
    events_known: int = 0
    runs_new: int = 0
    runs_touched: int = 0
    source: str = SOURCE
    problems: list[Any] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)

    def count(self, offer: Offer | None) -> None:
        """Take in what became of one event."""
        self.lines += 1
        if offer is not None and not offer.conflict:
            self.events_new += offer.new
            self.events_known += not offer.new


def listen_by_id(
    database: Database,
    run_id: str,
    *,
    identity: dict[str, Any] | None = None,
    on_event: Callable[[Heard], None] | None = None,
    patience: Patience | None = None,
) -> Heard:
    """Record a run until it is over, going on where the log ends.

    Key and endpoint come from the SDK's environment variables: YC_API_KEY, YC_IAM_TOKEN or
    YC_TOKEN, YC_API_ENDPOINT, GRPC_DEFAULT_SSL_ROOTS_FILE_PATH.

    Raises:
        MissingExtra: if the packages for it are not installed.
        SourceError: if the service does not let us listen, or the run goes on for too long
            without a word; what was heard until then is stored.
    """
    try:
        import_module("grpc")
        import_module("yandex.cloud.ai.assistants.v1.runs.run_service_pb2_grpc")
    except ImportError:
        raise MissingExtra(
            "what is needed to talk to the Assistants service is not installed",
            hint="pip install 'runreel[yandex]'",
        ) from None
    from runreel.live.yandex_channel import hear

    recorder = Recorder(database, run_id, source=SOURCE, via="live", identity=identity)
    heard = Heard(runs_new=int(recorder.last_seq < 0))
    for offer in hear(database, Keeper(recorder), os.environ, patience):
        heard.count(offer)
        if on_event is not None:
            on_event(heard)
    heard.runs_new = int(heard.runs_new and heard.events_new > 0)
    heard.runs_touched = int(heard.events_new > 0)
    return heard
