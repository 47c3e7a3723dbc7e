"""Spec + lock + source with every default filled in."""

import pytest
from test_lock import make_lock

from reprobox.lock import ImageBase
from reprobox.plan import make_plan, plan_stages, spec_digest
from reprobox.spec.load import parse_spec

HEAD = "reprobox: 1\nname: x\nseed: 32\n"


def make(text="command: python train.py\n", lock=None):
    return make_plan(parse_spec(HEAD + text, "spec.yaml", None), lock or make_lock(), ())


def test_the_levels_variables_and_the_specs_own_are_in_the_environment():
    env = dict(make("command: python train.py\nenv: {LR: '0.1'}\n").env)
    assert env["PYTHONHASHSEED"] == "32"
    assert env["LR"] == "0.1"
    assert env["PATH"].startswith("/opt/venv/bin:")


def test_at_off_no_hash_seed_is_set():
    assert "PYTHONHASHSEED" not in dict(make("command: python train.py\ndeterminism: off\n").env)


def test_a_base_images_environment_is_kept_and_its_path_goes_behind_ours():
    base = ImageBase(
        "a:1", "sha256:" + "b" * 64, ("sha256:" + "c" * 64,), ("CUDA=12", "PATH=/cuda/bin:/bin", "TZ=Asia/Tokyo")
    )
    env = dict(make(lock=make_lock(base=base)).env)
    assert env["CUDA"] == "12"
    assert env["PATH"] == "/opt/venv/bin:/cuda/bin:/bin"
    assert env["TZ"] == "UTC"


def test_a_command_is_one_stage_named_train():
    (stage,) = make("command: python train.py\noutputs: [model.pt]\n").stages
    assert (stage.name, stage.command, stage.outputs) == ("train", ("python", "train.py"), ("model.pt",))


def test_stages_come_in_the_order_contests_ask_for():
    text = "stages: {predict: python p.py, train: python t.py, prepare: python a.py}\n"
    spec = parse_spec(HEAD + text, "spec.yaml", None)
    assert [stage.name for stage in plan_stages(spec)] == ["prepare", "train", "predict"]


@pytest.mark.parametrize("text", ["# a comment\ncommand: python train.py\n", "command: [python, train.py]\n"])
def test_the_specs_digest_is_of_its_meaning(text):
    digest = spec_digest(parse_spec(HEAD + text, "spec.yaml", None))
    assert digest == make().spec_digest


def test_another_seed_is_another_spec():
    assert (
        spec_digest(parse_spec("reprobox: 1\nname: x\nseed: 33\ncommand: python train.py\n", "s", None))
        != make().spec_digest
    )
