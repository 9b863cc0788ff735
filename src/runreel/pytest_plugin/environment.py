"""Variables of the environment that vendors' clients read, in the course of a test."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.pytest_plugin.interface import Urls

URLS = OPENAI, ANTHROPIC = ("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL")
_KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY")
_NO_PROXY = ("NO_PROXY", "no_proxy")


@contextmanager
def with_urls(urls: Urls) -> Iterator[None]:
    """Set the base URLs of vendors' clients, which are reached without a proxy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(OPENAI, urls.openai)
        patch.setenv(ANTHROPIC, urls.anthropic)
        for name in _NO_PROXY:
            patch.setenv(name, ",".join(filter(None, (os.environ.get(name), "127.0.0.1"))))
        yield


@contextmanager
def with_keys() -> Iterator[None]:
    """Set keys that are not set: clients refuse to be made without any."""
    with pytest.MonkeyPatch.context() as patch:
        for name in _KEYS:
            if not os.environ.get(name):
                patch.setenv(name, "none")
        yield
