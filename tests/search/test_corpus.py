"""Phrases from a corpus in two alphabets: every true occurrence is found, and no other."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

import runreel
from tests.search import corpus, oracle

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runreel.api.reel import Reel

RUNS, PHRASES = 24, 40


@pytest.fixture(scope="module")
def log(shared_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reel]:
    with runreel.open(shared_url) as reel:
        corpus.fill(reel, tmp_path_factory.mktemp("corpus"), RUNS, words=60)
        yield reel


@pytest.fixture(scope="module")
def said(log: Reel) -> dict[str, list[tuple[str, str]]]:
    return {run.run_id: oracle.texts(log, run.run_id) for run in log.runs()}


def test_every_phrase_is_found_where_it_is_and_nowhere_else(
    log: Reel, said: dict[str, list[tuple[str, str]]]
) -> None:
    random = Random(7)
    texts = [text for parts in said.values() for _, text in parts]
    phrases = list(corpus.phrases(random, texts, PHRASES))
    expected = [oracle.matches(said.items(), phrase) for phrase in phrases]
    assert sum(map(bool, expected)) > PHRASES // 2
    assert not all(expected)
    for phrase, right in zip(phrases, expected, strict=True):
        assert oracle.found(log, phrase) == right, phrase
    if log.db.driver.in_process:
        report = log.build_search_index()
        assert report.added == report.indexed >= RUNS
        for phrase, right in zip(phrases, expected, strict=True):
            assert oracle.found(log, phrase) == right, phrase
        assert log.build_search_index().added == 0


def test_with_case_only_the_same_case_is_found(
    log: Reel, said: dict[str, list[tuple[str, str]]]
) -> None:
    for phrase in ("Погод", "погод", "İ", "ss", "THE", "e\u0301"):
        right = oracle.matches(said.items(), phrase, case=True)
        assert oracle.found(log, phrase, case=True) == right, phrase


def test_the_row_is_the_one_that_completes_the_occurrence(log: Reel) -> None:
    for match in list(log.search("запрос", in_="answer"))[:40]:
        now = log.result(match.run_id, match.seq).text_so_far or ""
        before = log.result(match.run_id, match.seq - 1).text_so_far or ""
        assert now[match.start : match.end].casefold() == "запрос"
        assert len(before) < match.end <= len(now)
        (row,) = log.events(match.run_id, start=match.seq, stop=match.seq + 1)
        assert row.at == match.at
        assert now[match.start : match.end] in match.snippet


def test_the_newest_run_comes_first_and_filters_apply(log: Reel) -> None:
    order = [run.run_id for run in log.runs()]
    found = list(dict.fromkeys(match.run_id for match in log.search("е", in_="answer")))
    assert found == [run_id for run_id in order if run_id in set(found)]
    failed = {run.run_id for run in log.runs(status="failed")}
    assert {match.run_id for match in log.search("е", status="failed")} <= failed
    two = order[3:5]
    assert {match.run_id for match in log.search("е", run_ids=two)} == set(two)
