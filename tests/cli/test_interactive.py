"""``replay -i``: by Textual's own test driver, and on real terminals."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from textual.widgets import Input

import runreel
from runreel.cli import recordings
from runreel.cli.interactive.app import StepperApp
from runreel.cli.interactive.keys import BINDINGS
from runreel.model.errors import RunNotFound
from runreel.replay import run_index
from runreel.replay.stepper import Stepper
from tests.cli import hostile
from tests.cli.stories import CALLS, partial
from tests.cli.test_safe import is_harmful

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path

    from textual.app import App
    from textual.pilot import Pilot

    from runreel.api.reel import Reel
    from tests.cli.calls import Caller

    Scenario = Callable[[StepperApp, Pilot[None]], Coroutine[Any, Any, None]]

# Only stops what hangs.
PATIENCE = 60.0
KEYS = {
    "forward": ("full_stop", "right", "down"),
    "back": ("comma", "left", "up"),
}


def tell(reel: Reel, run_id: str = "r", rows: int = 60) -> None:
    """A run with a text of several lines, tool calls with results, and an error."""
    with reel.recording(run_id, model="m") as recording:
        text = ""
        for number in range(rows):
            if number == 10:
                recording.append(
                    runreel.RunStreamEvent(runreel.StreamEvent.TOOL_CALLS, tool_calls=CALLS)
                )
                recording.tool_results(["sunny"])
            text += f"слово{number} 世界{number}" + ("\n" if number % 7 == 6 else " ")
            recording.append(partial(text))
        error = runreel.RunStreamEvent(runreel.StreamEvent.ERROR, error="no [bold]quota[/] left")
        recording.append(error)


def play(
    reel: Reel,
    scenario: Scenario,
    run_id: str = "r",
    *,
    size: tuple[int, int] = (80, 24),
    **options: Any,
) -> StepperApp:
    """Carry out a scenario; it starts paused."""
    stepper = Stepper(run_index.read(reel.db, run_id))
    made = StepperApp(reel, stepper, **{"playing": False, **options})

    async def run() -> None:
        async with made.run_test(size=size) as pilot:
            await scenario(made, pilot)

    asyncio.run(run())
    return made


def screen(app: App[None]) -> list[str]:
    """The lines of the screen."""
    return [
        "".join(part.text for part in strip) for strip in app.screen._compositor.render_strips()
    ]


async def pressed(pilot: Pilot[None], *keys: str) -> list[str]:
    """The screen after these keys, which go past the terminal's driver and its pauses."""
    for key in keys:
        pilot.app.simulate_key(key)
        await pilot._wait_for_screen()
    return screen(pilot.app)


async def asked(pilot: Pilot[None], sign: str, text: str) -> list[str]:
    """The screen after this text was entered at a prompt."""
    await pressed(pilot, sign)
    pilot.app.query_one(Input).value = text
    await pilot.press("enter")
    await pilot.app.workers.wait_for_complete()
    await pilot.pause()
    return screen(pilot.app)


async def until(pilot: Pilot[None], true: Callable[[], object]) -> None:
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, screen(pilot.app)
        await pilot.pause(0.01)


def row_of(lines: list[str]) -> int:
    """The row that the slider tells, which is also the one that is pointed to."""
    found = re.search(r"row (\d+)/", "\n".join(lines))
    assert found is not None, lines
    (pointed,) = [line for line in lines if line.startswith("►")]
    assert re.search(r"\d+", pointed)[0] == found[1]  # type: ignore[index]
    return int(found[1])


def test_fifty_steps_back_show_the_screens_of_fifty_steps_forward(small_reel: Reel) -> None:
    tell(small_reel)

    async def scenario(app: StepperApp, pilot: Pilot[None]) -> None:
        forward, back = [screen(app)], []
        for step in range(50):
            forward += [await pressed(pilot, KEYS["forward"][step % 3])]
        assert len(set(map(tuple, forward))) == 51
        assert [row_of(lines) for lines in forward] == list(range(51))
        for step in range(50):
            back += [await pressed(pilot, KEYS["back"][step % 3])]
        assert back[::-1] == forward[:-1]
        assert await pressed(pilot, "comma") == forward[0]

    assert play(small_reel, scenario).failure is None


