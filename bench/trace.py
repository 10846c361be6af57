"""What the main thread of a page spent its time on: a trace of Chromium's.

The ScriptDuration of ``Performance.getMetrics`` would not do: it leaves out microtasks, which is all that runs after an
``await``, all of Dash's drawing for instance.
"""

import json
from typing import Any

CATEGORIES = ["devtools.timeline", "v8.execute"]
KINDS = {
    "FunctionCall": "script",
    "EvaluateScript": "script",
    "RunMicrotasks": "script",
    "UpdateLayoutTree": "layout",
    "Layout": "layout",
}


def spent_ms(trace: bytes) -> dict[str, float]:
    """Return the processor time of scripts and of layout with styles; layout that a script asks for is layout."""
    events = json.loads(trace)["traceEvents"]
    threads = {(one["pid"], one["tid"]): one["args"]["name"] for one in events if one["name"] == "thread_name"}
    found = [
        one
        for one in events
        if one["name"] in KINDS and "tdur" in one and threads.get((one["pid"], one["tid"])) == "CrRendererMain"
    ]
    spent = {"script": 0.0, "layout": 0.0}
    around: list[dict[str, Any]] = []
    for one in sorted(found, key=lambda one: (one["pid"], one["ts"], -one["dur"])):
        while around and (around[-1]["pid"] != one["pid"] or around[-1]["ts"] + around[-1]["dur"] <= one["ts"]):
            around.pop()
        spent[KINDS[one["name"]]] += one["tdur"] / 1000
        if around:
            spent[KINDS[around[-1]["name"]]] -= one["tdur"] / 1000
        around.append(one)
    return spent
