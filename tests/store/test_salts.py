"""Salts are new bytes each time, also in a forked child and in threads."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from runreel.integrity.digest_chain import SALT_BYTES
from runreel.store.events import salts

COUNT = 600


def drawn(count: int = COUNT) -> list[bytes]:
    return [salts.salt() for _ in range(count)]


def test_no_salt_comes_twice():
    found = drawn()
    assert {len(salt) for salt in found} == {SALT_BYTES}
    assert len(set(found)) == COUNT


def test_threads_share_none():
    with ThreadPoolExecutor(4) as threads:
        found = [salt for part in threads.map(drawn, [COUNT] * 8) for salt in part]
    assert len(set(found)) == len(found)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_draws_its_own():
    salts.salt()
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        os.write(writer, b"".join(drawn(100)))
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        theirs = pipe.read()
    os.waitpid(child, 0)
    own = set(drawn(300))
    found = {theirs[start : start + SALT_BYTES] for start in range(0, len(theirs), SALT_BYTES)}
    assert len(found) == 100
    assert not found & own
