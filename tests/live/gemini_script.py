"""What a server of the Gemini API sends, in the shapes that are documented."""

from __future__ import annotations

from typing import Any

MODEL = "gemini-2.5-flash"
ID = "resp-1"
USED = {"promptTokenCount": 9, "totalTokenCount": 9}


def chunk(
    *parts: dict[str, Any], reason: str | None = None, id_: str = ID, **used: int
) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
    if reason is not None:
        candidate["finishReason"] = reason
    total = sum(used.values()) + 9 - used.get("cachedContentTokenCount", 0)
    return {
        "candidates": [candidate],
        "usageMetadata": {**USED, **used, "totalTokenCount": total},
        "modelVersion": MODEL,
        "responseId": id_,
    }


def text(text: str, **more: Any) -> dict[str, Any]:
    return {"text": text, **more}


def call(name: str = "weather", **args: Any) -> dict[str, Any]:
    return {"functionCall": {"name": name, "args": args}}


END = {"candidatesTokenCount": 12}
STREAMS: dict[str, list[Any]] = {
    "text": [chunk(text("Hello")), chunk(text(", ")), chunk(text("world"), reason="STOP", **END)],
    "an empty end": [chunk(text("Hello")), chunk(text(""), reason="STOP", **END)],
    "several parts": [chunk(text("One"), text("Two")), chunk(text("!"), reason="STOP", **END)],
    "thinking": [
        chunk(text("I add ", thought=True)),
        chunk(text("the two.", thought=True), text("4")),
        chunk(text("2"), reason="STOP", thoughtsTokenCount=7, **END),
    ],
    "a call": [chunk(call(city="Berlin"), reason="STOP", **END)],
    "a call before the end": [
        chunk(text("Let me look.")),
        chunk(call(city="Berlin"), {**call("f", n=[1, None]), "thoughtSignature": "c2ln"}),
        chunk(text(""), reason="STOP", **END),
    ],
    "cached input": [
        chunk(text("Hello"), cachedContentTokenCount=4),
        chunk(text(""), reason="STOP", cachedContentTokenCount=4, **END),
    ],
    "cut short": [chunk(text("Hello")), chunk(text(", "), reason="MAX_TOKENS", **END)],
    "filtered": [chunk(text("Hello")), {**chunk(reason="SAFETY"), "responseId": ID}],
    "unicode": [
        chunk(text("a\u0301\u2028")),
        chunk(text("👩\u200d👩 日本\x00")),
        chunk(text("\u202e«"), reason="STOP", **END),
    ],
    "code of the server": [
        chunk({"executableCode": {"language": "PYTHON", "code": "print(2)"}}),
        chunk({"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "2\n"}}),
        chunk(text("2"), reason="STOP", **END),
    ],
}
BLOCKED = [
    {
        "promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
        "usageMetadata": USED,
        "modelVersion": MODEL,
        "responseId": ID,
    }
]
ERROR = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
