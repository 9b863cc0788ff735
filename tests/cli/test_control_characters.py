"""Whatever text comes from a model, a caller, a file or the log: a terminal gets words alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli import hostile
from tests.cli.calls import on_terminal
from tests.cli.printing import print_everything
from tests.cli.test_safe import is_harmful

if TYPE_CHECKING:
    from pathlib import Path

INPUTS = 500


def test_every_input_is_hostile_and_together_they_have_every_control_and_format() -> None:
    texts = hostile.inputs(INPUTS)
    assert all(any(map(is_harmful, text)) for text in texts)
    assert set(hostile.CHARACTERS) <= set("".join(texts))


@pytest.mark.slow
def test_no_command_that_prints_lets_a_terminal_obey(tmp_path: Path) -> None:
    seen = print_everything(tmp_path, INPUTS)
    assert {what: count for what, count in seen.items() if what.startswith(("harm", "crash"))} == {}
    assert seen["not printed"] == 0
    assert seen["inputs"] == INPUTS


def test_nor_does_what_the_environment_says(tmp_path: Path) -> None:
    texts = hostile.inputs(5, seed=1)
    configurations = []
    for number, text in enumerate((texts[0], f"db = '{texts[1]}", "mask = 3")):
        file = tmp_path / f"{number}{hostile.as_name(texts[3])}" / "runreel" / "runreel.toml"
        file.parent.mkdir(parents=True)
        file.write_bytes(text.encode("utf-8", "surrogatepass"))
        configurations.append({"XDG_CONFIG_HOME": str(file.parents[1])})
    argument = hostile.as_argument(texts[2])
    log = ("--db", str(tmp_path / "log.db"))
    calls: list[tuple[tuple[str, ...], dict[str, str]]] = [
        *((("demo", "--fast"), configuration) for configuration in configurations),
        (("runs",), {"RUNREEL_DB": f"{argument}://x"}),
        (("-v", "runs"), {"RUNREEL_DB": f"{tmp_path}/none/{hostile.as_name(texts[2])}"}),
        ((*log, "demo", "--fast"), {"RUNREEL_MASK": f"({argument}"}),
        (log, {"_RUNREEL_COMPLETE": f"{argument}_bash"}),
        ((*log, "runs"), {"TZ": argument}),
        ((*log, "runs"), {"COLUMNS": argument}),
    ]
    shown = on_terminal(
        *(call for call, _ in calls),
        each=[told for _, told in calls],
        env={"TERM": "dumb"},
        exact=True,
    )
    for (call, told), (code, text) in zip(calls, shown, strict=True):
        assert not any(map(is_harmful, text.replace(hostile.JOINED, ""))), (call, told)
        assert "Traceback" not in text, text
        assert code in (0, 1, 2, 3), (call, told, text)
