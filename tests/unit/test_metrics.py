"""Metrics are found where programs leave them, and only numbers count."""

import json
import os
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reprobox.metrics import _find_printed as find_printed
from reprobox.metrics import read_metrics


@pytest.fixture
def run(tmp_path):
    for name in ("output", "record"):
        (tmp_path / name).mkdir()
    (tmp_path / "log.txt").write_bytes(b"")
    return tmp_path


@pytest.mark.parametrize(
    ("text", "metrics"),
    [
        ("loss=0.1\n", {"loss": 0.1}),
        ("loss=0.5\nloss=0.25\n", {"loss": 0.25}),
        ("accuracy: 0.97", {"accuracy": 0.97}),
        ("epoch  1  loss=3e-4, val_loss = .5", {"loss": 3e-4, "val_loss": 0.5}),
        ("12/12 - 0s - accuracy: 0.9711 - loss: 1.2E+2", {"accuracy": 0.9711, "loss": 120.0}),
        ("\rEpoch 3: 50%|##| 1/2 [00:01<00:02, train/loss=0.2, acc@1=7]\r", {"train/loss": 0.2, "acc@1": 7.0}),
        ("accuracy: 97.1%", {"accuracy": 97.1}),
        ("the end: loss=-1.", {"loss": -1.0}),
        ("loss=nan", {}),
        ("W0000 port.cc:153] a/b/dataset.py:2341: set TF_ENABLE_ONEDNN_OPTS=0. AUC=0.5", {"AUC": 0.5}),
        ("loss=0.5 loss=nan", {}),
        ("a=1e100 b=1.1e100 c=-2e307", {"a": 1e100}),
        ("took: 12 s, size: 3 MB, speed=12ms", {}),
        ("date: 2026-11-21 at: 10:31:02, version: 1.2.3, epoch=3 seed: 5", {}),
        ("x == 3, y := 4 and https://a.example:80/", {}),
        ("nothing at all", {}),
    ],
)
def test_printed_metrics_are_the_last_values_of_each_name(run, text, metrics):
    (run / "log.txt").write_text(text)
    assert read_metrics(run) == metrics


def test_the_helper_overrules_what_is_printed_and_a_file_overrules_both(run):
    (run / "log.txt").write_text("a=1 b=1 c=1")
    lines = [{"name": "b", "value": 1.5}, {"name": "b", "value": 2, "step": 3}, {"name": "c", "value": 2}]
    (run / "record" / "metrics.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines) + '{"half')
    (run / "output" / "metrics.json").write_text('{"c": 3, "test": {"f1": 0.5, "name": "x", "ok": true}, "list": [1]}')
    assert read_metrics(run) == {"a": 1.0, "b": 2.0, "c": 3.0, "test.f1": 0.5}


@pytest.mark.parametrize(
    "text", ["", "[]", "7", "{", '{"a": NaN}', '{"a": 1e101}', '{"a": 1' + "0" * 400 + "}", "[" * 100_000]
)
def test_a_file_that_holds_no_numbers_holds_no_metrics(run, text):
    (run / "output" / "metrics.json").write_text(text)
    assert read_metrics(run) == {}


def test_neither_a_link_nor_a_pipe_is_read(run, tmp_path):
    (tmp_path / "secret.json").write_text('{"a": 1}')
    (run / "output" / "metrics.json").symlink_to(tmp_path / "secret.json")
    os.mkfifo(run / "record" / "metrics.jsonl")
    assert read_metrics(run) == {}


def test_only_the_end_of_a_long_log_is_read(run):
    (run / "log.txt").write_bytes(b"early=1 " + b"x" * 5_000_000 + b" late=2")
    assert read_metrics(run) == {"late": 2.0}


@pytest.mark.parametrize(
    ("start", "repeated", "end"),
    [
        ("a=", "1", "x"),
        ("a=0.", "1", "x"),
        ("a=1e", "1", "x"),
        ("a=", "1.", "x"),
        ("a=", "1e", "x"),
        ("", "a=", ""),
        ("", "a", ""),
        ("", "a-", ""),
        ("", "--", ""),
        ("", "a    ", ""),
        ("a-" * 49 + "a=", "1", "x"),
    ],
)
def test_what_a_program_prints_to_be_slow_to_read_is_read_in_time(start, repeated, end):
    text = f"{start}{repeated * (2**20 // len(repeated))}{end}"
    began = time.process_time()
    assert not list(find_printed(text.encode()))
    assert time.process_time() - began < 5


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_read_without_an_error(text):
    assert all(isinstance(value, float) for _, value in find_printed(text))
