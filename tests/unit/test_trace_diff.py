"""Two traces: where they part first, how far they are apart there, and what that speaks for."""

import json
import math
import struct
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprobox.trace_diff import Cause, Place, compare_traces, join_names
from reprobox.trace_numbers import decode_sample, measure_distance
from reprobox.traces import Tensor, list_traces, parse_event, read_lines


def tensor(name, *values, dtype="float32", code="f", shape=None, **more):
    content = struct.pack(f"<{len(values)}{code}", *values)
    shape = [len(values)] if shape is None else shape
    return {"name": name, "dtype": dtype, "shape": shape, "hash": content.hex()[:32], "sample": content.hex(), **more}


def event(kind, source, step, *tensors, **rng):
    return json.dumps({"kind": kind, "source": source, "step": step, "rng": rng, "tensors": tensors}).encode() + b"\n"


def training(steps, *, batches=True, change=None, rng=lambda step: {"numpy": f"n{step}", "torch": f"t{step}"}):
    """The trace of a training; ``change`` maps (kind, step, tensor) to a number that is added there and after."""
    change = change or {}
    lines, drift = [], 0.0
    for step in range(1, steps + 1):
        if batches:
            drift += change.get(("batch", step), 0.0)
            lines.append(event("batch", "DataLoader", step, tensor("DataLoader[0]", step + drift)))
        drift += change.get(("grad", step), 0.0)
        grad = tensor("grad:0.weight", 0.5 * step, 1.0 + drift)
        drift += change.get(("param", step), 0.0)
        lines.append(event("step", "Adam", step, grad, tensor("param:0.weight", 2.0, 3.0 + drift), **rng(step)))
    return lines


def test_the_same_traces_agree():
    found = compare_traces(training(20), training(20))
    assert (found.same, found.events, found.random) == (True, 40, None)


def test_a_gradient_that_differs_is_named_with_its_step_and_is_a_kernel_s():
    found = compare_traces(training(20), training(20, change={("grad", 7): 0.25})).divergence
    assert found.place == Place("step", "Adam", 7)
    assert found.tensor == "grad:0.weight"
    assert found.cause is Cause.KERNEL
    assert (found.distance.max_abs, found.distance.differing, found.distance.compared) == (0.25, 1, 2)
    assert found.agreed == 13


@pytest.mark.parametrize("left_out", [("batch", 6), ("step", 6), ("batch", 7)])
def test_where_a_loop_is_noted_more_rarely_what_was_left_out_may_be_the_cause(left_out):
    def thin(lines):
        names = [(one["kind"], one["step"]) for one in map(json.loads, lines)]
        return [line for line, name in zip(lines, names, strict=True) if name != left_out]

    found = compare_traces(thin(training(9)), thin(training(9, change={("grad", 7): 0.25}))).divergence
    assert (found.place, found.cause) == (Place("step", "Adam", 7), Cause.COMPUTATION)
    found = compare_traces(thin(training(9)), thin(training(9, change={("grad", 9): 0.25}))).divergence
    assert (found.place, found.cause) == (Place("step", "Adam", 9), Cause.KERNEL)


def test_without_batches_in_the_trace_nobody_knows_whether_the_data_differed():
    found = compare_traces(training(9, batches=False), training(9, batches=False, change={("param", 3): 1.0}))
    assert found.divergence.cause is Cause.COMPUTATION
    assert found.divergence.tensor == "param:0.weight"


def test_a_batch_that_differs_with_the_same_states_is_the_data_s():
    found = compare_traces(training(9), training(9, change={("batch", 4): 1.0})).divergence
    assert (found.place, found.cause, found.random) == (Place("batch", "DataLoader", 4), Cause.DATA, None)


def test_a_batch_that_differs_after_other_draws_is_the_random_numbers():
    def other(step):
        return {"numpy": f"n{step}" if step < 4 else f"m{step}", "torch": f"t{step}"}

    found = compare_traces(training(9), training(9, change={("batch", 4): 1.0}, rng=other)).divergence
    assert (found.place.kind, found.place.step, found.cause) == ("batch", 4, Cause.RANDOM_NUMBERS)
    assert found.random.generators == ("numpy",)
    assert found.random.place == Place("step", "Adam", 4)


