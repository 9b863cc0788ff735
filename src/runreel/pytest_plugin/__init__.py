"""The pytest plugin: tests whose model calls are answered from recordings.

Each test run with runreel installed loads this module, so it imports pytest alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.pytest_plugin.interface import Urls


_HOOKS = "runreel-tests"
_MARKER = "runreel"
# Older versions of pytest have no hooks of this kind; sessions without the marker need none.
_IS_KNOWN = pytest.version_tuple >= (8,)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options and the setting of the plugin."""
    group = parser.getgroup("runreel", "recorded model calls")
    group.addoption(
        "--runreel-record",
        action="store_true",
        help="Send the model calls of tests with the marker runreel to the network, and rewrite"
        " their recordings.",
    )
    group.addoption(
        "--runreel-speed",
        type=_speed,
        metavar="X",
        help="Answer with the recorded timing, X times as fast. Without it, answers come at once.",
    )
    parser.addini(
        "runreel_mask",
        type="linelist",
        default=["secrets"],
        help="What --runreel-record masks: `secrets`, or a pattern per line.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Add the marker and the hooks."""
    config.addinivalue_line(
        "markers",
        "runreel(FILE, match='strict'): answer the model calls of the test from a recording; FILE"
        " is relative to the test file. With match='order', equal calls get the last one again.",
    )
    if _IS_KNOWN:
        from runreel.pytest_plugin.plugin import Plugin

        config.pluginmanager.register(Plugin(config), _HOOKS)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Begin to replay or to record, unless the test is skipped, before its fixtures are made."""
    if item.get_closest_marker(_MARKER) is None:
        return
    plugin = item.config.pluginmanager.get_plugin(_HOOKS)
    if plugin is None:
        pytest.fail(f"the marker {_MARKER} needs pytest 8 or newer", pytrace=False)
    plugin.begin(item)


@pytest.fixture
def runreel_server(request: pytest.FixtureRequest) -> Iterator[Urls]:
    """Answer the model calls of other processes, too, and return the base URLs.

    A server on this machine answers them from the recording of the test. ``OPENAI_BASE_URL`` and
    ``ANTHROPIC_BASE_URL`` are set to it. With ``--runreel-record`` it forwards them to the URLs
    that were set before, and records them.
    """
    from runreel.pytest_plugin.plugin import CALLS

    calls = request.node.stash.get(CALLS, None)
    if calls is None:
        pytest.fail(
            "the fixture runreel_server needs a recording: mark the test with"
            ' @pytest.mark.runreel("NAME.reel.jsonl")',
            pytrace=False,
        )
    from runreel.pytest_plugin import environment

    with calls.serving() as urls, environment.with_urls(urls):
        yield urls


def _speed(text: str) -> float:
    speed = float(text)
    if not 0 < speed < float("inf"):
        raise ValueError(text)
    return speed
