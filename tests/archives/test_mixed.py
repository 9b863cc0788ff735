"""Usage by model over archives of all kinds is the sum by hand."""

from __future__ import annotations

from tests.archives import claude_code as cc
from tests.archives import codex, llm_logs, test_openai_batch, test_otlp
from tests.archives.contents import store


def test_usage_by_model_is_the_sum_by_hand(reel, tmp_path):
    paths = [
        cc.sample().write(tmp_path),
        codex.sample().write(tmp_path),
        llm_logs.write(tmp_path / "logs.db", newer=True),
        test_openai_batch.write(tmp_path, test_openai_batch.LINES),
        test_otlp.write(tmp_path, test_otlp.export(*test_otlp.TRACE)),
    ]
    report = store(reel, *paths)
    assert report.problems == []
    found = {
        item.key[0]: (
            item.totals.input_text_tokens,
            item.totals.completion_tokens,
            item.totals.cached,
            item.totals.cache_write,
            item.totals.reasoning,
        )
        for item in reel.usage(by=("model",)).items
        if item.totals.known
    }
    assert found == {
        cc.MODEL: (347, 41, 230, 100, None),
        codex.MODEL: (60, 11, 14, None, 3),
        "gpt-5-mini-2026": (36, 15, 9, None, None),
        "gpt-5-mini": (23, 9, None, None, None),
        "gpt-5-2026": (200, 20, 80, 14, 8),
    }
    assert list(reel.verify()) == []
