"""The first section of the page of benchmarks says what its tables say."""

from __future__ import annotations

import pytest

from tests.benchmarks import page_file, summary

PAGE = page_file.PAGE.read_text(encoding="utf-8")


def test_the_page_is_what_its_sections_make() -> None:
    assert page_file.page_of(page_file.parts_of(PAGE)) == PAGE


def test_the_first_section_has_a_line_for_each_question() -> None:
    title, text = next(iter(page_file.parts_of(PAGE).items()))
    assert title == summary.TITLE
    for what in ("CPU of it, and per event", "events per second, 64 tasks", "on disk", "page of"):
        assert what in text


ROW = "| no filter, SQLite | {} | sqlite3 | 197 µs | 0.42 | ≥ 0.33: met |"
LIVE = (
    "| a response, asyncio, {0} | 8,000/s | bare | 10,000/s | 0.80 |  |\n"
    "| CPU of a response, asyncio, {0} | 260 ms | bare | 200 ms | 0.77 |  |\n"
)


@pytest.mark.parametrize(
    ("parts", "line"),
    [
        ({"Pages of 100 runs": ROW.format("472 µs")}, "a page of the list, 100 runs | 472 µs | "),
        (
            {
                "Pages of 1,000,000 runs": ROW.format("1.5 ms"),
                "Pages of 100,000 runs": ROW.format("472 µs"),
            },
            "a page of the list, 1,000,000 runs | 1.5 ms | ",
        ),
        (
            {"A log of 1,000 events": ROW.format("391 µs").replace("no filter", "list, no filter")},
            "a page of the list, 1,000 events | 391 µs | ",
        ),
        (
            {
                "Live streams": LIVE.format("SQLite `full`")
                + LIVE.format("Postgres `full`").replace("8,000", "5,000")
                + LIVE.format("SQLite `normal`")
                + LIVE.format("Postgres `normal`")
                + "\n- **As it comes**: the client reads a stream of 2,000 events, each"
            },
            "time of a stream at full speed when recorded, `full` | +25% | +100%",
        ),
    ],
)
def test_a_figure_of_a_table_is_a_figure_of_the_first_section(
    parts: dict[str, str], line: str
) -> None:
    assert line in summary.summary(parts)


def test_cpu_of_an_event_is_what_recording_adds_over_all_events() -> None:
    places = (f"{one} `{how}`" for one in ("SQLite", "Postgres") for how in ("normal", "full"))
    table = "".join(map(LIVE.format, places))
    said = summary.summary(
        {"Live streams": f"{table}\n- the client reads a stream of 2,000 events"}
    )
    assert "| CPU of it, and per event, `full` | +30%, 30 µs | +30%, 30 µs |" in said


def test_without_tables_there_is_no_first_section() -> None:
    assert summary.summary({"Other": "| work | runreel |\n| --- | --- |"}) == ""
    assert page_file.parts_of(page_file.page_of({"Other": "text"})) == {"Other": "text"}