def test_each_key_does_what_the_help_says(small_reel: Reel) -> None:
    tell(small_reel)
    last = sum(1 for _ in small_reel.events("r")) - 1

    async def scenario(app: StepperApp, pilot: Pilot[None]) -> None:
        lines = await pressed(pilot, "G")
        assert row_of(lines) == last
        assert any("[error: no [bold]quota[/] left]" in line for line in lines)
        assert lines[-1].startswith("end 1x")
        assert row_of(await pressed(pilot, "g")) == 0
        assert row_of(await pressed(pilot, "end")) == last
        assert row_of(await pressed(pilot, "home")) == 0
        marked = []
        while "no mark" not in (lines := await pressed(pilot, "right_square_bracket"))[-1]:
            marked.append((row_of(lines), lines[-1]))
        assert {seq for seq, _ in marked} == {mark.seq for mark in app.stepper.index.marks} - {0}
        assert [mark for _, mark in marked if "tool call" in mark]
        back = [row_of(await pressed(pilot, "left_square_bracket")) for _ in marked[1:]]
        assert back == [seq for seq, _ in marked[-2::-1]]
        assert "2x" in (await pressed(pilot, "plus"))[-1]
        assert "0.5x" in (await pressed(pilot, "minus", "minus"))[-1]
        assert row_of(await asked(pilot, "colon", "12")) == 12
        assert row_of(await asked(pilot, "colon", "+9:00")) == last
        lines = await asked(pilot, "colon", "soon")
        assert "'soon' is neither a row" in lines[-1]
        assert row_of(lines) == last
        await pilot.press("colon", "q", "question_mark")
        assert screen(app)[-1].startswith(":q?")
        assert row_of(await pressed(pilot, "escape")) == last
        await pilot.press("question_mark")
        helped = "\n".join(screen(app))
        for shown in ("space", "PgUp", "search a text", "quit"):
            assert shown in helped
        await pilot.press("question_mark")
        assert row_of(screen(app)) == last
        await pilot.press("q")

    app = play(small_reel, scenario)
    assert (app.failure, app.signal, app.return_code) == (None, 0, 0)


def test_all_keys_have_an_action() -> None:
    for binding in BINDINGS:
        name = binding.action.partition("(")[0]
        assert hasattr(StepperApp, f"action_{name}"), binding


@pytest.mark.parametrize("during", [(), ("slash", "a"), ("question_mark",)], ids=str)
def test_ctrl_c_ends_it_anywhere(during: tuple[str, ...], small_reel: Reel) -> None:
    tell(small_reel, rows=3)

    async def scenario(app: StepperApp, pilot: Pilot[None]) -> None:
        await pilot.press(*during, "ctrl+c")

    assert play(small_reel, scenario).signal == signal.SIGINT


def test_search_finds_what_was_said_over_rows_and_scripts(small_reel: Reel) -> None:
    tell(small_reel)

    async def scenario(app: StepperApp, pilot: Pilot[None]) -> None:
        assert "nothing was searched" in (await pressed(pilot, "n"))[-1]
        lines = await asked(pilot, "slash", "СЛОВО7 世界7")
        (only,) = [seq for seq in range(20) if app._pages.at(seq).text.endswith("слово7 世界7 ")]
        assert row_of(lines) == only
        assert "1/1 answer: " in lines[-1]
        await pressed(pilot, "g")
        lines = await asked(pilot, "slash", "слово5")
        assert "1/11" in lines[-1]
        seen = [row_of(lines)]
        for _ in range(11):
            seen += [row_of(await pressed(pilot, "n"))]
        assert seen[0] == seen[-1]
        assert sorted(set(seen)) == sorted(app.stepper.hits)
        assert row_of(await pressed(pilot, "N")) == seen[-2]
        lines = await asked(pilot, "slash", "no [bold]quota[/]")
        assert "1/1 error: " in lines[-1]
        at = row_of(lines)
        lines = await asked(pilot, "slash", "nowhere")
        assert "not found" in lines[-1]
        assert row_of(lines) == at

    assert play(small_reel, scenario, size=(120, 24)).failure is None


def test_it_plays_at_the_recorded_pace_until_it_is_paused(small_reel: Reel) -> None:
    tell(small_reel)
    now = [50.0]

    async def scenario(app: StepperApp, pilot: Pilot[None]) -> None:
        times = app.stepper.index.times
        assert screen(app)[-1].startswith("playing 1x")
        now[0] += (times[30] - times[0]) / 1e6
        await until(pilot, lambda: app.stepper.position == 30)
        lines = await pressed(pilot, "space")
        assert lines[-1].startswith("paused 1x")
        assert row_of(lines) == 30
        now[0] += 100
        assert row_of(await pressed(pilot, "full_stop")) == 31
        await pressed(pilot, "space")
        now[0] += 100
        await until(pilot, lambda: not app.stepper.playing)
        assert row_of(await pressed(pilot)) == len(times) - 1
        lines = await pressed(pilot, "space")
        assert app.stepper.playing
        assert row_of(lines) in (0, 1)

    assert play(small_reel, scenario, playing=True, clock=lambda: now[0]).failure is None


