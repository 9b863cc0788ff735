"""Tests whose model calls are answered from a recording, in process."""

from __future__ import annotations

from tests.plugin.conftest import FILE


def test_calls_are_answered_without_a_network_or_a_key(recorded):
    suite = recorded(
        """
        @pytest.mark.runreel("hat.reel.jsonl")
        def test_streams():
            assert text("Paris") == "Yes, it rains."
            assert text("Rome") == "No, never."

        @pytest.mark.runreel("hat.reel.jsonl")
        def test_whole_answers_from_the_beginning_again():
            assert ask("Paris").choices[0].message.content == "Yes, it rains."
            assert ask("Rome").choices[0].message.content == "No, never."

        @pytest.mark.runreel("hat.reel.jsonl")
        def test_asynchronous():
            async def told(city):
                async with openai.AsyncOpenAI() as client:
                    asked = [{"role": "user", "content": f"Do I need a hat in {city}?"}]
                    stream = await client.chat.completions.create(
                        model="m", messages=asked, stream=True
                    )
                    return "".join([c.choices[0].delta.content or "" async for c in stream])

            async def both():
                return await asyncio.gather(told("Rome"), told("Paris"))

            assert asyncio.run(both()) == ["No, never.", "Yes, it rains."]
        """
    )
    asked = len(suite.server.asked)
    done = suite.run("-q")
    done.assert_outcomes(passed=3)
    done.stdout.no_fnmatch_line("*not used*")
    assert len(suite.server.asked) == asked


def test_a_changed_prompt_is_a_failure_that_shows_what_changed(recorded):
    suite = recorded(
        """
        @pytest.mark.runreel("hat.reel.jsonl")
        def test_raises():
            text("London")

        @pytest.mark.runreel("hat.reel.jsonl")
        def test_hides_the_error():
            try:
                text("London")
            except openai.OpenAIError:
                pass

        @pytest.mark.runreel("hat.reel.jsonl")
        def test_skips():
            try:
                text("London")
            except openai.OpenAIError:
                pytest.skip("no model")
        """
    )
    done = suite.run()
    done.assert_outcomes(failed=3)
    done.stdout.fnmatch_lines(["*NotFoundError*", "*- Captured runreel call -*"])
    lines = [line.strip() for line in done.outlines]
    assert lines.count("at /messages/0/content") == 3
    assert (
        lines.count("- “Do I need a hat in Paris?”") + lines.count("- “Do I need a hat in Rome?”")
        == 3
    )
    assert lines.count("+ “Do I need a hat in London?”") == 3


def test_a_call_more_than_recorded_fails_unless_order_is_asked_for(recorded):
    suite = recorded(
        """
        @pytest.mark.runreel("hat.reel.jsonl")
        def test_strict():
            for _ in range(2):
                text("Paris")

        @pytest.mark.runreel("hat.reel.jsonl", match="order")
        def test_order():
            assert {text("Paris") for _ in range(3)} == {"Yes, it rains."}
        """
    )
    done = suite.run()
    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines(["*all recordings of this request were served already*"])


def test_calls_of_fixtures_count(recorded):
    suite = recorded(
        """
        @pytest.fixture
        def answer():
            yield text("Paris")
            with pytest.raises(openai.OpenAIError):
                text("Berlin")

        @pytest.mark.runreel("hat.reel.jsonl")
        def test_hat(answer):
            assert answer == "Yes, it rains."
        """
    )
    done = suite.run()
    done.assert_outcomes(passed=1, errors=1)
    done.stdout.fnmatch_lines(["*ERROR at teardown*", "*“Do I need a hat in Berlin?”*"])


def test_what_no_test_has_used_is_named(recorded):
    suite = recorded(
        """
        @pytest.mark.runreel("hat.reel.jsonl")
        def test_one():
            text("Paris")

        @pytest.mark.runreel("hat.reel.jsonl")
        def test_none():
            pass
        """
    )
    done = suite.run()
    done.assert_outcomes(passed=2)
    done.stdout.fnmatch_lines([f"{FILE}: not used: call 1 of run *"])
    (line,) = [one for one in done.outlines if "not used" in one]
    assert line.count("call") == 1
    # The other test could have used it.
    suite.run("-k", "test_one").stdout.no_fnmatch_line("*not used*")


