"""The hooks are put in place and taken away without a trace, in any order with others."""

from __future__ import annotations

import functools
import importlib.metadata
import inspect
import subprocess
import sys
import types
from pathlib import Path

import httpx
import httpx2
import pytest
import wrapt

import runreel
from runreel.capture.http import patching
from tests.live import openai_script as script
from tests.live.hooked import PACKAGES, Wire, wire
from tests.live.told import kept

ROOT = Path(__file__).parents[2]
ASKED = {"model": script.MODEL, "input": "Hello?"}
TOLD = script.events([script.output_of(["Hello, ", "world"])])
CLASSES = [httpx.Client, httpx.AsyncClient, httpx2.Client, httpx2.AsyncClient]
METHOD = "_send_single_request"


def methods():
    return [kind.__dict__[METHOD] for kind in CLASSES]


@pytest.fixture
def backend():
    """One kind of database: what is tested here does not depend on it."""
    return "sqlite"


@pytest.fixture(autouse=True)
def restored():
    before, finders = methods(), list(sys.meta_path)
    yield
    assert methods() == before
    assert sys.meta_path == finders


def ask(package=httpx2):
    connection = Wire(package)
    connection.answer(wire(TOLD))
    assert len(list(connection.client().responses.create(**ASKED, stream=True))) == len(TOLD)


def test_stop_restores_exactly(reel):
    before = methods()
    watch = reel.watch()
    assert not set(before) & set(methods())
    watch.stop()
    assert methods() == before
    watch.stop()
    ask()
    assert list(reel.runs()) == []


def test_the_last_stop_restores(reel):
    before = methods()
    first, second = reel.watch(), reel.watch()
    first.stop()
    assert methods() != before
    ask()
    assert len(list(reel.runs())) == 1
    second.stop()
    assert methods() == before


def test_a_watch_can_begin_again(reel):
    for _ in range(3):
        with reel.watch() as watch:
            assert watch.reel is reel
            ask()
    assert len(list(reel.runs())) == 3


def test_clients_keep_their_signatures_and_names(reel):

    before = [
        (inspect.signature(kind.__dict__[METHOD]), kind.__dict__[METHOD].__doc__)
        for kind in CLASSES
    ]
    with reel.watch():
        after = [(inspect.signature(method), method.__doc__) for method in methods()]
        assert [inspect.iscoroutinefunction(method) for method in methods()] == [False, True] * 2
    assert before == after


def patched_by_function(calls):
    """As sentry and others patch: a function in place of the method."""
    original = httpx2.Client.__dict__[METHOD]

    @functools.wraps(original)
    def other(self, request):
        calls.append(request)
        return original(self, request)

    httpx2.Client._send_single_request = other
    return lambda: setattr(httpx2.Client, METHOD, original)


def patched_by_wrapt(calls):
    """As OpenTelemetry patches."""
    original = httpx2.Client.__dict__[METHOD]

    def other(wrapped, instance, args, kwargs):
        calls.append(args)
        return wrapped(*args, **kwargs)

    wrapt.wrap_function_wrapper("httpx2", f"Client.{METHOD}", other)
    return lambda: setattr(httpx2.Client, METHOD, original)


def patched_transport(calls):
    """As OpenTelemetry's instrumentation of httpx and respx patch: below us."""
    original = httpx2.MockTransport.handle_request

    def other(self, request):
        calls.append(request)
        return original(self, request)

    httpx2.MockTransport.handle_request = other
    return lambda: setattr(httpx2.MockTransport, "handle_request", original)


PATCHES = [patched_by_function, patched_by_wrapt, patched_transport]


@pytest.mark.parametrize("patch", PATCHES)
def test_a_patch_before_ours_stays(reel, patch):
    calls = []
    undo = patch(calls)
    try:
        with reel.watch():
            ask()
        assert len(calls) == 1
        assert kept(reel) == TOLD
        ask()
        assert len(calls) == 2
    finally:
        undo()


