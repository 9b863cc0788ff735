"""Tests that record their model calls, and the recordings that they rewrite."""

from __future__ import annotations

import pytest

from tests.plugin.conftest import FILE

HAT = """
@pytest.mark.runreel("hat.reel.jsonl")
def test_paris():
    assert text("Paris") == "Yes."

@pytest.mark.runreel("hat.reel.jsonl")
def test_rome():
    assert text("Rome") == "No, sk-abcdefghijklmnop is it."
"""


def _recording(suite, monkeypatch, *answers, options=(), apart=False):
    """Run the suite with --runreel-record against a model that answers this."""
    suite.says(*answers)
    with monkeypatch.context() as patch:
        patch.setenv("OPENAI_BASE_URL", suite.server.url)
        patch.setenv("OPENAI_API_KEY", "sk-of-the-user-1234567890")
        return suite.run("--runreel-record", *options, apart=apart)


def test_what_was_recorded_is_replayed(suite, monkeypatch):
    suite.write(HAT.replace("hat.reel", "new/hat.reel"))
    done = _recording(suite, monkeypatch, "Yes.", "No, sk-abcdefghijklmnop is it.")
    done.assert_outcomes(passed=2)
    done.stdout.fnmatch_lines([f"new/{FILE}: rewritten, runs: 2"])
    content = (suite.path / "new" / FILE).read_text("utf-8")
    assert "sk-" not in content
    assert [one.name for one in (suite.path / "new").iterdir()] == [FILE]
    replayed = suite.run()
    # The secret that the model told is not in the recording.
    replayed.assert_outcomes(passed=1, failed=1)
    replayed.stdout.fnmatch_lines(["*assert 'No, █*' == 'No, sk-*"])
    assert len(suite.server.asked) == 2


@pytest.mark.slow
def test_xdist_records_too(suite, monkeypatch):
    suite.write(HAT.replace("No, sk-abcdefghijklmnop is it.", "Yes."))
    done = _recording(suite, monkeypatch, "Yes.", "Yes.", options=("-n", "2"), apart=True)
    done.assert_outcomes(passed=2)
    done.stdout.fnmatch_lines([f"{FILE}: rewritten, runs: 2"])
    suite.run().assert_outcomes(passed=2)


def test_a_test_that_fails_or_does_not_run_keeps_the_recording(suite, monkeypatch):
    suite.record(("Paris", "Yes."), ("Rome", "No, sk-abcdefghijklmnop is it."))
    before = (suite.path / FILE).read_bytes()
    suite.write(HAT)
    done = _recording(suite, monkeypatch, "Yes.", "No")
    done.assert_outcomes(passed=1, failed=1)
    line = f"{FILE}: not rewritten, because not all of its tests passed: test_hat.py::test_rome"
    done.stdout.fnmatch_lines([line])
    done = _recording(suite, monkeypatch, "Yes.", options=("-k", "paris"))
    done.assert_outcomes(passed=1, deselected=1)
    done.stdout.fnmatch_lines([line])
    assert (suite.path / FILE).read_bytes() == before


def test_tests_without_calls_keep_the_recording(suite, monkeypatch):
    suite.record(("Paris", "Yes."))
    before = (suite.path / FILE).read_bytes()
    suite.write(
        """
        @pytest.mark.runreel("hat.reel.jsonl")
        def test_nothing():
            pass
        """
    )
    done = _recording(suite, monkeypatch)
    done.assert_outcomes(passed=1)
    done.stdout.fnmatch_lines([f"{FILE}: not rewritten: no model call"])
    assert (suite.path / FILE).read_bytes() == before


def test_a_recording_that_cannot_be_written_is_a_failure(suite, monkeypatch):
    (suite.path / "new").write_text("a file, and no folder")
    suite.write(
        """
        @pytest.mark.runreel("new/hat.reel.jsonl")
        def test_paris():
            text("Paris")
        """
    )
    done = _recording(suite, monkeypatch, "Yes.")
    assert done.ret == 1
    done.stdout.fnmatch_lines([f"new/{FILE}: not rewritten: *"])
