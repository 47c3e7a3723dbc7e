"""The text a command ends with."""

from dataclasses import replace
from pathlib import Path

import pytest
from made_records import make_record

from reprobox.findings import Finding, Status
from reprobox.layers.model import Layer
from reprobox.outcomes import BuildOutcome, RunOutcome
from reprobox.records import Gpu, StageRecord
from reprobox.summary import _describe_stage as describe_stage
from reprobox.summary import describe_build, describe_findings, describe_run


def stage(**values):
    usual = {"exit_code": 0, "seconds": 1.24, "peak_memory": None, "out_of_memory": False, "timed_out": False}
    return StageRecord(name="train", command=("x",), **{**usual, **values})


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({}, "done after 1.2 s"),
        ({"peak_memory": 2_500_000}, "done after 1.2 s, peak memory 2.5 MB"),
        ({"exit_code": 3}, "failed with exit code 3 after 1.2 s"),
        ({"exit_code": 139}, "failed with exit code 139 (SIGSEGV) after 1.2 s"),
        ({"exit_code": 255}, "failed with exit code 255 after 1.2 s"),
        ({"exit_code": 137, "timed_out": True}, "stopped: its time was up (resources.timeout) after 1.2 s"),
        ({"exit_code": 137, "out_of_memory": True}, "killed: out of memory (resources.memory) after 1.2 s"),
    ],
)
def test_a_stage_is_said_to_have_ended_as_it_did(values, text):
    assert describe_stage(stage(**values)) == f"train    {text}"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, 0),
        ({"exit_code": 3}, 7),
        ({"missing_outputs": ("model.npy",)}, 7),
        ({"stages": (stage(timed_out=True),)}, 7),
        ({"stages": (stage(), stage(stopped_for="it wrote too much"))}, 7),
    ],
)
def test_a_run_that_is_no_result_ends_with_7(changes, status):
    record = make_record(**changes)
    assert (record.failed, RunOutcome(Path("/runs/it"), record, "it").exit_status) == (status != 0, status)


def test_a_build_says_what_is_new_and_where_the_image_is():
    layers = (
        Layer("sha256:a", 2_000_000, "base", Path("a"), True),
        Layer("sha256:b", 10_000, "source", Path("b"), False),
    )
    outcome = BuildOutcome("sha256:i", "sha256:m", "sha256:i", "reprobox/x:latest", layers, 0.31)
    assert describe_build(outcome).splitlines() == [
        "    2.0 MB  cached  base",
        "   10.0 kB  new     source",
        "image    reprobox/x:latest",
        "digest   sha256:i",
        "size     2.0 MB in 2 layers, 1 of them new",
        "time     0.3 s",
    ]


def test_a_run_s_gpus_are_named_with_what_held_them_down():
    card = Gpu("A100", "535.1", 80 << 30)
    record = make_record(gpus=(card, replace(card, slowed=("heat for 2.0 s", "power cap for 0.5 s"))))
    lines = describe_run(RunOutcome(Path("/runs/it"), record, "it")).splitlines()
    assert [line for line in lines if line.startswith("GPU")] == [
        "GPU      A100, driver 535.1",
        "GPU      A100, driver 535.1, slowed by heat for 2.0 s and power cap for 0.5 s",
    ]


def test_the_doctor_ends_with_what_it_comes_to():
    good, bad = (
        Finding("engine", Status.OK, "docker"),
        Finding("cache", Status.FAILED, "not writable", "choose another"),
    )
    assert describe_findings([good]).splitlines() == ["ok    engine        docker", "ready to build and run"]
    assert describe_findings([good, bad]).splitlines()[-2:] == [f"{'':20}→ choose another", "1 thing to put right"]
