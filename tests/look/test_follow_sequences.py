"""Whatever happens to runs between two looks, a follow yields each row once, in order."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runreel.query import follow, followed_run
from tests.cli.stories import partial
from tests.look.following import stepwise

NAMES = st.sampled_from("abc")
CHANGES = st.one_of(
    st.tuples(st.just("grow"), NAMES, st.integers(1, 7)),
    st.tuples(st.just("close"), NAMES, st.just(0)),
    st.tuples(st.just("redact"), NAMES, st.just(0)),
)
# Lists of what happens between two looks.
SEQUENCES = st.lists(st.lists(CHANGES, max_size=4), max_size=6)


class Story:
    """Three runs that change; ``redacted`` are the heads at the last redactions."""

    def __init__(self, reel, prefix: str) -> None:
        self._reel, self._prefix = reel, prefix
        self._open, self._texts = {}, defaultdict(str)
        self.redacted = {}

    def change(self, what: str, name: str, count: int) -> None:
        run_id = self._prefix + name
        recording = self._open.get(run_id)
        if what == "grow":
            if recording is None:
                recording = self._open[run_id] = self._reel.recording(run_id)
            for _ in range(count):
                self._texts[run_id] += f"secret {len(self._texts[run_id])} "
                recording.append(partial(self._texts[run_id]))
        elif recording is not None and what == "close":
            self._open.pop(run_id).close()
        elif recording is not None and list(
            self._reel.redact([run_id], "secret", reason="r", actor="a")
        ):
            self.redacted[run_id] = self._reel.run(run_id).last_seq

    def close(self) -> None:
        for name in "abc":
            self.change("grow", name, 1)
            self.change("close", name, 0)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(sequences=SEQUENCES)
def test_each_row_once_in_order(reel, sequences):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(followed_run, "_PAGE", 3)
        patch.setattr(follow, "_RUNS", 2)
        # Only what ended in this follow is remembered, as after a while.
        patch.setattr(follow, "_LATE", -1)
        prefix = f"run-{len(reel.runs()):04}-"
        story = Story(reel, prefix)
        for name in "abc":
            story.change("grow", name, 2)

        def take(changes):
            for change in changes:
                story.change(*change)

        steps = [lambda changes=changes: take(changes) for changes in sequences]
        events, ends = stepwise(reel, lambda: None, *steps, story.close, start=0)
    found = defaultdict(list)
    for event in events:
        found[event.run_id].append(event)
    for name in "abc":
        run_id = prefix + name
        whole = list(reel.events(run_id))
        assert [event.seq for event in found[run_id]] == [event.seq for event in whole]
        # What was read before a redaction had the text that was erased.
        redacted = story.redacted.get(run_id, -1)
        assert found[run_id][redacted + 1 :] == whole[redacted + 1 :]
    assert {end.run_id for end in ends} == {prefix + name for name in "abc"}
