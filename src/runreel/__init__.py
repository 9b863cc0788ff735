"""An event-sourced recorder of LLM-assistant runs."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from runreel.recording import Recording
    from runreel.recovery import Recovered
    from runreel.redaction import Place
    from runreel.reel import Reel, open  # noqa: A004 - runreel.open reads as it should
    from runreel.replay import Frame, Timeline
    from runreel.rules.matching import Offer
    from runreel.words.audit import Finding
    from runreel.words.errors import (
        AmbiguousRun,
        AuditError,
        BadCheckpoint,
        BadDatabaseUrl,
        BadInput,
        BadKey,
        BadValue,
        DatabaseLocked,
        DatabaseReadOnly,
        DatabaseUnavailable,
        LogContradicted,
        LogError,
        MissingExtra,
        NotOurDatabase,
        ProjectionOutdated,
        RecordingError,
        RunNotFound,
        RunPruned,
        RunreelError,
        SchemaMissing,
        SchemaTooNew,
        SchemaTooOld,
        SourceConflict,
        SourceError,
        SourceMismatch,
        UsageError,
    )
    from runreel.words.log import (
        Difference,
        Listing,
        OpenRecording,
        Page,
        PrunedRun,
        RunError,
        RunSummary,
        StoredEvent,
        UsageItem,
        UsageReport,
        UsageTotals,
    )
    from runreel.words.messages import (
        Author,
        Citation,
        File,
        FileChunk,
        Message,
        PartialMessage,
        SearchIndex,
        UnknownSource,
    )
    from runreel.words.results import (
        FunctionCall,
        RunResult,
        RunStreamEvent,
        ToolCall,
        ToolCallList,
        Usage,
        UsageDetails,
    )
    from runreel.words.status import BaseRunStatus, MessageStatus, RunStatus, StreamEvent

_HOMES = {
    "recording": ("Recording",),
    "recovery": ("Recovered",),
    "reel": ("Reel", "open"),
    "replay": ("Frame", "Timeline"),
    "rules.matching": ("Offer",),
    "redaction": ("Place",),
    "words.audit": ("Finding",),
    "words.errors": (
        "AmbiguousRun",
        "AuditError",
        "BadCheckpoint",
        "BadDatabaseUrl",
        "BadInput",
        "BadKey",
        "BadValue",
        "DatabaseLocked",
        "DatabaseReadOnly",
        "DatabaseUnavailable",
        "LogContradicted",
        "LogError",
        "MissingExtra",
        "NotOurDatabase",
        "ProjectionOutdated",
        "RecordingError",
        "RunNotFound",
        "RunPruned",
        "RunreelError",
        "SchemaMissing",
        "SchemaTooNew",
        "SchemaTooOld",
        "SourceConflict",
        "SourceError",
        "SourceMismatch",
        "UsageError",
    ),
    "words.log": (
        "Difference",
        "Listing",
        "OpenRecording",
        "Page",
        "PrunedRun",
        "RunError",
        "RunSummary",
        "StoredEvent",
        "UsageItem",
        "UsageReport",
        "UsageTotals",
    ),
    "words.messages": (
        "Author",
        "Citation",
        "File",
        "FileChunk",
        "Message",
        "PartialMessage",
        "SearchIndex",
        "UnknownSource",
    ),
    "words.results": (
        "FunctionCall",
        "RunResult",
        "RunStreamEvent",
        "ToolCall",
        "ToolCallList",
        "Usage",
        "UsageDetails",
    ),
    "words.status": ("BaseRunStatus", "MessageStatus", "RunStatus", "StreamEvent"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = sorted(_HOME_OF)  # noqa: PLE0605 - it is a list of str
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
