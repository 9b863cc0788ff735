"""Whole recordings, real and made up, through the log and out again."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.json_format import ParseDict
from yandex.cloud.ai.assistants.v1.runs.run_pb2 import Run
from yandex.cloud.ai.assistants.v1.runs.run_service_pb2 import StreamEvent as ProtoStreamEvent
from yandex_ai_studio_sdk import AIStudio
from yandex_ai_studio_sdk._runs.result import RunResult as SDKRunResult
from yandex_ai_studio_sdk._runs.result import RunStreamEvent as SDKRunStreamEvent
from yandex_ai_studio_sdk.auth import NoAuth

import runreel
from runreel.importing.import_files import import_files
from runreel.model.status import RunStatus
from tests import logs, real_runs, traffic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.api.reel import Reel

SDK = AIStudio(folder_id="x", endpoint=None, auth=NoAuth())
RECORDINGS = {
    shape.replace(" ", "-"): make(f"made-up-{n}")
    for n, (shape, make) in enumerate(traffic.SHAPES.items())
} | real_runs.RECORDINGS
ENDS = {"DONE": RunStatus.COMPLETED, "ERROR": RunStatus.FAILED, "TOOL_CALLS": RunStatus.TOOL_CALLS}
FINAL = ("COMPLETED", "FAILED")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Each recording as a file."""
    folder = tmp_path_factory.mktemp("recordings")
    return {
        name: traffic.write(folder / f"{name}.jsonl", lines) for name, lines in RECORDINGS.items()
    }


@pytest.fixture(scope="module")
def reel(shared_url: str, files: dict[str, str]) -> Iterator[Reel]:
    """A reel on a log that has them all."""
    with runreel.open(shared_url) as opened:
        report = import_files(opened.db, list(files.values()))
        assert (report.problems, report.runs_new) == ([], len(RECORDINGS))
        yield opened
        logs.verify(opened)


@pytest.fixture(params=RECORDINGS)
def name(request: pytest.FixtureRequest) -> str:
    """Each recording in turn."""
    return str(request.param)


@pytest.fixture
def run_id(name: str) -> str:
    """The id of the recording's run."""
    return one_run(RECORDINGS[name])


def one_run(lines: list[dict[str, Any]]) -> str:
    ids = {line["data"]["id"] for line in lines if line["type"] == "run"}
    (run_id,) = ids
    return str(run_id)


def outcome(result: Any) -> dict[str, Any]:
    """What a result says, of the SDK or ours."""
    calls = result.tool_calls and [
        (c.function.name, c.function.arguments) for c in result.tool_calls
    ]
    usage = result.usage and tuple(
        getattr(result.usage, key)
        for key in ("input_text_tokens", "completion_tokens", "total_tokens")
    )
    told = {"status": result.status.name, "error": result.error, "calls": calls, "usage": usage}
    if result.is_failed:
        with pytest.raises(ValueError, match="run is failed"):
            _ = result.text
        return told
    return told | {
        "text": result.text,
        "parts": tuple(result.parts),
        "sources": [
            [source.text if source.type == "filechunk" else source.type for source in cited.sources]
            for cited in result.citations
        ],
    }


def text_before(lines: list[dict[str, Any]], result: SDKRunResult[Any]) -> dict[str, Any]:
    """What the stream has written, where a Run that did not fail has no message."""
    if result.is_failed or result.message is not None:
        return {}
    events = [line["data"] for line in lines if line["type"] == "stream_event"]
    written = [data for data in events if "partialMessage" in data or "completedMessage" in data]
    if not written:
        return {}
    last = ParseDict(written[-1], ProtoStreamEvent())
    event = SDKRunStreamEvent._from_proto(proto=last, sdk=SDK)
    return {"text": event.text, "parts": tuple(event.parts)}


def told_by_sdk(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """What the SDK makes of the last Run, or, where that is not final, of the stream behind it."""
    runs = [n for n, line in enumerate(lines) if line["type"] == "run"]
    last = lines[runs[-1]]["data"]
    result = SDKRunResult._from_proto(proto=ParseDict(last, Run()), sdk=SDK)
    told = outcome(result) | text_before(lines, result)
    behind = [line["data"] for line in lines[runs[-1] :] if line["type"] == "stream_event"]
    if last["state"]["status"] in FINAL or not behind:
        return told
    event = SDKRunStreamEvent._from_proto(proto=ParseDict(behind[-1], ProtoStreamEvent()), sdk=SDK)
    status = ENDS[behind[-1]["eventType"]]
    message = event.message
    return told | {
        "status": status.name,
        "error": event.error,
        "text": event.text,
        "parts": tuple(event.parts),
        "sources": [[s.text for s in citation.sources] for citation in message.citations],
    }


def test_a_recording_gives_the_result_that_the_sdk_makes_of_it(reel, name, run_id):
    assert outcome(reel.result(run_id)) == told_by_sdk(RECORDINGS[name])


def test_every_line_of_the_source_comes_back_equal_and_in_order(reel, name, run_id):
    lines = [line for line in RECORDINGS[name] if line["type"] in ("run", "stream_event")]
    stored = [e for e in reel.events(run_id) if e.kind in ("run", "stream_event")]

    assert [event.raw for event in stored] == [line["data"] for line in lines]
    assert [event.kind for event in stored] == [line["type"] for line in lines]


def test_the_lines_about_a_run_come_back_as_its_context(reel, name, run_id):
    about = [line["data"] for line in RECORDINGS[name] if line["type"] in ("assistant", "message")]
    stored = [event.raw for event in reel.events(run_id) if event.kind == "context"]

    models = [data["modelUri"] for data in about if "modelUri" in data]
    assert stored == about
    assert reel.run(run_id).model == (models[-1] if models else None)


def test_importing_again_changes_not_one_row(reel, name, files):
    before = logs.rows(reel), reel.runs(limit=0).items
    again = import_files(reel.db, [files[name]])

    assert (logs.rows(reel), reel.runs(limit=0).items) == before
    assert (again.events_new, again.runs_new, again.runs_touched, again.problems) == (0, 0, 0, [])
    assert again.events_known == len(logs.told(reel, one_run(RECORDINGS[name])))


def test_the_projections_are_what_the_log_says(reel, name, run_id):
    assert reel.rebuild([run_id], check=True) == []
    assert reel.run(run_id).recording == "closed"


def test_the_stream_replays_as_the_sdk_showed_it(reel, name, run_id):
    lines = [line["data"] for line in RECORDINGS[name] if line["type"] == "stream_event"]
    protos = [ParseDict(data, ProtoStreamEvent()) for data in lines]
    theirs = [SDKRunStreamEvent._from_proto(proto=proto, sdk=SDK) for proto in protos]
    ours = list(reel.replay(run_id, instant=True))

    assert [e.status.name for e in ours] == [e.status.name for e in theirs]
    assert [e.error for e in ours] == [e.error for e in theirs]
    assert [None if e.is_failed else e.text for e in ours] == [
        None if e.is_failed else e.text for e in theirs
    ]
    assert Counter(e.status_name for e in ours)["unknown"] == 0
