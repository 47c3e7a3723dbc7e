"""Which wheel an image takes, and which build of torch."""

import pytest

from reprobox.errors import LockError
from reprobox.lock import PythonTarget
from reprobox.resolve.torch_builds import (
    choose_torch_backend,
    find_wrong_builds,
    list_framework_requirements,
    pin_build,
)
from reprobox.uv import Resolved, WheelFile
from reprobox.wheel_tags import choose_wheel, name_uv_platform

BOOKWORM = PythonTarget("3.11.2", "/usr/bin/python3.11", "2.36")


def choose(*tags, target=BOOKWORM, architecture="x86_64"):
    files = [WheelFile(f"x-1-{tag}.whl", "https://i.example/x", None, None) for tag in tags]
    found = choose_wheel(files, target, architecture)
    return found and found.filename.removeprefix("x-1-").removesuffix(".whl")


@pytest.mark.parametrize(
    ("glibc", "platform"),
    [("2.41", "2_40"), ("2.36", "2_36"), ("2.31", "2_31"), ("2.30", "2_28"), ("2.28", "2_28"), ("2.19", "2_17")],
)
def test_the_platform_asked_of_uv_is_never_newer_than_the_image(glibc, platform):
    target = PythonTarget("3.11.2", "/usr/bin/python3.11", glibc)
    assert name_uv_platform(target, "amd64") == f"x86_64-manylinux_{platform}"
    assert name_uv_platform(target, "arm64") == f"aarch64-manylinux_{platform}"


@pytest.mark.parametrize(("glibc", "architecture"), [("2.12", "amd64"), ("musl", "amd64"), ("2.36", "riscv64")])
def test_an_image_that_no_wheel_fits_is_refused(glibc, architecture):
    with pytest.raises(LockError):
        name_uv_platform(PythonTarget("3.11.2", "/usr/bin/python3.11", glibc), architecture)


def test_the_own_interpreter_and_the_newest_glibc_win():
    order = [
        "cp311-cp311-manylinux_2_28_x86_64",
        "cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64",
        "cp311-cp311-linux_x86_64",
        "cp311-abi3-manylinux_2_28_x86_64",
        "cp311-none-any",
        "cp39-abi3-manylinux_2_28_x86_64",
        "py3-none-manylinux_2_28_x86_64",
        "py3-none-any",
    ]
    ranked = []
    left = list(order)
    while left:
        best = choose(*left)
        ranked.append(best)
        left.remove(best)
    assert ranked[:2] == order[:2]
    assert ranked[-1] == "py3-none-any"
    assert ranked.index("cp311-abi3-manylinux_2_28_x86_64") < ranked.index("cp39-abi3-manylinux_2_28_x86_64")


@pytest.mark.parametrize(
    "tag",
    [
        "cp312-cp312-manylinux_2_28_x86_64",
        "cp311-cp311t-manylinux_2_28_x86_64",
        "cp311-cp311-manylinux_2_37_x86_64",
        "cp311-cp311-musllinux_1_2_x86_64",
        "cp311-cp311-manylinux_2_28_aarch64",
        "cp311-cp311-macosx_11_0_arm64",
        "cp312-abi3-manylinux_2_28_x86_64",
    ],
)
def test_a_wheel_that_the_image_cannot_load_is_never_taken(tag):
    assert choose(tag) is None


def test_the_order_of_the_page_and_nonsense_on_it_do_not_matter():
    tags = ["py3-none-any", "cp311-cp311-manylinux_2_28_x86_64", "nonsense"]
    assert choose(*tags) == choose(*reversed(tags)) == "cp311-cp311-manylinux_2_28_x86_64"


def test_the_higher_build_number_wins():
    files = [WheelFile(f"x-1-{build}-py3-none-any.whl", "", None, None) for build in ("2", "10", "9")]
    assert choose_wheel(files, BOOKWORM, "x86_64").filename == "x-1-10-py3-none-any.whl"


def test_arm_takes_arm_wheels_and_old_pythons_their_own_abi():
    assert choose("cp311-cp311-manylinux2014_aarch64", architecture="arm64")
    old = PythonTarget("3.7.3", "/usr/bin/python3.7", "2.28")
    assert choose("cp37-cp37m-manylinux1_x86_64", target=old)


@pytest.mark.parametrize(
    ("frameworks", "cuda", "backend"),
    [
        ({"torch": "2.13.0"}, None, "cpu"),
        ({}, None, "cpu"),
        ({"torch": "2.13.0"}, "13.0", "cu130"),
        ({"torch": "2.13.0"}, "12.6.3", "cu126"),
        ({"torch": "2.13.0+cu132"}, None, "cu132"),
        ({"torch": "2.13.0+cpu"}, "13.0", "cpu"),
    ],
)
def test_no_cuda_means_the_cpu_build(frameworks, cuda, backend):
    assert choose_torch_backend(frameworks, cuda) == backend


@pytest.mark.parametrize(
    ("line", "backend", "pinned"),
    [
        ("torch==2.13.0", "cpu", "torch==2.13.0+cpu"),
        ("torch==2.13.0", "cu126", "torch==2.13.0+cu126"),
        ("torch==2.13.0", "cu130", "torch===2.13.0"),
        ("torch==2.13.0+cu126", "cpu", "torch==2.13.0+cu126"),
        ("torch>=2.13", "cpu", "torch>=2.13"),
        ("torch==2.13.*", "cpu", "torch==2.13.*"),
        ("Torchvision==0.28.0", "cpu", "Torchvision==0.28.0+cpu"),
        ("torchmetrics==1.0", "cpu", "torchmetrics==1.0"),
        ('torch[opt]==2.13.0; python_version > "3"', "cpu", 'torch[opt]==2.13.0+cpu ; python_version > "3"'),
    ],
)
def test_an_exact_torch_is_pinned_to_its_build(line, backend, pinned):
    assert pin_build(line, backend) == pinned


def test_the_familys_builds_must_agree():
    cpu = Resolved("torch", "2.13.0+cpu", ())
    plain, vision = Resolved("torch", "2.13.0", ()), Resolved("torchvision", "0.28.0", ())
    assert find_wrong_builds([cpu], "cpu") == ()
    assert find_wrong_builds([cpu, vision], "cpu") == (vision,)
    assert find_wrong_builds([plain, vision], "cpu") == (plain, vision)
    assert find_wrong_builds([plain, vision], "cu130") == ()
    assert find_wrong_builds([plain], "cu126") == (plain,)


def test_frameworks_become_requirements_with_the_extras_that_bring_cuda():
    frameworks = {"torch": "2.13.0", "tensorflow": "2.21.0", "jax": "0.9.0"}
    assert list_framework_requirements(frameworks, None) == ("jax==0.9.0", "tensorflow==2.21.0", "torch==2.13.0")
    assert list_framework_requirements(frameworks, "12.6") == (
        "jax[cuda12]==0.9.0",
        "tensorflow[and-cuda]==2.21.0",
        "torch==2.13.0",
    )