def test_other_requests_pass_and_other_calls_of_vendors_do_not(recorded):
    suite = recorded(
        """
        import httpx

        @pytest.mark.runreel("hat.reel.jsonl")
        def test_others(monkeypatch):
            transport = httpx.MockTransport(lambda request: httpx.Response(200, text="mine"))
            with httpx.Client(transport=transport) as client:
                assert client.get("http://shop.example/responses/7").text == "mine"
                assert client.post("http://shop.example/messages", json={"to": "a"}).text == "mine"
                asked = {"model": "m", "messages": []}
                assert client.post("http://shop.example/messages", json=asked).status_code == 404

        @pytest.mark.runreel("hat.reel.jsonl")
        def test_embeddings():
            with pytest.raises(openai.NotFoundError):
                openai.OpenAI().embeddings.create(model="m", input="a")

        def test_without_the_marker():
            with pytest.raises(openai.OpenAIError, match="api_key"):
                openai.OpenAI()
        """
    )
    done = suite.run()
    done.assert_outcomes(passed=1, failed=2)
    done.stdout.fnmatch_lines(["*no recording is of anthropic-messages*"])
    done.stdout.fnmatch_lines(["*nothing is recorded of POST /v1/embeddings*"])


def test_watch_records_what_is_replayed_whichever_began_first(recorded):
    suite = recorded(
        """
        import runreel

        EARLIER = runreel.open("earlier.db")
        CLIENT = EARLIER.attach(openai.OpenAI(api_key="k", max_retries=0))
        WATCH = EARLIER.watch()

        @pytest.mark.runreel("hat.reel.jsonl")
        def test_both(tmp_path):
            with runreel.open(tmp_path / "later.db") as later, later.watch():
                assert text("Paris") == "Yes, it rains."
                asked = [{"role": "user", "content": "Do I need a hat in Rome?"}]
                got = CLIENT.chat.completions.create(model="m", messages=asked)
                assert got.choices[0].message.content == "No, never."
                for reel in (EARLIER, later):
                    texts = [reel.result(run.run_id).text for run in reel.runs()]
                    assert texts == ["No, never.", "Yes, it rains."]
            WATCH.stop()
            EARLIER.close()
        """
    )
    suite.run().assert_outcomes(passed=1)


def test_a_missing_recording_and_a_wrong_marker_say_what_to_do(suite):
    suite.write(
        """
        @pytest.mark.runreel("none.reel.jsonl")
        def test_none():
            pass

        @pytest.mark.runreel
        def test_wrong():
            pass

        @pytest.mark.skip
        @pytest.mark.runreel("none.reel.jsonl")
        def test_skipped():
            pass

        def test_server(runreel_server):
            pass
        """
    )
    done = suite.run()
    done.assert_outcomes(errors=3, skipped=1)
    done.stdout.fnmatch_lines(
        [
            "the recording none.reel.jsonl does not exist",
            'Record it: pytest --runreel-record "test_hat.py::test_none"',
            "the marker runreel has one recording*",
            "the fixture runreel_server needs a recording*",
        ]
    )


def test_a_damaged_recording_is_an_error(recorded):
    suite = recorded(
        """
        @pytest.mark.runreel("hat.reel.jsonl")
        def test_hat():
            text("Paris")
        """
    )
    file = suite.path / FILE
    file.write_bytes(file.read_bytes()[:-40])
    done = suite.run()
    done.assert_outcomes(errors=1)
    done.stdout.fnmatch_lines([f"*{FILE}*"])


def test_xdist_reports_what_its_workers_have_seen(recorded):
    suite = recorded(
        """
        @pytest.mark.runreel("hat.reel.jsonl")
        def test_one():
            assert text("Paris") == "Yes, it rains."

        @pytest.mark.runreel("hat.reel.jsonl")
        def test_two():
            assert text("Paris") == "Yes, it rains."
        """
    )
    done = suite.run("-n", "2", apart=True)
    done.assert_outcomes(passed=2)
    done.stdout.fnmatch_lines([f"{FILE}: not used: call 1 of run *"])


def test_the_plugin_imports_nothing_until_it_is_used(suite):
    suite.write(
        """
        import sys

        def test_nothing():
            loaded = {name for name in sys.modules if name.startswith("runreel.")}
            assert loaded == {
                "runreel.pytest_plugin",
                "runreel.pytest_plugin.plugin",
                "runreel.pytest_plugin.summary",
            }
        """
    )
    (suite.path / "test_hat.py").write_text(
        (suite.path / "test_hat.py").read_text().replace("import openai\n", "")
    )
    suite.run(apart=True).assert_outcomes(passed=1)
