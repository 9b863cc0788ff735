"""Listening to a run by nothing but its id: what the command line does, without the SDK."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from runreel.capture.yandex.record import PROTOS, SOURCE, require
from runreel.model.import_report import Report
from runreel.recording.error_policy import GuardedRecorder
from runreel.recording.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runreel.capture.yandex.session import RetryPolicy
    from runreel.store.database import Database

# The variables that a key may stand in, the first that is set, and what it is called then.
KEYS = {"YC_API_KEY": "Api-Key", "YC_IAM_TOKEN": "Bearer", "YC_TOKEN": "Bearer"}


def authorization(environment: Mapping[str, str]) -> str | None:
    """What opens the service's doors; None where no key is set."""
    for name, scheme in KEYS.items():
        if key := environment.get(name, "").strip():
            return f"{scheme} {key}"
    return None


def listen_by_id(
    database: Database,
    run_id: str,
    *,
    identity: dict[str, Any] | None = None,
    on_event: Callable[[Report], None] | None = None,
    patience: RetryPolicy | None = None,
) -> Report:
    """Record a run until it is over, going on where the log ends.

    Key and endpoint come from the SDK's environment variables: YC_API_KEY, YC_IAM_TOKEN or
    YC_TOKEN, YC_API_ENDPOINT, GRPC_DEFAULT_SSL_ROOTS_FILE_PATH.

    Raises:
        MissingExtra: if the packages for it are not installed.
        SourceError: if the service does not let us listen, or the run goes on for too long
            without a word; what was heard until then is stored.
    """
    require(*PROTOS)
    from runreel.capture.yandex.grpc_client import listen

    recorder = Recorder(database, run_id, source=SOURCE, via="live", identity=identity)
    new = recorder.last_seq < 0
    report = Report(source=SOURCE)
    for offer in listen(database, GuardedRecorder(recorder), os.environ, patience):
        report.lines += 1
        if offer is not None:
            report.count(new=offer.new, conflict=offer.conflict)
            report.runs_touched = int(report.events_new > 0)
            report.runs_new = int(new and report.events_new > 0)
        if on_event is not None:
            on_event(report)
    return report
