"""Two traced runs of a real training that differ in one thing, and what the host's comparison calls it."""

from dataclasses import replace

import pytest

from reprobox.trace_diff import Cause, Place, compare_traces

from .test_trace_frameworks import TORCH
from .trace_files import again, traced

PLAIN = TORCH.replace("    PLANT\n", "")
ORDER = PLAIN.replace(
    "shuffle=True", "shuffle=True, generator=torch.Generator().manual_seed(int(__import__('os').environ['ORDER']))"
)
BUMP = PLAIN.replace(
    "    loss.backward()\n",
    """    loss.backward()
    import os
    if step == int(os.environ["BUMP"]):
        first = model.body[0].weight.grad.view(-1)[:1]
        first.copy_(torch.nextafter(first, first + 1))
""",
)


def compare_two(box, code, **values):
    """Run a script twice, with each of two values in its environment, and return where the traces part."""
    ((name, pair),) = values.items()
    found = []
    for value in pair:
        one = traced(again(replace(box, env={**box.env, name: value})))
        one.script(code)
        (path,) = one.record_folder.glob("trace-*.jsonl")
        found.append(path.read_bytes().splitlines(keepends=True)[1:])
    assert all(found)
    return compare_traces(*found).divergence


@pytest.mark.network
class TestTorch:
    @pytest.mark.long
    def test_another_order_of_batches_is_the_data(self, torch_box):
        assert compare_two(torch_box, ORDER, ORDER=("1", "1")) is None
        found = compare_two(torch_box, ORDER, ORDER=("1", "2"))
        assert (found.cause, found.place) == (Cause.DATA, Place("batch", "DataLoader", 1))
        assert (found.agreed, found.random) == (0, None)

    def test_a_gradient_one_ulp_away_is_a_kernel(self, torch_box):
        found = compare_two(torch_box, BUMP, BUMP=("99", "1"))
        assert (found.cause, found.place) == (Cause.KERNEL, Place("step", "SGD", 2))
        assert (found.tensor, found.random) == ("grad:body.0.weight", None)
        assert found.distance.max_ulp == 1
