"""Read the traces that a run's processes wrote; the program that ran there is not trusted."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

TRACE_SCHEMA = 1
_MOST_TRACES = 2000
_LARGEST_LINE = 16 * 2**20
"""Bytes; a step of a model with ten thousand tensors."""
_LONGEST_TEXT = 300
_LARGEST_LENGTH = 2**63
"""Of an array along one axis, and of a loop: Python does not write out numbers of any length."""


@dataclass(frozen=True)
class Tensor:
    """The fingerprint of one array."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    hash: str
    sample: bytes
    """Values of it as they are in memory, evenly spaced; all of a small one."""
    sum: float | None = None
    text: str = ""
    """What stands for a value that is no array."""

    @property
    def size(self) -> int:
        """How many values it has."""
        count = 1
        for length in self.shape:
            count *= length
        return count


@dataclass(frozen=True)
class Event:
    """One line of a trace: what a source left behind at a step."""

    kind: str
    """"batch", "init", "step", "mark", or "full": the last line of a trace that grew too long."""
    source: str
    step: int
    rng: Mapping[str, str]
    """Generator -> hash of its state; empty where it was not looked at."""
    tensors: tuple[Tensor, ...]


@dataclass(frozen=True)
class TraceFile:
    """One process's trace."""

    path: Path
    stage: str
    role: str
    identity: tuple[str, ...]
    rank: str
    started: float

    @property
    def name(self) -> str:
        """What it is called in a report; the main process of a stage has no name of its own."""
        parts = [*self.identity, *([f"rank {self.rank}"] if self.rank else [])]
        return "/".join(parts) or ("" if self.role == "main" else self.role)


def list_traces(folder: Path) -> tuple[TraceFile, ...]:
    """Return the traces in a run's folder for records, sorted by start; what is none is passed over."""
    found = []
    for path in sorted(folder.glob("trace-*.jsonl"))[:_MOST_TRACES]:
        header = next(iter(read_lines(path)), b"")
        trace = _parse_header(path, header)
        if trace is not None:
            found.append(trace)
    return tuple(sorted(found, key=lambda trace: (trace.started, trace.path.name)))


def read_lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a trace; the last one, without its end where a process was killed, is left out."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return
    with os.fdopen(descriptor, "rb") as stream:
        while line := stream.readline(_LARGEST_LINE):
            if not line.endswith(b"\n"):
                return
            yield line


def parse_event(line: bytes) -> Event | None:
    """Return the event that a line holds; ``None`` where it holds none."""
    data = _parse_object(line)
    if data is None or not isinstance(data.get("kind"), str):
        return None
    step, rng, tensors = data.get("step", 0), data.get("rng"), data.get("tensors")
    parsed = [_parse_tensor(one) for one in tensors] if isinstance(tensors, list) else []
    return Event(
        kind=_cut(data["kind"]),
        source=_cut(data.get("source")),
        step=step if type(step) is int and 0 <= step < _LARGEST_LENGTH else 0,
        rng={_cut(name): _cut(state) for name, state in rng.items()} if isinstance(rng, dict) else {},
        tensors=tuple(one for one in parsed if one is not None),
    )


def _parse_header(path: Path, line: bytes) -> TraceFile | None:
    data = _parse_object(line)
    if data is None or data.get("kind") != "process" or data.get("schema_version") != TRACE_SCHEMA:
        return None
    identity, started = data.get("identity"), data.get("started")
    return TraceFile(
        path=path,
        stage=_cut(data.get("stage")),
        role=_cut(data.get("role")),
        identity=tuple(_cut(step) for step in identity[:20]) if isinstance(identity, list) else (),
        rank=_cut(data.get("rank")),
        started=float(started) if isinstance(started, int | float) and abs(started) < 2**53 else 0.0,
    )


def _parse_tensor(data: object) -> Tensor | None:
    if not isinstance(data, dict):
        return None
    shape, total = data.get("shape"), data.get("sum")
    try:
        sample = bytes.fromhex(str(data.get("sample", "")))
    except ValueError:
        sample = b""
    return Tensor(
        name=_cut(data.get("name")),
        dtype=_cut(data.get("dtype")),
        shape=_parse_shape(shape),
        hash=_cut(data.get("hash")),
        sample=sample,
        sum=total if type(total) is float else None,
        text=_cut(data.get("text")),
    )


def _parse_shape(data: object) -> tuple[int, ...]:
    lengths = data[:64] if isinstance(data, list) else []
    return tuple(one for one in lengths if type(one) is int and 0 <= one < _LARGEST_LENGTH)


def _parse_object(line: bytes) -> dict[str, object] | None:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return data if isinstance(data, dict) else None


def _cut(value: object) -> str:
    return value[:_LONGEST_TEXT] if isinstance(value, str) else ""
