"""uv's own words, as it wrote them, where the spec's CUDA or cuDNN is the reason."""

import pytest

from reprobox.resolve.cuda_refusals import explain_cuda_conflict
from reprobox.resolve.refusals import explain_refusal
from reprobox.uv import PythonConfig, Question

HELD = tuple(
    f"nvidia-{name}-cu12==12.4.*" for name in ("cuda-runtime", "cuda-cupti", "cuda-nvcc", "cuda-nvrtc", "nvjitlink")
)
UNUSABLE = ", we can conclude that it cannot be used. And because you require it, your requirements are unsatisfiable."
TENSORFLOW = (
    "Because tensorflow[and-cuda]=={0} depends on nvidia-nvjitlink-cu12{1} and nvidia-nvjitlink-cu12==12.4.*" + UNUSABLE
)
JAX = (
    "Because jax-cuda12-plugin[with-cuda]==0.10.1 depends on nvidia-cuda-nvcc-cu12{sys_platform == 'linux'}>=12.6.85"
    " and nvidia-cuda-nvcc-cu12{sys_platform == 'linux'}==12.4.*" + UNUSABLE
)


def explain(text, *requirements, held=HELD):
    return explain_cuda_conflict(text, Question(requirements, "3.11", "x86_64-manylinux_2_36", constraints=held))


def test_who_needs_another_cuda_is_named_with_the_nearest_that_would_do():
    text = TENSORFLOW.format("2.21.0", ">=12.5.82,<13.0")
    error = explain(text, "tensorflow[and-cuda]==2.21.0")
    assert error.message == (
        "tensorflow 2.21.0 goes with CUDA 12.5 to 12.9 (nvidia-nvjitlink-cu12>=12.5.82,<13.0), not 12.4"
    )
    assert (error.hint, error.about) == ('write cuda: "12.5" or cuda: auto', "cuda")


def test_uv_may_name_the_two_in_either_order():
    text = "Because nvidia-nvjitlink-cu12==12.4.* and tensorflow==2.18.0 depends on nvidia-nvjitlink-cu12==12.5.82, we"
    assert "tensorflow 2.18.0 goes with CUDA 12.5 (" in explain(text, "tensorflow[and-cuda]==2.18.0").message


def test_releases_that_go_with_the_wanted_cuda_are_named():
    held = tuple(line.replace("12.4", "12.3") for line in HELD)
    text = TENSORFLOW.format("2.18.0", "==12.5.82").replace("12.4.*", "12.3.*")
    error = explain(text, "tensorflow[and-cuda]==2.18.0", held=held)
    assert error.hint.endswith("; or use tensorflow 2.16.2 or 2.17.1, which goes with CUDA 12.3")


def test_what_the_tables_do_not_have_is_told_from_what_it_asks_for():
    error = explain(JAX, "jax[cuda12]==0.10.1")
    assert error.message.startswith("jax-cuda12-plugin 0.10.1 goes with CUDA 12.6 to 12.9 (nvidia-cuda-nvcc-cu12>=")
    assert error.hint == 'write cuda: "12.6"'


def test_two_frameworks_that_no_cuda_suits_are_told_which_releases_would_meet():
    text = TENSORFLOW.format("2.18.0", "==12.5.82")
    error = explain(text, "tensorflow[and-cuda]==2.18.0", "torch===2.6.0")
    assert error.hint.startswith("torch 2.6.0 is built for CUDA 12.4, 12.6, 11.8; for CUDA 12.6 there is tensorflow")
    assert error.hint.endswith("or make two specs, one for each")


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            "Because tensorflow[and-cuda]==2.21.0 depends on nvidia-cudnn-cu12>=9.3.0.75,<10.0 and"
            " nvidia-cudnn-cu12==9.1.*, we can",
            "tensorflow 2.21.0 goes with cuDNN 9.3 to 9.10 (nvidia-cudnn-cu12>=9.3.0.75,<10.0), not 9.1",
            'write cudnn: "9.3", or leave cudnn out',
        ),
        (
            "Because only nvidia-cudnn-cu12<=9.28.0.42 is available and tensorflow[and-cuda]==2.21.0 depends on"
            " nvidia-cudnn-cu12==9.1.*, we can",
            "no index of this machine has cuDNN 9.1 (nvidia-cudnn-cu12==9.1.*)",
            'the nearest known are cudnn: "9.3" or cudnn: "9.5"; or leave cudnn out',
        ),
    ],
)
def test_so_is_cudnn(text, message, hint):
    error = explain(text, "tensorflow[and-cuda]==2.21.0", held=(*HELD, "nvidia-cudnn-cu12==9.1.*"))
    assert (error.message, error.about) == (message, "cudnn")
    assert error.hint == hint


def test_a_package_of_nvidia_s_that_the_spec_names_is_the_culprit_itself():
    text = "Because you require nvidia-cudnn-cu12==9.5.1.17 and nvidia-cudnn-cu12==9.1.*, we can"
    error = explain(text, "nvidia-cudnn-cu12==9.5.1.17", held=("nvidia-cudnn-cu12==9.1.*",))
    assert error.message == "the spec asks for nvidia-cudnn-cu12==9.5.1.17, which is not of cuDNN 9.1"
    assert error.hint == 'leave nvidia-cudnn-cu12 out, or write cudnn: "9.5"'
    assert error.about == "nvidia-cudnn-cu12"


@pytest.mark.parametrize(
    "text",
    [
        "Because only the following versions of nvidia-cuda-cupti-cu12 are available: nvidia-cuda-cupti-cu12<12.4.dev0"
        " nvidia-cuda-cupti-cu12>12.5.dev0 and tensorflow[and-cuda]==2.21.0 depends on nvidia-cuda-cupti-cu12==12.4.*,",
        "Because only nvidia-cuda-cupti-cu12{sys_platform == 'linux'}<=12.9.79 is available and"
        " jax-cuda12-plugin[with-cuda]==0.10.1 depends on nvidia-cuda-cupti-cu12{sys_platform == 'linux'}==12.4.*, we",
        "Because there is no version of nvidia-cuda-cupti-cu12==12.4.* and a==1 depends on nvidia-cuda-cupti-cu12, we",
    ],
)
def test_a_cuda_that_no_index_has_is_said_to_be_missing(text):
    error = explain(text)
    assert error.message == "no index of this machine has CUDA 12.4 (nvidia-cuda-cupti-cu12==12.4.*)"
    assert error.hint.startswith("the nearest known are cuda: ")


@pytest.mark.parametrize(
    "text",
    [
        "Because a==1 depends on numpy<2 and numpy==2.4, we can conclude that a==1 cannot be used.",
        "Because a==1 depends on nvidia-nvjitlink-cu12>=12.4.1 and nvidia-nvjitlink-cu12==12.4.* and b, we can",
        "Because a==1 depends on nvidia-cudnn-cu12==9.1.0.70 and b==2 depends on nvidia-cudnn-cu12==9.3.0.75, we can",
    ],
)
def test_what_is_not_about_the_spec_s_cuda_is_left_to_others(text):
    assert explain(text) is None
    assert explain(text, held=()) is None


def test_it_comes_before_what_else_is_recognised():
    question = Question(("a==1",), "3.11", "x86_64-manylinux_2_36", constraints=HELD)
    error = explain_refusal(TENSORFLOW.format("2.15.1", "==12.2.140"), question, PythonConfig(), ("a folder",))
    assert error.about == "cuda"
    assert error.message.endswith("besides, this could not be reached: a folder")
