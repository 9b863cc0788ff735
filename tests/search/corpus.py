"""Runs that speak Russian, English and a mixture, streamed in pieces that cut words."""

from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING, Any

from runreel.importing.import_files import import_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runreel.api.reel import Reel

_STEMS = (
    "погод запрос ответ модел ошибк сервер город клиент договор платеж поиск журнал событи"
    " пользовател инструмент температур секунд завтра сегодня облак дожд ветер снег заказ"
).split()
_ENDINGS = ("", "а", "ы", "ой", "ами", "ов", "ение", "ться", "у", "е")
_ENGLISH = (
    "the request failed weather tool answer server model please retry order token stream event"
    " timeout customer search report Straße naïve İstanbul ﬁle"
).split()
_SIGNS = (", ", ". ", "! ", " ", " ", " ", " — ", "\n")


def _rare(seed: int, consonants: str, vowels: str) -> list[str]:
    random = Random(seed)
    return [
        "".join(
            random.choice(consonants) + random.choice(vowels) for _ in range(random.randint(2, 4))
        )
        for _ in range(3_000)
    ]


_RARE_STEMS = _rare(1, "бвгджзклмнпрстфхцчшщ", "аеиоуыэюя")
_RARE_WORDS = _rare(2, "bcdfghklmnprstvwz", "aeiouy")


def word(random: Random) -> str:
    """A word, two of three in Russian; some are common, most are rare."""
    common = random.random() < 0.2
    if random.random() < 0.65:
        made = random.choice(_STEMS if common else _RARE_STEMS) + random.choice(_ENDINGS)
    elif random.random() < 0.95:
        made = random.choice(_ENGLISH if common else _RARE_WORDS)
    else:
        made = random.choice(
            ("天气预报", "API-ключ", "😀", "e\u0301te\u0301", str(random.randrange(999)))
        )
    return made.capitalize() if random.random() < 0.2 else made


def text(random: Random, words: int) -> str:
    """A text of so many words."""
    return "".join(word(random) + random.choice(_SIGNS) for _ in range(words))


def lines(random: Random, run_id: str, words: int, rows: int = 40) -> Iterator[dict[str, Any]]:
    """The lines of a run of about so many rows, some with a tool call, some failed."""
    said, tool = text(random, words), random.random() < 0.2
    if tool:
        arguments = {"q": text(random, 3), "n": [word(random)]}
        calls = [{"id": "1", "name": "find", "arguments": arguments}]
        yield {"run_id": run_id, "type": "TOOL_CALLS", "tool_calls": calls}
        yield {"run_id": run_id, "tool_results": [{"id": "1", "content": text(random, 8)}]}
    step = max(1, len(said) // rows)
    for end in range(step, len(said) + step, step):
        yield {"run_id": run_id, "type": "PARTIAL_MESSAGE", "text": said[:end]}
    if random.random() < 0.15:
        yield {"run_id": run_id, "type": "ERROR", "error": text(random, 5)}
    else:
        yield {"run_id": run_id, "type": "DONE", "text": said}


def fill(reel: Reel, folder: Path, count: int, *, seed: int = 1, words: int = 280) -> None:
    """Import so many runs."""
    random = Random(seed)
    file = folder / f"corpus-{seed}.jsonl"
    with file.open("w", encoding="utf-8") as out:
        for number in range(count):
            for line in lines(random, f"run-{seed}-{number:05}", words):
                out.write(json.dumps(line, ensure_ascii=False) + "\n")
    report = import_files(reel.db, [str(file)])
    assert not report.problems, report.problems


def phrases(random: Random, texts: list[str], count: int) -> Iterator[str]:
    """Phrases from these texts: cut anywhere, in another case, of two letters; some in none."""
    for number in range(count):
        said = random.choice(texts)
        length = random.choice((2, 2, 3, 4, 6, 9, 15, 30))
        start = random.randrange(max(1, len(said) - length))
        phrase = said[start : start + length]
        kind = number % 4
        yield (phrase, phrase.upper(), phrase.lower(), phrase + random.choice("ыqЖ"))[kind] or "и"
