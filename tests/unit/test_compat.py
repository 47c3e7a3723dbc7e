"""What the tables say of frameworks, Pythons and CUDAs."""

import pytest

from reprobox.resolve.compat import (
    check_frameworks,
    find_default_torch_build,
    list_cudas,
    list_cudnns,
    list_releases_for,
)


def check(frameworks, python="3.11", cuda=None, cudnn=None):
    return check_frameworks(frameworks, python, cuda, cudnn)


@pytest.mark.parametrize(
    ("arguments", "key", "says"),
    [
        (({"torch": "2.13.0"}, "3.9"), "frameworks.torch", "2.13.0 has wheels for 3.10–3.14; for Python 3.9"),
        (({"torch": "2.13"}, "3.15"), "frameworks.torch", "torch 2.13 has no wheels for Python 3.15"),
        (({"torch": "2.13.7"},), "frameworks.torch", "did you mean 2.13.0?"),
        (({"torch": "2.13.0"}, "3.11", "11.8"), "cuda", "was built for CUDA 12.6, 13.0, 13.2"),
        (({"torch": "2.13.0+cu118"},), "frameworks.torch", "never built for CUDA 11.8"),
        (({"torch": "2.13.0+cpu"}, "3.11", "13.0"), "frameworks.torch", "let cuda choose the build"),
        (({"torch": "2.13.0"}, "3.11", "13.0", "8.9"), "cudnn", "brings cuDNN 9.20.0.48, not 8.9"),
        (({"tensorflow": "2.21.0"}, "3.14"), "frameworks.tensorflow", "wheels for 3.10–3.13"),
        (({"tensorflow": "2.16.0"},), "frameworks.tensorflow", "did you mean 2.16.1 or 2.16.2?"),
        (({"tensorflow": "2.21.0"}, "3.11", "11.8"), "cuda", 'write cuda: "12.5"'),
        (({"tensorflow": "2.21.0"}, "3.11", "12.5", "8.9"), "cudnn", "brings cuDNN 9.3, not 8.9"),
    ],
)
def test_what_cannot_be_had_is_one_problem_with_its_key(arguments, key, says):
    (problem,) = check(*arguments)
    assert problem.key == key
    assert says in f"{problem.message}; {problem.hint}"


@pytest.mark.parametrize(
    "arguments",
    [
        ({},),
        ({"torch": "2.13.0"},),
        ({"torch": "2.13.0+cpu"},),
        ({"torch": "2.13.0"}, "3.11", "13.0", "9.20"),
        ({"torch": "2.15.0"}, "3.11", "12.6"),  # its builds are not in the table
        ({"torch": "99.0"},),  # may have come out since
        ({"torch": "2.14.0rc1"},),
        ({"torch": "nonsense"},),  # the spec's own check
        ({"tensorflow": "2.21"}, "3.11", "12.9"),
        ({"jax": "0.9.0"}, "3.11", "13.0"),
    ],
)
def test_what_can_be_had_or_is_not_known_is_no_problem(arguments):
    assert check(*arguments) == ()


def test_every_problem_is_reported_at_once():
    problems = check({"torch": "2.13.0", "tensorflow": "2.21.0"}, "3.9", "11.8", "8.1")
    assert {problem.key for problem in problems} == {"frameworks.torch", "frameworks.tensorflow", "cuda", "cudnn"}


def test_the_public_indexs_own_build_of_torch():
    assert find_default_torch_build("2.13") == "cu130"
    assert find_default_torch_build("2.15.0") == "cu132"
    assert find_default_torch_build("99.0") is None


def test_what_the_spec_knows_better_is_not_looked_up():
    frameworks = {"torch": "2.13.0", "tensorflow": "2.21.0"}
    (problem,) = check_frameworks(frameworks, "3.11", "11.0", None, known=("torch",))
    assert (problem.key, "tensorflow" in problem.message) == ("cuda", True)
    assert check_frameworks(frameworks, "3.11", "11.0", "7", known=tuple(frameworks)) == ()


def test_what_goes_with_a_cuda_is_listed_by_minor_version():
    assert list_releases_for("tensorflow", "12.3") == ("2.16.2", "2.17.1")
    assert list_releases_for("tensorflow", "12.9")[-1] == "2.21.0"  # which takes a range
    assert list_releases_for("tensorflow", "12.4") == ()
    assert {"2.5.1", "2.6.0"} <= set(list_releases_for("torch", "12.4"))
    assert list_releases_for("jax", "12.4") == ()
    assert list_cudas("12")[-4:] == ("12.5", "12.6", "12.8", "12.9")
    assert "9.3" in list_cudnns("12")
    assert not set(list_cudnns("99"))