def test_states_that_part_before_the_tensors_do_are_said_to():
    def other(step):
        return {"numpy": f"n{step}", "torch": f"t{step}" if step < 2 else "x"}

    found = compare_traces(training(9), training(9, change={("grad", 6): 1.0}, rng=other))
    assert found.random.place == Place("step", "Adam", 2)
    assert found.divergence.place.step == 6
    assert found.divergence.cause is Cause.RANDOM_NUMBERS


def test_states_alone_are_no_difference_of_tensors():
    found = compare_traces(training(5), training(5, rng=lambda step: {"numpy": "x", "torch": "y"}))
    assert found.same
    assert found.random.generators == ("numpy", "torch")


def test_initial_values_that_differ():
    first = event("init", "Adam", 1, tensor("param:0.weight", 1.0))
    other = event("init", "Adam", 1, tensor("param:0.weight", 1.5))
    assert compare_traces([first, *training(2)], [other, *training(2)]).divergence.cause is Cause.START


@pytest.mark.parametrize("swapped", [False, True])
def test_a_run_that_stops_earlier_parts_there(swapped):
    long, short = training(5), training(3)
    found = compare_traces(*((short, long) if swapped else (long, short))).divergence
    assert found.cause is Cause.FLOW
    assert found.place == Place("batch", "DataLoader", 4)
    assert found.what == f"only {'B' if swapped else 'A'} has it"


def test_threads_that_change_the_order_change_nothing():
    lines = training(6)
    swapped = [*lines[:4], lines[5], lines[4], *lines[6:]]
    assert compare_traces(lines, swapped).same


def test_another_order_of_threads_does_not_hide_a_difference():
    lines = training(6, change={("grad", 5): 1.0})
    found = compare_traces([*lines[:4], lines[5], lines[4], *lines[6:]], training(6)).divergence
    assert (found.place.kind, found.place.step) == ("step", 5)


def test_what_has_no_partner_is_not_looked_for_without_end():
    def endless():
        for step in range(10**9):
            yield event("mark", "other", step)

    found = compare_traces([event("mark", "x", 1)], endless()).divergence
    assert (found.place, found.what) == (Place("mark", "x", 1), "only A has it")


def test_long_lines_do_not_pile_up_in_memory():
    def lines(last):
        for step in range(1, 300):
            yield event("batch", "x" * 2**20, step, tensor("a", 1.0))
        yield event("batch", "x", 300, tensor("a", last))

    tracemalloc.start()
    try:
        found = compare_traces(lines(1.0), lines(2.0))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found.divergence.agreed == 299
    assert peak < 64 * 2**20


def test_another_shape_is_said():
    a = [event("mark", "x", 1, tensor("x", 1.0, 2.0))]
    b = [event("mark", "x", 1, tensor("x", 1.0, 2.0, shape=[2, 1]))]
    assert compare_traces(a, b).divergence.what == "float32[2] in A, float32[2, 1] in B"


def test_texts_are_shown():
    a, b = ({"name": "x", "dtype": "str", "shape": [], "hash": text, "sample": "", "text": text} for text in "pq")
    assert compare_traces([event("mark", "x", 1, a)], [event("mark", "x", 1, b)]).divergence.what == "p in A, q in B"


def test_garbage_in_a_trace_is_passed_over():
    lines = training(3)
    garbage = [b"\xff\n", b"[]\n", b'{"kind": 3}\n', b"[" * 100_000 + b"\n"]
    assert compare_traces(lines, [*lines[:2], *garbage, *lines[2:]]).same


def measured(dtype, code, a, b, **more):
    one, other = (
        parse_event(event("mark", "x", 1, tensor("x", *values, dtype=dtype, code=code, **more))).tensors[0]
        for values in (a, b)
    )
    return measure_distance(one, other)


def test_neighbouring_floats_are_one_apart():
    after = math.nextafter(1.0, 2.0)
    found = measured("float64", "d", [1.0, 2.0], [after, 2.0])
    assert (found.max_ulp, found.max_abs, found.max_rel, found.differing) == (1, 2.0**-52, 2.0**-52 / after, 1)


def test_the_floats_next_to_zero_are_two_apart():
    tiny = math.ulp(0.0)
    # -tiny, -0.0 and 0.0 share a place, tiny.
    assert measured("float64", "d", [-tiny], [tiny]).max_ulp == 2


