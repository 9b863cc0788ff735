"""Commands with ``-j 2``, compared with ``-j 1``."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

from runreel.store.drivers.sqlite import text_index
from tests.benchmarks import filling, measure, raw, workload
from tests.benchmarks.bench import DATABASES, POSTGRES, SQLITE, command
from tests.benchmarks.measure import whole
from tests.benchmarks.page import Goal, Section, quicker
from tests.benchmarks.rebuild import empty

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runreel.api.reel import Reel
    from tests.benchmarks.bench import Bench
    from tests.benchmarks.measure import Sample
    from tests.benchmarks.page import Row

_TWICE = Goal(at_least=1.7)
# Of the logs of other sections, in which the start of a command takes a fifth of its time.
_TIMES = 3
# These commands take long: more rounds would take as long as all other sections together.
_ROUNDS = 3
# Texts of the search index for each event of these logs.
_TEXTS = 0.1


_COMMANDS = {
    "rebuild": ("rebuild",),
    "rebuild --check": ("rebuild", "--check"),
    "verify": ("verify",),
}


def run(bench: Bench) -> Section:
    """Work on a whole log that worker processes share."""
    section = Section("Several cores")
    for database in DATABASES:
        with bench.log(database, "normal") as reel:
            events = filling.streams(reel, _TIMES * bench.sizes.rebuilt * 45)
            lines = _COMMANDS if database == POSTGRES else _COMMANDS | _exports(bench.folder)
            section.rows += _both(bench, database, reel, lines)
    with bench.log(SQLITE, "normal") as reel:
        # The server that these benchmarks start has no index.
        texts = int(_TEXTS * events)
        _fill_texts(bench, reel, texts)
        section.rows += _both(bench, SQLITE, reel, {"search --build": ("search", "--build")})
    section.note(
        f"**Commands** on a log of {events:,} events of runs with 40 partial messages, start-up"
        " included; `rebuild` from empty projections, exports of the whole log; the index of"
        f" {texts:,} texts of 2,000 characters. {_ROUNDS} rounds."
    )
    section.note(
        "The start of the command, and of a rebuild also moving rows into place and adding up"
        " usage, are done by one process alone. A worker that is forked takes 20 ms of a core up to"
        " its first answer; a new interpreter took 200 ms, for its imports. Workers make the rows"
        " that a rebuild stores, with texts packed: the main process keeps 0.39 s of a core"
        " instead of 0.48, of which 0.16 are to start, 0.11 to add up usage and 0.03 to move rows"
        " into place. Of an export of recordings it keeps 0.28 s; workers that read neighbouring"
        " runs by one statement and write many lines by one call take 0.70 s instead of 0.83, but"
        " one process takes less, too, so the ratio stays. Filling empty usage"
        " rollups without comparing them first took 0.10 s of a core instead of 0.28, for 90,000"
        " events."
    )
    section.note(
        "**`search --build -j 2`** makes two indexes, each in the memory of a worker, and copies"
        " them into the log: for 22,000 texts each worker takes 3.3 s of a core and this process"
        " 0.6, instead of 6.8 of one process, and a search asks both. With one"
        " index, reading and unpacking texts would be the only work to share out, a tenth of all."
    )
    return section


def _exports(folder: Path) -> dict[str, tuple[str, ...]]:
    out = ("--force", "--out")
    recording, table = (str(folder / name) for name in ("jobs.reel.jsonl", "jobs.csv"))
    return {
        "export --out FILE.reel.jsonl": ("export", *out, recording),
        "export --out FILE.reel.jsonl.gz": ("export", *out, f"{recording}.gz"),
        "export --out FILE.csv --table events": ("export", *out, table, "--table", "events"),
    }


def _fill_texts(bench: Bench, reel: Reel, texts: int) -> None:
    """Store runs of one event each."""
    file = bench.folder / "texts.jsonl"
    with file.open("w", encoding="utf-8") as lines:
        for number in range(texts):
            run = {"run_id": workload.run_id(number), "text": workload.text_of(number)}
            lines.write(json.dumps({"type": "COMPLETED", **run}, ensure_ascii=False) + "\n")
    reel.import_file(file)


def _both(
    bench: Bench, database: str, reel: Reel, lines: dict[str, tuple[str, ...]]
) -> Iterator[Row]:
    for title, words in lines.items():
        works = {str(jobs): partial(_command, reel, *words, "-j", str(jobs)) for jobs in (1, 2)}
        found = measure.interleaved(min(bench.sizes.rounds, _ROUNDS), works)
        work = f"`{title} -j 2`, {database}"
        yield quicker(work, found["2"], "`-j 1`", found["1"], _TWICE)


def _command(reel: Reel, *words: str) -> Sample:
    if words[0] == "rebuild" and "--check" not in words:
        empty(reel)
    if words[0] == "search":
        _drop_index(reel)
    return whole(partial(command, "-m", "runreel", *words, url=raw.url_of(reel)))


def _drop_index(reel: Reel) -> None:
    with reel.db.writing() as connection:
        names = text_index.tables(connection)
        made = [name for name in text_index.parts(names) if name in names]
        for name in [*made, *names.intersection(text_index.LISTS)]:
            connection.execute(f"DROP TABLE {name}")
