"""Two traces -> the first event and the first tensor in which they differ, and what had been drawn by then."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice, zip_longest

from reprobox.trace_numbers import Distance, measure_distance
from reprobox.traces import Event, Tensor, parse_event

_FARTHEST = 2000
"""Events by which threads may change the order of a trace."""
_RECENT = 256
"""Events before a difference that are looked at for what went into it."""
_MOST_BYTES = 32 * 2**20
"""Of their lines, as long as they wait to be looked at."""
_MOST_WAITING = 200_000
"""Tensors that may wait for their partners meanwhile: whoever wrote a trace is not trusted."""


class Cause(StrEnum):
    """What a first difference speaks for."""

    RANDOM_NUMBERS = "random numbers"
    """A generator's state differed there, or before."""
    DATA = "data"
    """A batch differed, and no generator's state did."""
    START = "initial values"
    """Parameters differed before the first step, and no generator's state did."""
    KERNEL = "kernel"
    """The same batches and the same generators' states, and another result."""
    COMPUTATION = "data or kernel"
    """The same generators' states; what went in was not traced, or not all of it."""
    FLOW = "program flow"
    """One did something that the other did not, or another number of times."""


@dataclass(frozen=True)
class Place:
    """An event, by name."""

    kind: str
    source: str
    step: int


@dataclass(frozen=True)
class RandomDifference:
    """The first event at which generators' states differ."""

    place: Place
    generators: tuple[str, ...]


@dataclass(frozen=True)
class Divergence:
    """Where two traces of one process part, and how."""

    place: Place
    tensor: str
    """"" where one of the two has no such event."""
    what: str
    """One line: how they differ there."""
    distance: Distance | None
    cause: Cause
    random: RandomDifference | None
    """Where the generators' states parted, if that was there or before."""
    agreed: int
    """Events before it, the same in both."""


@dataclass(frozen=True)
class TraceComparison:
    """What comes of comparing two traces of one process."""

    events: int
    """Compared."""
    divergence: Divergence | None
    random: RandomDifference | None
    """Where the generators' states parted, if they did, whether or not any tensor differs."""

    @property
    def same(self) -> bool:
        """Whether every tensor agrees; states alone may differ at the end of what is traced."""
        return self.divergence is None


Pair = tuple[Event | None, Event | None]


def compare_traces(a: Iterable[bytes], b: Iterable[bytes]) -> TraceComparison:
    """Compare the lines of two traces of one process, without their first ones."""
    agreed, recent, rest = _skip_agreement(iter(a), iter(b))
    random: RandomDifference | None = None
    for position, (one, other) in enumerate(rest, start=agreed):
        random = random or _compare_states(one, other)
        found = _compare_events(one, other)
        if found is not None:
            place, tensor, what, distance = found
            # A batch has no states with it: those of the next event that has tell.
            if random is None and not (one and one.rng):
                random = _find_next_states(rest)
            flow = one is None or other is None
            cause = Cause.FLOW if flow and random is None else _decide_cause(place, random, recent)
            divergence = Divergence(place, tensor, what, distance, cause, random, position)
            return TraceComparison(position + 1, divergence, random)
        if one is not None:
            recent.append(_place(one))
        agreed = position + 1
    return TraceComparison(agreed, None, random)


def _skip_agreement(a: Iterator[bytes], b: Iterator[bytes]) -> tuple[int, deque[Place], Iterator[Pair]]:
    """Pass over lines that agree, most of them without parsing; return how many, the last ones' places, the rest."""
    agreed = size = 0
    lines: deque[bytes] = deque()
    rest: Iterator[Pair] = iter(())
    for one, other in zip_longest(a, b):
        if one != other:
            rest = _pair_events(_chain(one, a), _chain(other, b))
            break
        lines.append(one)
        size += len(one)
        while len(lines) > _RECENT or size > _MOST_BYTES:
            size -= len(lines.popleft())
        agreed += 1
    places = (_place(event) for event in map(parse_event, lines) if event is not None)
    return agreed, deque(places, maxlen=_RECENT), rest


