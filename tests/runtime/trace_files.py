"""Asking a run for its trace, and reading it."""

import json
import shutil
from dataclasses import replace


def traces(box, **wanted):
    """Return the traces of the processes that have these values: (first line, the others)."""
    found = []
    for path in sorted(box.record_folder.glob("trace-*.jsonl")):
        first, *others = [json.loads(line) for line in path.read_text().splitlines()]
        if all(first[name] == value for name, value in wanted.items()):
            found.append((first, others))
    return sorted(found, key=lambda item: item[0]["started"])


def events(box, **wanted):
    ((_, found),) = traces(box, **wanted)
    return found


def again(box):
    """The same box with a fresh folder for records."""
    shutil.rmtree(box.record_folder)
    box.record_folder.mkdir()
    return box


def traced(box):
    return replace(box, env={**box.env, "REPROBOX_TRACE": "1"})
