"""Recognition of messages of the Yandex ``TextGenerationService``."""

from __future__ import annotations

from runreel.codec.json_values import as_object

# Of the names of an alternative's status.
PREFIX = "ALTERNATIVE_STATUS_"


def answer_in(value: dict[str, object]) -> dict[str, object]:
    """The message in a value, which is under ``result`` in lines of the REST interface."""
    result = value.get("result")
    return result if isinstance(result, dict) and "alternatives" in result else value


def is_answer(value: dict[str, object]) -> bool:
    """Whether an object is a message of this service and of no other source."""
    found = answer_in(value).get("alternatives")
    return (
        isinstance(found, list)
        and bool(found)
        and all(str(as_object(one).get("status")).startswith(PREFIX) for one in found)
    )
