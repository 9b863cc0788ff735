"""Whatever happens to a log, a search finds what ``show --content`` shows, and nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runreel.importing.record_lines import record_lines
from runreel.model.events import STREAM_EVENT, TOOL_RESULTS
from runreel.recording.recorder import Recorder
from tests.search import oracle

if TYPE_CHECKING:
    from runreel.api.reel import Reel

WORDS = ("Погода", "ветер", "ошибка", "token", "Straße", "天气预报")
NEEDLES = ("погода", "ВЕТЕР", "token", "ра", "strasse", "气预", "да вет", "ошибкаtok", "█")
RUNS = st.sampled_from(("a", "b", "c"))
STEP = st.one_of(
    st.tuples(
        st.sampled_from(("say", "say", "think", "call", "result")), RUNS, st.sampled_from(WORDS)
    ),
    st.tuples(st.sampled_from(("fail", "done", "close", "resume", "abandon")), RUNS, st.just("")),
    st.tuples(st.sampled_from(("redact", "redact all")), RUNS, st.sampled_from(WORDS)),
    st.tuples(st.sampled_from(("prune", "rebuild", "index", "purge")), RUNS, st.just("")),
)


class Log:
    """A log with a few runs that are being recorded."""

    def __init__(self, reel: Reel, prefix: str) -> None:
        self.reel, self.prefix = reel, prefix
        self.recorders: dict[str, Recorder] = {}
        self.texts: dict[str, str] = {}
        # Nothing can be appended to them.
        self.pruned: set[str] = set()

    def step(self, what: str, run: str, word: str) -> None:
        """Do one thing, if it is possible now."""
        run_id = f"{self.prefix}-{run}"
        if run_id in self.pruned:
            return
        if what in ("say", "think", "call", "result", "fail", "done"):
            self._append(what, run_id, word)
        elif what in ("close", "abandon"):
            recorder = self.recorders.pop(run_id, None)
            if recorder is not None and what == "close":
                recorder.close()
        elif what == "index":
            if self.reel.db.driver.in_process:
                self.reel.build_search_index()
        elif what == "rebuild":
            assert list(self.reel.rebuild(check=True)) == []
            list(self.reel.rebuild())
        elif what == "purge":
            self.reel.release(purge=False)
        elif run_id in self.texts:
            self._erase(what, run_id, word)

    def _append(self, what: str, run_id: str, word: str) -> None:
        if run_id not in self.recorders:
            self.recorders[run_id] = Recorder(self.reel.db, run_id, source="plain", via="program")
        said = self.texts.get(run_id, "")
        kind, value = STREAM_EVENT, self._event(what, said, word)
        if what == "result":
            kind = TOOL_RESULTS
        if what == "say":
            self.texts[run_id] = said + word
        self.texts.setdefault(run_id, said)
        self.recorders[run_id].append(kind, value)

    @staticmethod
    def _event(what: str, said: str, word: str) -> dict[str, Any]:
        call = {"id": word, "name": "find", "arguments": {"q": word, "n": [1]}}
        return {
            "say": {"type": "PARTIAL_MESSAGE", "text": said + word},
            "think": {"type": "PARTIAL_MESSAGE", "text": said, "time": word},
            "call": {"type": "TOOL_CALLS", "text": said, "tool_calls": [call]},
            "result": {"tool_results": [{"id": word, "content": f"{word} {word}"}]},
            "fail": {"type": "ERROR", "text": said, "error": f"ошибка{WORDS[3]}"},
            "done": {"type": "DONE", "text": said},
        }[what]

    def _erase(self, what: str, run_id: str, word: str) -> None:
        if what.startswith("redact"):
            runs = [one for one in self.texts if what.endswith("all") or one == run_id]
            list(self.reel.redact(runs, word, reason="r", actor="a"))
        elif what == "prune" and run_id not in self.recorders:
            list(self.reel.prune("2100-01-01", reason="r", actor="a"))
            alive = {run.run_id for run in self.reel.runs()}
            self.pruned |= self.texts.keys() - alive
            self.texts = {one: said for one, said in self.texts.items() if one in alive}

    def check(self) -> None:
        """Compare searches with what is shown."""
        runs = [run_id for run_id in self.texts if self._is_stored(run_id)]
        said = [(run_id, oracle.texts(self.reel, run_id)) for run_id in runs]
        for needle in NEEDLES:
            right = sorted(oracle.matches(said, needle))
            found = [
                one for one in oracle.found(self.reel, needle) if one[0].startswith(self.prefix)
            ]
            assert found == right, needle

    def _is_stored(self, run_id: str) -> bool:
        return any(run.run_id == run_id for run in self.reel.runs())


counter = iter(range(10**6))


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.lists(STEP, min_size=4, max_size=14))
def test_after_any_sequence_a_search_finds_what_is_shown(
    reel: Reel, steps: list[tuple[str, str, str]]
) -> None:
    log = Log(reel, f"x{next(counter)}")
    for step in steps:
        log.step(*step)
    log.check()
    for recorder in log.recorders.values():
        recorder.close()
    log.check()
    assert list(reel.rebuild(check=True)) == []


def test_lines(reel: Reel) -> None:
    lines = [json.dumps({"type": "DONE", "text": "Погода"}).encode()]
    record_lines(reel.db, lines, run_id="r", source="plain")
    assert oracle.found(reel, "ПОГОДА") == [("r", "answer", 0, 6)]