def test_any_size_shows_the_row_and_its_text(small_reel: Reel) -> None:
    tell(small_reel)

    async def scenario(app: StepperApp, pilot: Pilot[None]) -> None:
        await asked(pilot, "colon", "40")
        first = screen(app)
        for width, height in ((40, 10), (200, 60), (20, 8), (5, 3), (80, 24)):
            await pilot.resize_terminal(width, height)
            await pilot.pause()
            lines = screen(app)
            assert len(lines) == height
            if width >= 20:
                assert row_of(lines) == 40
                assert any("世界" in line for line in lines)
        assert lines == first

    assert play(small_reel, scenario).failure is None


def test_a_long_text_is_scrolled_and_a_step_shows_its_end_again(small_reel: Reel) -> None:
    tell(small_reel)

    async def scenario(app: StepperApp, pilot: Pilot[None]) -> None:
        end = await pressed(pilot, "G", "comma")
        tops = [end[1:4]]
        for _ in range(20):
            tops += [(await pressed(pilot, "pageup"))[1:4]]
        assert tops[1] != tops[0]
        assert tops[-1] == tops[-2]
        assert tops[-1][0].startswith("слово0 ")
        for _ in range(20):
            lines = await pressed(pilot, "pagedown")
        assert lines == end
        await pressed(pilot, "pageup")
        await pressed(pilot, "full_stop")
        assert await pressed(pilot, "comma") == end

    assert play(small_reel, scenario, size=(40, 12)).failure is None


def test_no_text_commands_the_terminal_or_is_markup(small_reel: Reel) -> None:
    texts = [text + "[red]x[/red][@click=app.quit]" for text in hostile.inputs(60, seed=5)]
    runs = hostile.tell(small_reel, texts)
    shown: set[str] = set()

    async def scenario(app: StepperApp, pilot: Pilot[None]) -> None:
        for _ in range(app.stepper.last + 1):
            lines = [line.replace(hostile.JOINED, "") for line in await pressed(pilot, "full_stop")]
            assert not [char for line in lines for char in line if is_harmful(char)]
            shown.update(found for line in lines for found in re.findall(r"<(\d{5})>", line))

    for run_id in runs:
        assert play(small_reel, scenario, run_id, size=(200, 40)).failure is None
    assert len(shown) > 25


def test_an_open_run_is_shown_as_far_as_it_is(small_reel: Reel) -> None:
    recording = small_reel.recording("r")
    recording.append(partial("One"))

    async def scenario(app: StepperApp, pilot: Pilot[None]) -> None:
        lines = await pressed(pilot, "G")
        assert "in_progress  open" in lines[0]
        assert lines[1].startswith("One")

    assert play(small_reel, scenario).failure is None
    recording.close()


def test_a_recording_file_is_stepped_through_like_the_log(small_reel: Reel, tmp_path: Path) -> None:
    tell(small_reel, rows=300)
    small_reel.export(tmp_path / "r.reel.jsonl", ["r"])
    seen: list[list[list[str]]] = []

    async def scenario(app: StepperApp, pilot: Pilot[None]) -> None:
        places = [await asked(pilot, "colon", place) for place in ("0", "255", "256", "999")]
        seen.append([*places, await asked(pilot, "slash", "слово280")])

    play(small_reel, scenario)
    with recordings.opened([str(tmp_path / "r.reel.jsonl")]) as reel:
        play(reel, scenario)
    assert seen[0] == seen[1]
    assert "1/1 answer: " in seen[0][-1][-1]


def test_an_error_ends_it_and_is_kept(small_reel: Reel) -> None:
    tell(small_reel, rows=400)

    async def scenario(app: StepperApp, pilot: Pilot[None]) -> None:
        assert list(small_reel.prune("now"))
        pilot.app.simulate_key("G")
        await until(pilot, lambda: app.failure is not None)

    with pytest.raises(RunNotFound, match="pruned"):
        play(small_reel, scenario)


def test_without_a_terminal_it_is_refused(told_sqlite: Caller) -> None:
    called = told_sqlite("replay", "run-done", "-i")
    assert (called.code, called.out) == (2, "")
    assert "-i needs a terminal" in called.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("-i", "--instant"), "-i and --instant exclude each other"),
        (("-i", "--loop"), "-i and --loop exclude each other"),
        (("-i", "--render", "delta"), "-i and --render exclude each other"),
        (("-i", "run-failed"), "-i takes one RUN"),
        (("--paused",), "--paused needs -i"),
    ],
)
def test_what_makes_no_sense_is_refused(
    options: tuple[str, ...], said: str, told_sqlite: Caller
) -> None:
    called = told_sqlite("replay", "run-done", *options)
    assert (called.code, called.out) == (2, "")
    assert said in called.err


def test_without_textual_it_names_the_extra(
    told_sqlite: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runreel.cli.render.terminal.is_interactive", lambda: True)
    monkeypatch.setitem(sys.modules, "textual", None)
    called = told_sqlite("replay", "run-done", "-i")
    assert (called.code, called.out) == (4, "")
    assert "textual" in called.err
    assert "runreel[tui]" in called.err
