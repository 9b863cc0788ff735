"""``reel.record`` knows whose stream it is given, and ``reel.interceptors`` whose object."""

from __future__ import annotations

import sys
from importlib import metadata
from typing import TYPE_CHECKING, Any

import pytest

from runreel.model.errors import MissingExtra, UsageError
from tests.live.assistants_script import Script
from tests.live.yandex import sdk
from tests.live.yandex_programs import ask

if TYPE_CHECKING:
    from runreel.api.reel import Reel
    from tests.live.assistants_service import AssistantsService


def test_a_run_of_the_sdk_is_recorded(reel: Reel, assistants: AssistantsService) -> None:
    assistants.scripts.append(Script())
    run = reel.record(ask(sdk(assistants), stream=True), labels={"team": "a"})
    assert [event.status.name for event in run][-1] == "DONE"
    kept = reel.run(run.id)
    assert (kept.source, kept.status.name) == ("yandex-assistants", "COMPLETED")
    assert kept.labels == {"team": "a"}


@pytest.mark.parametrize("stream", [[], "run-1", None, iter(()), object()])
def test_what_is_no_stream_is_refused(reel: Reel, stream: object) -> None:
    with pytest.raises(UsageError, match=f"cannot record a {type(stream).__name__}"):
        reel.record(stream)
    assert len(reel.runs()) == 0


def test_another_object_of_the_sdk_is_refused(reel: Reel, assistants: AssistantsService) -> None:
    with pytest.raises(UsageError, match="not a run of the Yandex SDK: AIStudio"):
        reel.record(sdk(assistants))


@pytest.fixture
def without_assistants(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """As if the SDK had none."""
    monkeypatch.setitem(sys.modules, "yandex_ai_studio_sdk._runs.run", None)
    return monkeypatch


class Completion:
    """Of an SDK that has completions and no assistants."""

    __module__ = "yandex_ai_studio_sdk._models.completions"


DOORS = [lambda reel: reel.record(Completion()), lambda reel: reel.interceptors()]


@pytest.fixture
def without_completions(without_assistants: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """As if it had no completions either."""
    without_assistants.setitem(sys.modules, "yandex_ai_studio_sdk._models.completions", None)
    return without_assistants


@pytest.mark.parametrize("door", DOORS)
def test_an_sdk_that_has_neither_is_named(
    reel: Reel, without_completions: pytest.MonkeyPatch, door: Any
) -> None:
    without_completions.setattr(metadata, "version", lambda _: "0.30")
    with pytest.raises(MissingExtra, match=r"0\.30 has n.*0\.19\.0 to 0\.22\.0 have") as e:
        door(reel)
    assert "pip install 'runreel[yandex]'" in str(e.value.hint)
    assert e.value.exit_code == 4


@pytest.mark.usefixtures("without_assistants")
def test_an_sdk_without_assistants_has_completions(reel: Reel) -> None:
    assert [type(one).__name__ for one in reel.interceptors()] == ["Completions"]
    with pytest.raises(UsageError, match="not a run of the Yandex SDK: Completion") as caught:
        reel.record(Completion())
    assert "interceptors=reel.interceptors()" in str(caught.value.hint)


@pytest.mark.parametrize("door", DOORS)
def test_an_sdk_that_is_missing_is_named(
    reel: Reel, without_completions: pytest.MonkeyPatch, door: Any
) -> None:
    def missing(_: str) -> str:
        raise metadata.PackageNotFoundError

    without_completions.setattr(metadata, "version", missing)
    with pytest.raises(MissingExtra, match=r"is not installed.*0\.19\.0 to 0\.22\.0") as caught:
        door(reel)
    assert "pip install 'runreel[yandex]'" in str(caught.value.hint)
