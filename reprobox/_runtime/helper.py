"""What a user's program may call of the runtime: note a metric, fingerprint an array."""

import os
import sys

from .jsontext import format_json

_LONGEST_NAME = 100
"""Characters; a reader takes no longer names."""


def write_metric(name, value, step=None):
    """Append a metric to ``metrics.jsonl``; do nothing where no folder for records is named."""
    folder = os.environ.get("REPROBOX_RECORD_DIR")
    if not folder:
        return
    try:
        entry = {"name": str(name)[:_LONGEST_NAME], "value": read_number(value)}
        if step is not None:
            entry["step"] = int(step)
        entry["stage"] = os.environ.get("REPROBOX_STAGE", "")
        entry["pid"] = os.getpid()
        _append_line(os.path.join(folder, "metrics.jsonl"), format_json(entry))
    except Exception as error:
        warn("metric %.100s not written: %s: %.200s" % (name, type(error).__name__, error))


def trace_value(name, value):
    """Put a value's fingerprint into the trace, if there is one."""
    start = sys.modules.get(__package__ + ".start")
    tracer = getattr(start, "tracer", None)
    if tracer is not None:
        tracer.note_value("mark", str(name)[:_LONGEST_NAME], value)


def read_number(value):
    """Return a number or a framework's scalar as a float, without the warnings that a plain ``float`` may raise."""
    # A tensor that needs a gradient warns, as does an array with one dimension.
    for method in ("detach", "item"):
        if hasattr(value, method):
            value = getattr(value, method)()
    return float(value)


def warn(text):
    """Put a warning into this process's record, if it has one."""
    seeder = getattr(sys.modules.get(__package__ + ".start"), "seeder", None)
    if seeder is not None:
        seeder.record.warn(text)


def _append_line(path, line):
    # Opened anew each time: cheap enough, and right after every fork. One write, so that processes do not mix lines.
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    try:
        os.write(handle, line.encode("ascii") + b"\n")
    finally:
        os.close(handle)
