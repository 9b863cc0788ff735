"""``reel.record`` knows whose stream it is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runreel.words.errors import UsageError
from tests.live.assistants_script import Script
from tests.live.yandex import sdk
from tests.live.yandex_programs import ask

if TYPE_CHECKING:
    from runreel.reel import Reel
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
    with pytest.raises(UsageError, match=f"how to record a {type(stream).__name__}"):
        reel.record(stream)
    assert len(reel.runs()) == 0
