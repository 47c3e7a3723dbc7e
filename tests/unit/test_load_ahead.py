"""Loading ahead: the lowest layers, in order, while others are still being made."""

import threading
from pathlib import Path

import pytest

from reprobox.errors import EngineError
from reprobox.layers.model import Layer
from reprobox.steps.ahead import LoadAhead

LARGE = 100_000_000


def layer(name, size=LARGE):
    return Layer(f"sha256:{name}", size, name, Path(name), cached=False)


class Loads:
    """Stands where a StepRunner does: keeps which stacks were asked for."""

    def __init__(self, error=None):
        self.stacks = []
        self.error = error
        self.came = threading.Event()

    def load(self, lower, on_progress):
        self.stacks.append([one.what for one in lower])
        on_progress(1, 1)
        self.came.set()
        if self.error:
            raise self.error
        return "name"


def ahead(loads, count):
    return LoadAhead(loads, [layer("base")], count, lambda name, sent, total: None)


def test_a_layer_is_loaded_only_when_those_below_it_are_there():
    loads = Loads()
    with ahead(loads, 3) as loading:
        loading.add(1, layer("second"))
        assert not loads.came.wait(0.2)
        loading.add(0, layer("first"))
        assert loads.came.wait(10)
    assert loads.stacks == [["base", "first", "second"]]


def test_an_empty_layer_is_left_out():
    loads = Loads()
    with ahead(loads, 2) as loading:
        loading.add(1, layer("second"))
        loading.add(0, None)
        assert loads.came.wait(10)
    assert loads.stacks == [["base", "second"]]


def test_small_layers_wait_for_the_whole_image():
    loads = Loads()
    with ahead(loads, 1) as loading:
        loading.add(0, layer("first", 1000))
        assert not loads.came.wait(0.2)
    assert loads.stacks == []


def test_a_failure_is_left_to_the_load_of_the_whole_image():
    loads = Loads(EngineError("no space"))
    with ahead(loads, 2) as loading:
        loading.add(0, layer("first"))
        assert loads.came.wait(10)
        loading.add(1, layer("second"))
    assert loads.stacks == [["base", "first"]]


def test_a_failed_build_ends_it():
    loads = Loads()
    with pytest.raises(ValueError, match="broken"), ahead(loads, 1):
        raise ValueError("broken")
    assert loads.stacks == []
