"""The hooks of the plugin: they begin and end what is done for a test, and report about it."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import pytest

from runreel.pytest_plugin.summary import ATTRIBUTE, Summary

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from runreel.pytest_plugin.interface import Calls
    from runreel.pytest_plugin.replaying import Library

    Wrapped = Generator[None, object, object]

T = TypeVar("T")

CALLS: pytest.StashKey[Calls] = pytest.StashKey()
_REPORT = pytest.StashKey[dict[str, object]]()
_MARKER = "runreel"
# These derive from BaseException.
_FAILURES = (pytest.fail.Exception, pytest.skip.Exception)
# The key, in what xdist passes to a worker, of the folder for what its tests record.
_PARTS = "runreel_parts"


class _Mark(NamedTuple):
    """What the marker of a test says; ``path`` is its recording."""

    path: Path
    match: str


class Plugin:
    """The hooks; with xdist, the controller sums up what its workers have done."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        given: dict[str, str] = getattr(config, "workerinput", {})
        self._is_worker = hasattr(config, "workerinput")
        self._parts = given.get(_PARTS)
        if config.getoption("--runreel-record") and not self._parts:
            self._parts = tempfile.mkdtemp(prefix="runreel-")
        self._summary = Summary(config.rootpath)
        self._users: dict[Path, list[str]] = {}
        self._library: Library | None = None

    def begin(self, item: pytest.Item) -> None:
        """Begin to replay or to record, before the fixtures of a test are made.

        Raises:
            Failed: if its marker or its recording is not valid.
        """
        mark = item.get_closest_marker(_MARKER)
        if mark is None:
            return
        found = _mark_of(item, mark)
        if found is None:
            pytest.fail(
                "the marker runreel has one recording, relative to the file of the test, and"
                " match='strict' or 'order': @pytest.mark.runreel(\"NAME.reel.jsonl\")",
                pytrace=False,
            )
        users = self._users.get(found.path, [])
        about: dict[str, object] = {"file": str(found.path), "users": users}
        item.stash[_REPORT] = about
        item.stash[CALLS] = self._begin(item, found)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Pass the folder for what tests record to a worker."""
        if self._parts:
            node.workerinput[_PARTS] = self._parts

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Note which tests use a recording, also those that will not run."""
        mark = item.get_closest_marker(_MARKER)
        if mark is not None and (found := _mark_of(item, mark)) is not None:
            self._users.setdefault(found.path, []).append(item.nodeid)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Wrapped:
        """Fail a test whose fixtures made calls that were not answered."""
        return (yield from _checked(item, "setup"))

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Wrapped:
        """Fail a test whose calls were not answered, also if it hides the error."""
        return (yield from _checked(item, "call"))

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Wrapped:
        """End it, after the fixtures of the test."""
        try:
            return (yield from _checked(item, "teardown"))
        finally:
            if (calls := item.stash.get(CALLS, None)) is not None:
                del item.stash[CALLS]
                item.stash[_REPORT].update(_stated(calls.end)._asdict())

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Add to a report what the summary needs: xdist sends it to the controller."""
        report = yield
        if (about := item.stash.get(_REPORT, None)) is not None:
            setattr(report, ATTRIBUTE, dict(about))
        return report

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note the outcome of a test."""
        self._summary.add(report)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Rewrite the recordings of tests that have passed."""
        if self._library is not None:
            self._library.close()
        if self._is_worker or not self._parts:
            return
        if not self._summary.write_recordings() and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_unconfigure(self) -> None:
        """Remove what tests have recorded."""
        if self._parts and not self._is_worker:
            shutil.rmtree(self._parts, ignore_errors=True)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print which recordings were rewritten, and what of the others was not used."""
        lines = self._summary.lines(recorded=self._parts is not None)
        if lines:
            terminalreporter.section("runreel")
            for line in lines:
                terminalreporter.write_line(line)

    def _begin(self, item: pytest.Item, mark: _Mark) -> Calls:
        """Begin what the options say.

        Raises:
            Failed: if it cannot begin.
        """
        if self._parts:
            from runreel.pytest_plugin.recording import RecordedCalls

            rules: list[str] = self._config.getini("runreel_mask")
            folder = Path(self._parts)
            return _stated(lambda: RecordedCalls(mark.path, folder, item.nodeid, rules))
        if not mark.path.is_file():
            shown = os.path.relpath(mark.path, self._config.invocation_params.dir)
            pytest.fail(
                f"the recording {shown} does not exist\n"
                f'Record it: pytest --runreel-record "{item.nodeid}"',
                pytrace=False,
            )
        from runreel.pytest_plugin.replaying import Library, ReplayedCalls

        library = self._library = self._library or Library()
        speed: float | None = self._config.getoption("--runreel-speed")
        strict = mark.match == "strict"
        return _stated(lambda: ReplayedCalls(library.open(mark.path), speed, strict=strict))


def _mark_of(item: pytest.Item, mark: pytest.Mark) -> _Mark | None:
    """Return what a marker says, None if it is not valid."""
    match = mark.kwargs.get("match", "strict")
    valid = len(mark.args) == 1 and isinstance(mark.args[0], str | os.PathLike)
    if not valid or mark.kwargs.keys() - {"match"} or match not in ("strict", "order"):
        return None
    return _Mark(Path(os.path.normpath(item.path.parent / mark.args[0])), match)


def _stated(make: Callable[[], T]) -> T:
    """Return what a function returns.

    Raises:
        Failed: with the sentence of its error, if it has one.
    """
    from runreel.model.errors import RunreelError

    try:
        return make()
    except RunreelError as error:
        text = f"{error}\n{error.hint}" if error.hint else str(error)
    pytest.fail(text, pytrace=False)


def _checked(item: pytest.Item, phase: str) -> Wrapped:
    """Run a phase of a test; it fails if model calls were not answered in it."""
    try:
        result = yield
    except (Exception, *_FAILURES) as error:
        text = _problems(item)
        if not text or not isinstance(error, pytest.skip.Exception):
            if text:
                item.add_report_section(phase, _MARKER, text)
            raise
    else:
        text = _problems(item)
        if not text:
            return result
    pytest.fail(text, pytrace=False)


def _problems(item: pytest.Item) -> str:
    calls = item.stash.get(CALLS, None)
    return "" if calls is None else "\n\n".join(calls.problems())