def test_bfloat16_is_half_a_float32():
    assert list(decode_sample("bfloat16", struct.pack("<f", 1.5)[2:])) == [1.5]
    assert measured("bfloat16", "H", [0x3F80], [0x3F82]).max_ulp == 2


def test_a_sample_that_ends_within_a_number_is_not_measured():
    for dtype in ("bfloat16", "float16", "float32"):
        assert measure_distance(*(Tensor("x", dtype, (2,), text, text.encode() * 3) for text in "ab")) is None
    assert measure_distance(*(Tensor("x", "bfloat16", (2,), "", sample) for sample in (b"abc", b"ab"))) is None


def test_lengths_that_no_array_has_are_left_out():
    line = json.dumps(
        {"kind": "mark", "step": 10**4000, "tensors": [tensor("x", shape=[10**4000, -1, 2**63, 7, True])]}
    )
    found = parse_event(line.encode())
    assert (found.step, found.tensors[0].shape) == (0, (7,))
    longest = parse_event(event("mark", "x", 1, tensor("x", shape=[2**63 - 1] * 100))).tensors[0]
    assert str(longest.size)


def test_integers_have_no_ulp():
    found = measured("int64", "q", [3, 5], [3, 15])
    assert (found.max_abs, found.max_rel, found.max_ulp) == (10.0, 10 / 15, None)


def test_a_nan_is_itself_and_infinitely_far_from_a_number():
    nan = math.nan
    assert measured("float32", "f", [nan, 1.0], [nan, 2.0]).max_abs == 1.0
    assert measured("float32", "f", [nan], [1.0]).max_rel == math.inf


def test_a_difference_outside_of_the_sample_shows_in_the_sums():
    a = Tensor("x", "float32", (1000,), "a", struct.pack("<2f", 1, 2), sum=10.0)
    b = Tensor("x", "float32", (1000,), "b", struct.pack("<2f", 1, 2), sum=10.5)
    found = measure_distance(a, b)
    assert (found.differing, found.max_abs, found.sums, found.size) == (0, None, 0.5, 1000)


def test_types_without_numbers_are_not_measured():
    assert measure_distance(*(Tensor("x", "complex64", (1,), text, b"12345678") for text in "ab")) is None


@given(st.floats(width=32, allow_nan=False), st.integers(1, 1000))
def test_as_many_steps_to_the_next_float_as_are_counted(value, steps):
    (bits,) = struct.unpack("<i", struct.pack("<f", value))
    moved = bits + steps
    if value < 0 or not -(2**31) <= moved < 0x7F800000 or bits < 0:
        return
    (other,) = struct.unpack("<f", struct.pack("<i", moved))
    assert measured("float32", "f", [value], [other]).max_ulp == steps


def test_names_are_joined_as_people_do():
    assert [join_names(names) for names in ((), ("a",), ("a", "b"), ("a", "b", "c"))] == [
        "",
        "a",
        "a and b",
        "a, b and c",
    ]


def header(**more):
    entry = {"kind": "process", "schema_version": 1, "stage": "train", "role": "main", "identity": [], "rank": ""}
    return json.dumps({**entry, "started": 1.5, **more}).encode() + b"\n"


def test_traces_are_found_and_what_is_none_is_passed_over(tmp_path):
    (tmp_path / "trace-7-0.jsonl").write_bytes(header() + b"".join(training(2)))
    (tmp_path / "trace-9-0.jsonl").write_bytes(header(role="worker", identity=["mp:1"], started=2.5))
    (tmp_path / "trace-8-0.jsonl").write_bytes(b"garbage\n")
    (tmp_path / "trace-6-0.jsonl").mkdir()
    (tmp_path / "trace-5-0.jsonl").symlink_to(tmp_path / "trace-7-0.jsonl")
    (tmp_path / "7-0.json").write_text("{}")
    assert [trace.name for trace in list_traces(tmp_path)] == ["", "mp:1"]


def test_a_line_that_was_not_finished_is_left_out(tmp_path):
    path = tmp_path / "trace-7-0.jsonl"
    path.write_bytes(b"".join(training(2))[:-5])
    assert list(read_lines(path)) == training(2)[:-1]
