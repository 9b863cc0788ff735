"""An event-sourced recorder of LLM-assistant runs."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

# isort: off
if TYPE_CHECKING:
    # Type checkers take a name as exported where it is imported as itself.
    from runreel.recording import Recording as Recording
    from runreel.reel import Reel as Reel
    from runreel.reel import open as open  # noqa: A004 - runreel.open reads as it should
    from runreel.rules.matching import Offer as Offer
    from runreel.words.audit import Finding as Finding
    from runreel.words.errors import (
        AmbiguousRun as AmbiguousRun,
        AuditError as AuditError,
        BadCheckpoint as BadCheckpoint,
        BadDatabaseUrl as BadDatabaseUrl,
        BadInput as BadInput,
        BadKey as BadKey,
        BadValue as BadValue,
        DatabaseLocked as DatabaseLocked,
        DatabaseReadOnly as DatabaseReadOnly,
        DatabaseUnavailable as DatabaseUnavailable,
        LogContradicted as LogContradicted,
        LogError as LogError,
        MissingExtra as MissingExtra,
        NotOurDatabase as NotOurDatabase,
        ProjectionOutdated as ProjectionOutdated,
        RecordingError as RecordingError,
        RunNotFound as RunNotFound,
        RunPruned as RunPruned,
        RunreelError as RunreelError,
        SchemaMissing as SchemaMissing,
        SchemaTooNew as SchemaTooNew,
        SchemaTooOld as SchemaTooOld,
        SourceConflict as SourceConflict,
        SourceError as SourceError,
        SourceMismatch as SourceMismatch,
        UsageError as UsageError,
    )
    from runreel.words.log import (
        Difference as Difference,
        Listing as Listing,
        OpenRecording as OpenRecording,
        Page as Page,
        PrunedRun as PrunedRun,
        RunError as RunError,
        RunSummary as RunSummary,
        StoredEvent as StoredEvent,
        UsageItem as UsageItem,
        UsageReport as UsageReport,
        UsageTotals as UsageTotals,
    )
    from runreel.words.messages import (
        Author as Author,
        Citation as Citation,
        File as File,
        FileChunk as FileChunk,
        Message as Message,
        PartialMessage as PartialMessage,
        SearchIndex as SearchIndex,
        UnknownSource as UnknownSource,
    )
    from runreel.words.results import (
        FunctionCall as FunctionCall,
        RunResult as RunResult,
        RunStreamEvent as RunStreamEvent,
        ToolCall as ToolCall,
        ToolCallList as ToolCallList,
        Usage as Usage,
        UsageDetails as UsageDetails,
    )
    from runreel.words.status import (
        BaseRunStatus as BaseRunStatus,
        MessageStatus as MessageStatus,
        RunStatus as RunStatus,
        StreamEvent as StreamEvent,
    )
    from runreel.words.timeline import Frame as Frame, Timeline as Timeline
    from runreel.words.upkeep import Place as Place, Recovered as Recovered

# isort: on

_HOMES = {
    "recording": ("Recording",),
    "reel": ("Reel", "open"),
    "rules.matching": ("Offer",),
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
    "words.timeline": ("Frame", "Timeline"),
    "words.upkeep": ("Place", "Recovered"),
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