def _chain(first: bytes | None, rest: Iterator[bytes]) -> Iterator[Event]:
    lines = rest if first is None else iter([first])
    while True:
        for line in lines:
            event = parse_event(line)
            if event is not None:
                yield event
        if lines is rest:
            return
        lines = rest


def _pair_events(a: Iterator[Event], b: Iterator[Event]) -> Iterator[Pair]:
    """Yield what belongs together, in A's order; threads may have changed it, by a bounded distance."""
    waiting: dict[Place, Event] = {}
    for event in a:
        partner = waiting.pop(_place(event), None) or _find_partner(event, b, waiting)
        yield event, partner
    yield from ((None, event) for event in waiting.values())
    yield from ((None, event) for event in b)


def _find_partner(event: Event, others: Iterator[Event], waiting: dict[Place, Event]) -> Event | None:
    """Return the other trace's event of that name; what comes before it waits."""
    wanted, tensors = _place(event), sum(len(one.tensors) for one in waiting.values())
    for other in others:
        if _place(other) == wanted:
            return other
        waiting[_place(other)] = other
        tensors += len(other.tensors)
        if len(waiting) >= _FARTHEST or tensors >= _MOST_WAITING:
            return None
    return None


def _place(event: Event) -> Place:
    return Place(event.kind, event.source, event.step)


def _compare_states(a: Event | None, b: Event | None) -> RandomDifference | None:
    if a is None or b is None:
        return None
    names = tuple(sorted(name for name in {*a.rng, *b.rng} if a.rng.get(name) != b.rng.get(name)))
    return RandomDifference(_place(a), names) if names else None


def _find_next_states(pairs: Iterator[Pair]) -> RandomDifference | None:
    for one, other in islice(pairs, _FARTHEST):
        if one is not None and one.rng:
            return _compare_states(one, other)
    return None


def _compare_events(a: Event | None, b: Event | None) -> tuple[Place, str, str, Distance | None] | None:
    """Return where and how two events differ; ``None`` when all their tensors agree."""
    if a is None or b is None:
        present = a or b
        assert present is not None
        return _place(present), "", f"only {'A' if a else 'B'} has it", None
    for one, other in zip_longest(a.tensors, b.tensors):
        found = _compare_tensors(one, other)
        if found is not None:
            return _place(a), (one or other).name, *found
    return None


def _compare_tensors(a: Tensor | None, b: Tensor | None) -> tuple[str, Distance | None] | None:
    if a is None or b is None:
        return f"only {'A' if a else 'B'} has it", None
    if a.name != b.name:
        return f"B has {b.name} in its place", None
    if (a.dtype, a.shape) != (b.dtype, b.shape):
        return f"{_describe_type(a)} in A, {_describe_type(b)} in B", None
    if a.hash == b.hash:
        return None
    if a.text or b.text:
        return f"{a.text} in A, {b.text} in B", None
    return f"other values of {_describe_type(a)}", measure_distance(a, b)


def _describe_type(tensor: Tensor) -> str:
    return f"{tensor.dtype}[{', '.join(map(str, tensor.shape))}]"


def _decide_cause(place: Place, random: RandomDifference | None, recent: Iterable[Place]) -> Cause:
    if random is not None:
        return Cause.RANDOM_NUMBERS
    if place.kind == "batch":
        return Cause.DATA
    if place.kind == "init":
        return Cause.START
    return Cause.KERNEL if place.kind == "step" and _shows_what_went_in(place, recent) else Cause.COMPUTATION


def _shows_what_went_in(step: Place, recent: Iterable[Place]) -> bool:
    """Whether nothing is left out just before a step: neither the step before it, nor a batch in between.

    A long loop's events are noted ever more rarely, each source's by its own count.
    """
    newest: dict[tuple[str, str], int] = {}
    seen = gap = False
    for place in [*recent, step]:
        name = (place.kind, place.source)
        is_next = place.step - newest.get(name, 0) <= 1
        newest[name] = place.step
        if place is step:
            return is_next and seen and not gap
        if place.kind == "batch":
            seen, gap = True, gap or not is_next
        elif name == (step.kind, step.source):
            seen = gap = False
    return False


def join_names(names: Sequence[str]) -> str:
    """Return names as a person writes them: "a", "a and b", "a, b and c"."""
    return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)