@pytest.mark.parametrize("patch", PATCHES)
def test_a_patch_after_ours_stays_when_we_stop(reel, patch):
    calls = []
    original = httpx2.Client.__dict__[METHOD]
    watch = reel.watch()
    undo = patch(calls)
    try:
        ask()
        watch.stop()
        ask()
        assert len(calls) == 2
        assert [run.response_id for run in reel.runs()] == ["resp_1"]
        # What we left in its chain only passes requests along, also when watching begins again.
        with reel.watch():
            ask()
        assert len(calls) == 3
        assert len(list(reel.runs())) == 2
    finally:
        undo()
        httpx2.Client._send_single_request = original


def test_one_package_can_be_missing(reel, monkeypatch):
    monkeypatch.delitem(sys.modules, "httpx")
    before = httpx.Client.__dict__[METHOD]
    with reel.watch():
        assert httpx.Client.__dict__[METHOD] is before
        ask()
    assert kept(reel) == TOLD


def new_httpx(name="httpx"):
    module = types.ModuleType(name)
    module.__version__ = "9.0"
    module.Client = type("Client", (), {"__module__": name})
    module.AsyncClient = type("AsyncClient", (), {"__module__": name})
    return module


def test_an_httpx_too_new_to_know_is_refused_in_words(reel, monkeypatch):
    monkeypatch.setitem(sys.modules, "httpx", new_httpx())
    before = httpx2.Client.__dict__[METHOD]
    with pytest.raises(
        runreel.MissingExtra, match=r"cannot record the calls of httpx 9\.0"
    ) as error:
        reel.watch()
    assert error.value.hint
    assert httpx2.Client.__dict__[METHOD] is before
    monkeypatch.undo()
    with reel.watch():
        ask()
    assert kept(reel) == TOLD


def test_an_httpx_too_new_to_know_is_named_when_it_is_imported_later(reel, caplog):
    with reel.watch():
        patching._patch_imported(new_httpx())
        ask()
    assert "cannot record the calls of httpx 9.0" in caplog.text
    assert kept(reel) == TOLD


ORDER = """
import sys, runreel
from tests.live import openai_script as script
from tests.live.sse_server import serving
if sys.argv[1] == "before":
    import {package}
watch = runreel.watch(sys.argv[2])
assert "httpx" not in sys.modules or "{package}" == "httpx"
if sys.argv[1] == "after":
    import {package}
assert {package}.__spec__.loader is {package}.__loader__
assert type({package}.__loader__).__name__ == "SourceFileLoader", {package}.__loader__
import importlib.resources, inspect
assert inspect.getsource({package}) and importlib.resources.files("{package}")
with serving() as server:
    server.stream(script.events([script.output_of(["a"])]))
    with {package}.Client() as client:
        asked = {{"model": "m", "input": "Hi"}}
        client.post(server.url + "/responses", json=asked).raise_for_status()
    assert [run.response_id for run in watch.reel.runs()] == ["resp_1"]
watch.stop()
assert "runreel" not in repr({package}.Client._send_single_request.__globals__["__name__"])
"""


@pytest.mark.parametrize("order", ["before", "after"])
@pytest.mark.parametrize("package", [package.__name__ for package in PACKAGES])
def test_packages_are_found_before_and_after_watch_begins(tmp_path, package, order):
    subprocess.run(
        [sys.executable, "-c", ORDER.format(package=package), order, str(tmp_path / "log.db")],
        cwd=ROOT,
        check=True,
        timeout=60,
    )


def test_watching_imports_neither_package(tmp_path):
    program = (
        "import sys, runreel; runreel.watch(sys.argv[1]);"
        "assert not {'httpx', 'httpx2', 'openai'} & sys.modules.keys()"
    )
    subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "log.db")], cwd=ROOT, check=True, timeout=60
    )


def test_the_versions_in_this_environment_are_known():
    for package in PACKAGES:
        assert importlib.metadata.version(package.__name__) == package.__version__
        patching._check(package)
