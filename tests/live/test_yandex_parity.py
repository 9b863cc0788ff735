"""A recorded run behaves as the SDK's own: the same programs see the same things."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from yandex_ai_studio_sdk._runs.run import AsyncRun, Run

from tests.live.yandex import assert_copy, async_sdk, record, sdk
from tests.live.yandex_programs import ASYNC, SYNC, ask, named

if TYPE_CHECKING:
    from runreel.api.reel import Reel
    from tests.live.assistants_script import Script
    from tests.live.assistants_service import AssistantsService
    from tests.live.yandex_programs import AsyncProgram, Program, Record


@pytest.mark.parametrize(("program", "script"), SYNC, **named(SYNC))
def test_a_program_sees_what_it_sees_without_a_recorder(
    reel: Reel, assistants: AssistantsService, program: Program, script: Script
) -> None:
    assistants.scripts.append(script)
    bare = program(sdk(assistants), lambda run: run)
    assistants.scripts.append(script)
    assert program(sdk(assistants), lambda run: record(reel, run)) == bare
    assert_recorded(reel, assistants)


@pytest.mark.parametrize(("program", "script"), ASYNC, **named(ASYNC))
def test_an_asynchronous_program_does_too(
    reel: Reel, assistants: AssistantsService, program: AsyncProgram, script: Script
) -> None:
    async def seen(record: Record) -> list[Any]:
        assistants.scripts.append(script)
        return await program(async_sdk(assistants), record)

    bare = asyncio.run(seen(lambda run: run))
    assert asyncio.run(seen(lambda run: record(reel, run))) == bare
    assert_recorded(reel, assistants)


def test_a_recorded_run_is_a_run(reel: Reel, assistants: AssistantsService) -> None:
    bare = ask(sdk(assistants), stream=True)
    run = record(reel, bare)
    assert isinstance(run, Run)
    assert not isinstance(run, AsyncRun)
    for name in ("id", "assistant_id", "thread_id", "created_by", "created_at", "labels"):
        assert getattr(run, name) == getattr(bare, name)
    assert run.custom_max_prompt_tokens is None
    with pytest.raises(NotImplementedError):
        run.cancel()


def assert_recorded(reel: Reel, service: AssistantsService) -> None:
    """The second run is in the log, with all that the service told of it and of its assistant."""
    run_id = [*service.runs][-1]
    summary = reel.run(run_id)
    played = service.runs[run_id]
    assert summary.recording == "closed"
    assert summary.model == "gpt://folder/yandexgpt/latest"
    assert summary.status == played.get().state.status
    if played.get().HasField("usage"):
        assert summary.usage is not None
        assert summary.usage.total_tokens == 287
    if summary.events:
        assert_copy(reel, service, run_id)
    assert reel.rebuild(check=True) == []
