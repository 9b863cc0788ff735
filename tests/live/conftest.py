"""The services that vendors' own clients talk to in these tests."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anthropic
import grpc
import openai
import pytest

from tests.live import messages_script, sse_server
from tests.live import openai_script as script
from tests.live.assistants_service import AssistantsService
from tests.live.told import PAUSED_AFTER
from tests.logs import verify

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from runreel.api.reel import Reel
    from runreel.api.watching import Watch


@pytest.fixture
def assistants() -> Iterator[AssistantsService]:
    """The Assistants service, in the clear."""
    with AssistantsService() as service:
        yield service


@pytest.fixture(scope="module")
def secure_assistants(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AssistantsService]:
    """The service with TLS and a key."""
    with AssistantsService(tls_in=tmp_path_factory.mktemp("tls"), key="secret") as service:
        yield service


@pytest.fixture
def way_there(secure_assistants: AssistantsService, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables that lead there. gRPC looks for roots once in a process, long ago perhaps."""
    for name, value in secure_assistants.environment.items():
        monkeypatch.setenv(name, value)
    path = Path(secure_assistants.environment["GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"])
    credentials = grpc.ssl_channel_credentials(root_certificates=path.read_bytes())
    monkeypatch.setattr(grpc, "ssl_channel_credentials", lambda: credentials)


@pytest.fixture
def server() -> Iterator[sse_server.Script]:
    """A server of OpenAI's interfaces that says what the test has it say."""
    with sse_server.serving() as script:
        yield script


@pytest.fixture(scope="session")
def openai_client() -> Iterator[openai.OpenAI]:
    """The client as it is; making one takes long."""
    with openai.OpenAI(api_key="sk-secret", max_retries=0) as made:
        yield made


@pytest.fixture
def client(openai_client: openai.OpenAI, server: sse_server.Script) -> openai.OpenAI:
    """The client at the test's server."""
    return openai_client.with_options(base_url=server.url)


@pytest.fixture(scope="session")
def anthropic_client() -> Iterator[anthropic.Anthropic]:
    """The client as it is; making one takes long."""
    with anthropic.Anthropic(api_key="sk-secret", max_retries=0) as made:
        yield made


@pytest.fixture
def messages(
    anthropic_client: anthropic.Anthropic, server: sse_server.Script
) -> anthropic.Anthropic:
    """The client at the test's server."""
    return anthropic_client.with_options(base_url=server.url.removesuffix("/v1"))


@pytest.fixture(scope="session")
def finals(anthropic_client: anthropic.Anthropic) -> dict[str, Any]:
    """The client's own message of each stream of the script, by its name."""
    found = {}
    with sse_server.serving() as server:
        client = anthropic_client.with_options(base_url=server.url.removesuffix("/v1"))
        for name, events in messages_script.STREAMS.items():
            server.stream(events)
            with client.messages.stream(**messages_script.ASKED) as stream:
                found[name] = stream.get_final_message()
    return found


@pytest.fixture
def record(reel: Reel) -> Iterator[Callable[..., Any]]:
    """Records a stream of the client; whatever it stored, a rebuild finds nothing amiss."""
    yield reel.record
    assert reel.rebuild(check=True) == []


@pytest.fixture
def watch(reel: Reel) -> Iterator[Watch]:
    """A watch on ``reel``; whatever it stored is verified, and a rebuild finds nothing amiss."""
    with reel.watch() as watch:
        yield watch
    assert reel.rebuild(check=True) == []
    verify(reel)


@pytest.fixture
def paused(server: sse_server.Script) -> Iterator[sse_server.Script]:
    """A server of eight streams, each quiet after ``PAUSED_AFTER`` events until the test is over.

    The input of a call is the id of its response.
    """
    over = threading.Event()

    def answer(asked: sse_server.Asked) -> sse_server.Answer:
        told = script.events([script.output_of(["Hello, ", "world"])], id_=asked.body["input"])
        pause = sse_server.Pause(30, over)
        return sse_server.Answer(events=[*told[:PAUSED_AFTER], pause, *told[PAUSED_AFTER:]])

    server.say(*[answer] * 8)
    yield server
    over.set()
