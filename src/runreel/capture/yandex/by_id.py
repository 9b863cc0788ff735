"""Recording of a run by its id alone, without the SDK, for the command line."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from runreel.capture.yandex.record import PROTO_MODULES, SOURCE, require
from runreel.model.import_report import Report
from runreel.recording.error_policy import GuardedRecorder
from runreel.recording.recorder import Recorder

if TYPE_CHECKING:
    from collections.abc import Callable

    from runreel.capture.yandex.session import RetryPolicy
    from runreel.store.database import Database


def listen_by_id(
    database: Database,
    run_id: str,
    *,
    identity: dict[str, Any] | None = None,
    on_event: Callable[[Report], None] | None = None,
    patience: RetryPolicy | None = None,
) -> Report:
    """Record a run until it ends, starting after the last event in the log.

    Key and endpoint come from the SDK's environment variables: YC_API_KEY, YC_IAM_TOKEN or
    YC_TOKEN, YC_API_ENDPOINT, GRPC_DEFAULT_SSL_ROOTS_FILE_PATH.

    Raises:
        MissingExtra: if the required packages are not installed.
        SourceError: if the service refuses, or sends no event for too long; events received until
            then are stored.
    """
    require(*PROTO_MODULES)
    from runreel.capture.yandex.grpc_client import listen

    recorder = Recorder(database, run_id, source=SOURCE, via="live", identity=identity)
    new = recorder.last_seq < 0
    report = Report(source=SOURCE)
    for outcome in listen(database, GuardedRecorder(recorder), os.environ, patience):
        report.lines += 1
        if outcome is not None:
            report.count(new=outcome.new, conflict=outcome.conflict)
            report.runs_touched = int(report.events_new > 0)
            report.runs_new = int(new and report.events_new > 0)
        if on_event is not None:
            on_event(report)
    return report
