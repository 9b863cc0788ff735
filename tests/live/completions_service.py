"""A gRPC service of completions, for the unmodified Yandex SDK on this machine."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any

import grpc
from yandex.cloud.ai.foundation_models.v1 import text_common_pb2 as common
from yandex.cloud.ai.foundation_models.v1.text_generation import (
    text_generation_service_pb2 as generation,
)

from tests.live.assistants_service import AssistantsService

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Status = common.Alternative
PARTIAL = Status.ALTERNATIVE_STATUS_PARTIAL
FINAL = Status.ALTERNATIVE_STATUS_FINAL
TRUNCATED = Status.ALTERNATIVE_STATUS_TRUNCATED_FINAL
FILTERED = Status.ALTERNATIVE_STATUS_CONTENT_FILTER
TOOL_CALLS = Status.ALTERNATIVE_STATUS_TOOL_CALLS
MODEL = "gpt://folder/yandexgpt/latest"
_SERVICE = "yandex.cloud.ai.foundation_models.v1.TextGenerationService"


def told(
    text: str | None, status: Any = PARTIAL, *, tokens: int = 1, city: str | None = None
) -> Any:
    """A message: the whole text so far or a call of ``weather``, and the usage so far."""
    message = common.Message(role="assistant", text=text)
    if city is not None:
        function = common.FunctionCall(name="weather")
        function.arguments.update({"city": city})
        calls = [common.ToolCall(function_call=function)]
        message = common.Message(
            role="assistant", tool_call_list=common.ToolCallList(tool_calls=calls)
        )
    return generation.CompletionResponse(
        alternatives=[common.Alternative(message=message, status=status)],
        usage=common.ContentUsage(
            input_text_tokens=9,
            completion_tokens=tokens,
            total_tokens=9 + tokens,
            completion_tokens_details={"reasoning_tokens": 2},
        ),
        model_version="22.05.2025",
    )


ANSWER = [
    told("It"),
    told("It is", tokens=2),
    told("It is sunny.", tokens=4),
    told("It is sunny.", FINAL, tokens=4),
]


class Failure(Exception):
    """The service ends the answer with this status."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        super().__init__(details)
        self.code = code


class CompletionsService(AssistantsService):
    """The service. ``answers`` are given to the next requests, one each.

    An answer is a list of messages; a failure ends it, and so does an event when it is set.
    """

    def __init__(self, **how: Any) -> None:
        self.answers: deque[list[Any]] = deque()
        super().__init__(**how)

    @property
    def asked(self) -> list[Any]:
        """The requests that came in."""
        return self.requests("TextGenerationService.Completion")

    def _complete(self, _request: Any, context: Any) -> Iterator[Any]:
        for step in self.answers.popleft():
            if isinstance(step, Failure):
                context.abort(step.code, str(step))
            elif isinstance(step, threading.Event):
                while not step.wait(0.02) and context.is_active():
                    pass
            else:
                yield step

    def _handlers(self) -> Iterator[Any]:
        yield from super()._handlers()
        answer: Callable[[Any, Any], Any] = self._logged(
            "TextGenerationService.Completion", self._complete
        )
        handler = grpc.unary_stream_rpc_method_handler(
            answer,
            request_deserializer=generation.CompletionRequest.FromString,
            response_serializer=lambda message: message.SerializeToString(),
        )
        yield grpc.method_handlers_generic_handler(_SERVICE, {"Completion": handler})
