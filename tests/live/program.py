"""A program that records a run: ``python -m tests.live.program ADDRESS DATABASE RUN [TOOL]``.

It prints the text of each event that it has seen, as JSON; with TOOL it answers calls with that.
"""

from __future__ import annotations

import json
import sys

from yandex_ai_studio_sdk import AIStudio

import runreel
from runreel.capture.yandex import record


def main(address: str, url: str, run_id: str, answer: str | None = None) -> None:
    sdk = AIStudio(folder_id="folder", endpoint=address, auth="key", verify=False)
    with runreel.open(url) as reel:
        run = record.recorded(sdk.runs.get(run_id), reel.db)
        for event in run:
            print(json.dumps([event.status.name, event.text]), flush=True)
            if event.tool_calls and answer is not None:
                results = [
                    {"name": call.function.name, "content": answer} for call in event.tool_calls
                ]
                run.submit_tool_results(results)


if __name__ == "__main__":
    main(*sys.argv[1:])
