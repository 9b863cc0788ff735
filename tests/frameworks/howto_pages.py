"""The programs of the how-to pages on frameworks, and what a log has of each."""

from __future__ import annotations

from typing import NamedTuple

from tests.docs.checkout import CHECKOUT
from tests.docs.snippets import Block, blocks

FOLDER = CHECKOUT / "docs" / "how-to"
RESPONSES, CHAT = "openai-responses", "openai-chat"


class Run(NamedTuple):
    """A run of the log: its source, its tokens, and its model calls; all but the first of these
    bring the result of a tool.
    """

    source: str
    tokens: int | None
    calls: int


class Program(NamedTuple):
    """A program of a page, and the runs that it makes.

    ``packages`` are those of its environment, ``variant`` replaces parts of it for another way that
    the page names, which makes the runs ``others``. ``labels`` are those of the last run, and
    ``threads`` is the number of conversations.
    """

    page: str
    file: str
    packages: tuple[str, ...]
    runs: tuple[Run, ...]
    threads: int
    variant: tuple[tuple[str, str], ...] = ()
    others: tuple[Run, ...] = ()
    labels: frozenset[str] = frozenset()

    @property
    def blocks(self) -> tuple[Block, Block, Block]:
        """The program, the commands that run it, and what they print."""
        found = blocks((FOLDER / self.page).read_text("utf-8"))
        (place,) = (place for place, block in enumerate(found) if block.file == self.file)
        program, commands, printed = found[place : place + 3]
        assert (program.language, commands.language, printed.language) == ("python", "sh", "text")
        return program, commands, printed

    @property
    def unmodified(self) -> list[str]:
        """The program and its variant, without a line of runreel."""
        lines = self.blocks[0].text.splitlines(keepends=True)
        text = "".join(line for line in lines if "runreel" not in line)
        if not self.variant:
            return [text]
        other = text
        for shown, replaced in self.variant:
            assert shown in other, shown
            other = other.replace(shown, replaced)
        return [text, other]


# Run by default.
COMMON = [
    Program(
        "record-openai-agents.md",
        "agents_program.py",
        ("openai-agents",),
        runs=(Run(RESPONSES, 30, 2), Run(RESPONSES, 30, 2)),
        threads=1,
        variant=(
            ("import Agent,", "import set_default_openai_api, Agent,"),
            ("set_trace_processors([])", 'set_default_openai_api("chat_completions")'),
        ),
        others=(Run(CHAT, 30, 2), Run(CHAT, None, 2)),
        labels=frozenset(("trace_id", "group_id", "workflow")),
    ),
    Program(
        "record-pydantic-ai.md",
        "pydantic_program.py",
        ("pydantic-ai-slim[openai]",),
        runs=(Run(RESPONSES, 30, 2), Run(RESPONSES, 30, 2)),
        threads=1,
        variant=(("OpenAIResponsesModel", "OpenAIChatModel"),),
        others=(Run(CHAT, 30, 2), Run(CHAT, 30, 2)),
        labels=frozenset(("agent_run_id",)),
    ),
    Program(
        "record-langchain.md",
        "langchain_program.py",
        ("langchain", "langchain-openai"),
        runs=(Run(RESPONSES, 15, 1), Run(RESPONSES, 30, 2), Run(RESPONSES, 30, 2)),
        threads=2,
        variant=(("use_responses_api=True", "use_responses_api=False"),),
        others=(Run(CHAT, 15, 1), Run(CHAT, 30, 2), Run(CHAT, None, 2)),
        labels=frozenset(("agent_run_id",)),
    ),
]
# Run in the environment of the tests.
HERE = [
    Program(
        "record-openai-client.md",
        "client.py",
        (),
        runs=(Run(RESPONSES, 15, 1), Run(CHAT, 15, 1)),
        threads=2,
    ),
    Program(
        "record-openai-client.md", "async_client.py", (), runs=(Run(RESPONSES, 30, 2),), threads=1
    ),
    Program(
        "record-yandex-chat.md",
        "yandex_program.py",
        (),
        # The streamed call reports no usage.
        runs=(Run(CHAT, 15, 2),),
        threads=1,
    ),
]
# Run if RUNREEL_TEST_FRAMEWORKS is "all".
OTHERS = [
    Program(
        "record-litellm.md",
        "litellm_program.py",
        ("litellm",),
        runs=(Run(RESPONSES, 15, 1), Run(CHAT, 30, 2)),
        threads=2,
        variant=(("await litellm.a", "litellm."), ("async for", "for")),
        others=(Run(RESPONSES, 15, 1), Run(CHAT, 30, 2)),
    ),
    Program(
        "record-strands.md",
        "strands_program.py",
        ("strands-agents[openai]",),
        runs=(Run(CHAT, 30, 2), Run(CHAT, 30, 2)),
        threads=1,
    ),
    HERE[-1]._replace(packages=("yandex-ai-studio-sdk",)),
]
