"""An event-sourced recorder of LLM-assistant runs."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

# isort: off
if TYPE_CHECKING:
    # Type checkers treat a name imported as itself as exported.
    from runreel.recording.session import Recording as Recording
    from runreel.api.reel import Reel as Reel
    from runreel.api.reel import open as open  # noqa: A004 - runreel.open reads as it should
    from runreel.api.reel import read as read
    from runreel.api.reel import watch as watch
    from runreel.api.watching import Watch as Watch
    from runreel.export.export import ExportReport as ExportReport
    from runreel.recording.deduplication import (
        AppendOutcome as AppendOutcome,
        AppendOutcome as Offer,
    )
    from runreel.model.finding import Finding as Finding
    from runreel.model.errors import (
        AmbiguousRun as AmbiguousRun,
        AuditError as AuditError,
        BadCheckpoint as BadCheckpoint,
        BadDatabaseUrl as BadDatabaseUrl,
        BadInput as BadInput,
        BadKey as BadKey,
        BadPrices as BadPrices,
        BadRecording as BadRecording,
        BadValue as BadValue,
        DatabaseLocked as DatabaseLocked,
        DatabaseReadOnly as DatabaseReadOnly,
        DatabaseUnavailable as DatabaseUnavailable,
        LogContradicted as LogContradicted,
        LogError as LogError,
        MissingExtra as MissingExtra,
        NotOurDatabase as NotOurDatabase,
        PartNotSearched as PartNotSearched,
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
    from runreel.model.events import StoredEvent as StoredEvent
    from runreel.model.runs import (
        Difference as Difference,
        Listing as Listing,
        OpenRecording as OpenRecording,
        Page as Page,
        PrunedRun as PrunedRun,
        RunError as RunError,
        RunSummary as RunSummary,
    )
    from runreel.model.budget import Budget as Budget, BudgetItem as BudgetItem
    from runreel.model.usage import (
        CurrencyCost as CurrencyCost,
        PricesUsed as PricesUsed,
        RunCost as RunCost,
        UsageItem as UsageItem,
        UsageReport as UsageReport,
        UsageTotals as UsageTotals,
    )
    from runreel.model.messages import (
        Author as Author,
        Citation as Citation,
        File as File,
        FileChunk as FileChunk,
        Message as Message,
        PartialMessage as PartialMessage,
        SearchIndex as SearchIndex,
        UnknownSource as UnknownSource,
    )
    from runreel.model.results import (
        CallUsage as CallUsage,
        FunctionCall as FunctionCall,
        RunResult as RunResult,
        RunStreamEvent as RunStreamEvent,
        ToolCall as ToolCall,
        ToolCallList as ToolCallList,
        Usage as Usage,
        UsageDetails as UsageDetails,
    )
    from runreel.model.status import (
        BaseRunStatus as BaseRunStatus,
        MessageStatus as MessageStatus,
        RunStatus as RunStatus,
        StreamEvent as StreamEvent,
    )
    from runreel.model.run_diff import (
        CallChange as CallChange,
        NumbersDiff as NumbersDiff,
        RequestChange as RequestChange,
        RequestDiff as RequestDiff,
        RunDiff as RunDiff,
        TextChange as TextChange,
        TextDiff as TextDiff,
        ToolsDiff as ToolsDiff,
        ValueChange as ValueChange,
    )
    from runreel.model.steps import Step as Step
    from runreel.model.story import (
        AskedMessage as AskedMessage,
        ErrorStep as ErrorStep,
        NoteStep as NoteStep,
        ReasoningStep as ReasoningStep,
        RequestStep as RequestStep,
        TextStep as TextStep,
        ToolCallStep as ToolCallStep,
    )
    from runreel.model.timeline import Frame as Frame, Timeline as Timeline
    from runreel.store.schema import tables as tables
    from runreel.model.search import (
        IndexReport as IndexReport,
        Match as Match,
    )
    from runreel.model.maintenance import (
        RedactionMatch as Place,
        RedactionMatch as RedactionMatch,
        Recovered as Recovered,
    )

# isort: on

# Names by module; a type checker has them from above.
_HOMES = {
    "recording.session": "Recording",
    "api.reel": "Reel open read watch",
    "api.watching": "Watch",
    "export.export": "ExportReport",
    "recording.deduplication": "AppendOutcome",
    "model.finding": "Finding",
    "model.errors": (
        "AmbiguousRun AuditError BadCheckpoint BadDatabaseUrl BadInput BadKey BadPrices"
        " BadRecording BadValue DatabaseLocked DatabaseReadOnly DatabaseUnavailable"
        " LogContradicted LogError"
        " MissingExtra NotOurDatabase PartNotSearched ProjectionOutdated RecordingError"
        " RunNotFound RunPruned RunreelError SchemaMissing SchemaTooNew SchemaTooOld"
        " SourceConflict SourceError"
        " SourceMismatch UsageError"
    ),
    "model.events": "StoredEvent",
    "model.runs": "Difference Listing OpenRecording Page PrunedRun RunError RunSummary",
    "model.budget": "Budget BudgetItem",
    "model.usage": "CurrencyCost PricesUsed RunCost UsageItem UsageReport UsageTotals",
    "model.messages": (
        "Author Citation File FileChunk Message PartialMessage SearchIndex UnknownSource"
    ),
    "model.results": (
        "CallUsage FunctionCall RunResult RunStreamEvent ToolCall ToolCallList Usage UsageDetails"
    ),
    "model.status": "BaseRunStatus MessageStatus RunStatus StreamEvent",
    "model.run_diff": (
        "CallChange NumbersDiff RequestChange RequestDiff RunDiff TextChange TextDiff ToolsDiff"
        " ValueChange"
    ),
    "model.steps": "Step",
    "model.story": (
        "AskedMessage ErrorStep NoteStep ReasoningStep RequestStep TextStep ToolCallStep"
    ),
    "model.timeline": "Frame Timeline",
    "model.maintenance": "RedactionMatch Recovered",
    "model.search": "IndexReport Match",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}
# Names of earlier versions, which keep working.
_FORMER = {"Offer": "AppendOutcome", "Place": "RedactionMatch"}

__all__ = sorted(_HOME_OF)  # noqa: PLE0605 - it is a list of str
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name in _FORMER:
        return __getattr__(_FORMER[name])
    if name == "tables":
        return import_module(f"{__name__}.store.schema.tables")
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "tables"})
