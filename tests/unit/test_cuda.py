"""The CUDA that is chosen for frameworks, asked for and checked."""

import pytest

from reprobox.errors import LockError, SpecError
from reprobox.lock import ArchiveBase, ImageBase, Wheel
from reprobox.resolve.compat import list_torch_builds, list_torches_for
from reprobox.resolve.cuda import check_cuda, choose_cuda, list_cuda_constraints
from reprobox.resolve.cuda_brought import check_brought, check_cudnn_brought
from reprobox.resolve.torch_builds import choose_torch_backend, read_build
from reprobox.spec.load import parse_spec
from reprobox.spec.model import BuiltFor


def wheels(**versions):
    return tuple(Wheel(name.replace("_", "-"), version, "x.whl", "0" * 64, 1) for name, version in versions.items())


class TestChoice:
    @pytest.mark.parametrize(
        ("frameworks", "cuda"),
        [
            ({"torch": "2.13.0"}, "13.0"),
            ({"torch": "2.6.0"}, "12.4"),
            ({"torch": "2.6.0+cu126"}, "12.6"),
            ({"tensorflow": "2.19.0"}, "12.5"),
            ({"jax": "0.10.1"}, "12"),
            # torch's own wheel is for 13; of its other builds the newest is taken that TensorFlow can go with.
            ({"torch": "2.11.0", "tensorflow": "2.21.0"}, "12.9"),
            ({"torch": "2.6.0", "tensorflow": "2.19.0"}, "12.4"),
        ],
    )
    def test_auto_is_what_the_frameworks_were_built_for(self, frameworks, cuda):
        assert choose_cuda(frameworks, "auto", {}) == cuda

    def test_a_version_is_taken_as_it_is(self):
        assert choose_cuda({"torch": "2.13.0"}, "12.6", {}) == "12.6"
        assert choose_cuda({"torch": "2.13.0"}, None, {}) is None

    @pytest.mark.parametrize(
        ("frameworks", "about", "said"),
        [
            ({"torch": "99.0.0"}, "torch", "it is not known which CUDA torch 99.0.0 goes with"),
            ({"tensorflow": "99.0.0"}, "tensorflow", "it is not known"),
            ({"torch": "2.13.0+cpu"}, "torch", "is no build for CUDA"),
            ({"numpy": "2.4.0"}, "cuda", "no torch, tensorflow or jax"),
            ({"torch": "2.13.0", "tensorflow": "2.10.0"}, "torch", "one image cannot hold both"),
        ],
    )
    def test_what_cannot_be_chosen_says_why(self, frameworks, about, said):
        with pytest.raises(LockError, match=said) as caught:
            choose_cuda(frameworks, "auto", {})
        assert caught.value.about == about
        assert caught.value.hint

    def test_the_nearest_that_would_go_together_are_named(self):
        with pytest.raises(LockError) as caught:
            choose_cuda({"torch": "2.13.0", "tensorflow": "2.10.0"}, "auto", {})
        assert "use a torch for CUDA 11 (" in caught.value.hint
        assert all(version in caught.value.hint for version in list_torches_for("11"))

    def test_what_the_spec_says_goes_before_the_tables(self):
        known = {"torch": BuiltFor(cuda="13.2"), "tensorflow": BuiltFor(cuda="13.1", cudnn="9.26")}
        assert choose_cuda({"torch": "99.0.0"}, "auto", known) == "13.2"
        assert choose_cuda({"torch": "2.13.0+cpu"}, "auto", known) == "13.2"
        assert choose_cuda({"tensorflow": "99.0.0"}, "auto", known) == "13.1"
        assert choose_cuda({"jax": "99.0.0"}, "auto", {"jax": BuiltFor(cuda="13.0")}) == "13.0"
        assert "nvidia-cudnn-cu13==9.26.*" in list_cuda_constraints({"tensorflow": "99.0.0"}, "13.1", None, known)

    def test_builds_are_those_of_the_table(self):
        assert list_torch_builds("2.13.0")[0] == "13.0"
        assert list_torch_builds("99.0") == ()
        assert (read_build("2.13.0+cu126"), read_build("2.13.0+cpu"), read_build("2.13")) == ("12.6", None, None)

    def test_the_build_of_torch_follows(self):
        assert choose_torch_backend({"torch": "2.13.0"}, "13.0") == "cu130"


class TestConstraints:
    def test_they_hold_the_toolkit_and_cudnn(self):
        assert list_cuda_constraints({"jax": "0.10.1"}, "12.8", "9.10", {}) == (
            "nvidia-cuda-runtime-cu12==12.8.*",
            "nvidia-cuda-cupti-cu12==12.8.*",
            "nvidia-cuda-nvcc-cu12==12.8.*",
            "nvidia-cuda-nvrtc-cu12==12.8.*",
            "nvidia-nvjitlink-cu12==12.8.*",
            "nvidia-cudnn-cu12==9.10.*",
        )
        assert "nvidia-cuda-runtime==13.0.*" in list_cuda_constraints({"torch": "2.13.0"}, "13.0.2", None, {})

    def test_tensorflow_s_cudnn_is_the_one_it_was_tested_with(self):
        assert "nvidia-cudnn-cu12==9.3.*" in list_cuda_constraints({"tensorflow": "2.21.0"}, "12.5", None, {})
        assert not any("cudnn" in line for line in list_cuda_constraints({"tensorflow": "2.21.0"}, "12.8", None, {}))
        both = {"tensorflow": "2.21.0", "torch": "2.6.0"}
        assert not any("cudnn" in line for line in list_cuda_constraints(both, "12.5", None, {}))

    def test_no_cuda_and_any_of_a_major_version_hold_nothing(self):
        assert list_cuda_constraints({"torch": "2.13.0"}, None, None, {}) == ()
        assert list_cuda_constraints({"jax": "0.10.1"}, "12", None, {}) == ()


class TestCheck:
    def test_one_of_each_is_well(self):
        check_cuda(wheels(nvidia_cuda_runtime="13.0.96", nvidia_cudnn_cu13="9.20.0.48"), "13.0")
        check_cuda(wheels(nvidia_cuda_runtime_cu12="12.9.79"), "12")
        check_cuda(wheels(nvidia_cuda_runtime_cu12="12.9.79"), None)
        check_cuda(wheels(numpy="2.4.0"), "13.0")

    @pytest.mark.parametrize(
        ("brought", "cuda", "said"),
        [
            ({"nvidia_cuda_runtime": "13.0.96", "nvidia_cuda_runtime_cu12": "12.9.79"}, None, "two versions of CUDA"),
            ({"nvidia_cudnn_cu13": "9.20.0.48", "nvidia_cudnn_cu12": "9.28.0.42"}, "13.0", "two versions of cuDNN"),
            ({"nvidia_cuda_runtime": "13.0.96"}, "12.6", "the packages bring CUDA 13.0"),
            ({"nvidia_cuda_runtime_cu12": "12.60.1"}, "12.6", "bring CUDA 12.60"),
        ],
    )
    def test_two_or_another_are_refused(self, brought, cuda, said):
        with pytest.raises(LockError, match=said) as caught:
            check_cuda(wheels(**brought), cuda)
        assert (caught.value.about, bool(caught.value.hint)) == ("cuda", True)


PLAIN = ArchiveBase("root.tar", "0" * 64)
NVIDIA = ImageBase(
    "nvidia/cuda:11.8.0-base-ubuntu22.04",
    "sha256:" + "0" * 64,
    (),
    ("CUDA_VERSION=11.8.0", "NV_CUDNN_VERSION=8.9.6.50-1"),
)


class TestBrought:
    @pytest.mark.parametrize(
        ("frameworks", "brought", "cuda", "base"),
        [
            ({"torch": "2.13.0"}, {"torch": "2.13.0", "nvidia_cuda_runtime": "13.0.96"}, "13.0", PLAIN),
            ({"torch": "1.13.1"}, {"torch": "1.13.1+cu116"}, "11.6", PLAIN),  # has it inside
            ({"jax": "0.10.1"}, {"jax": "0.10.1", "nvidia_cuda_runtime_cu12": "12.9.79"}, "12", PLAIN),
            ({"numpy": "2.4.6"}, {"numpy": "2.4.6"}, None, PLAIN),
            ({"tensorflow": "2.13.1"}, {"tensorflow": "2.13.1"}, "11.8", NVIDIA),
            ({"numpy": "2.4.6"}, {"numpy": "2.4.6"}, "11", NVIDIA),
        ],
    )
    def test_a_package_or_the_base_image_brings_it(self, frameworks, brought, cuda, base):
        check_brought(frameworks, wheels(**brought), cuda, base)

    @pytest.mark.parametrize(
        ("frameworks", "cuda", "said", "near"),
        [
            ({"jax": "0.10.1"}, "99.9", "jax 0.10.1 has no extra for CUDA 99", 'cuda: "12.9" or cuda: "13.1"'),
            (
                {"tensorflow": "2.13.1"},
                "11.8",
                "which came with 2.14",
                "use tensorflow 2.15.1, 2.16.2, 2.17.1, 2.18.1 or 2.19.1, which",
            ),
            ({"numpy": "2.4.6"}, "12.8", "no torch, tensorflow or jax", "leave cuda out"),
            ({"torch": "2.13.0+cpu"}, "12.8", "nothing in this spec brings CUDA 12.8", "leave cuda out"),
        ],
    )
    def test_one_that_nothing_brings_is_refused_with_what_would(self, frameworks, cuda, said, near):
        with pytest.raises(LockError, match=f"nothing in this spec brings CUDA {cuda}") as caught:
            check_brought(frameworks, wheels(**frameworks), cuda, PLAIN)
        assert said in caught.value.message
        assert near in caught.value.hint
        assert "`base: {image: …}`" in caught.value.hint
        assert caught.value.about == "cuda"

    @pytest.mark.parametrize(
        ("brought", "cudnn", "base"),
        [
            ({"numpy": "2.4.6"}, None, PLAIN),
            ({"numpy": "2.4.6"}, "8.9", NVIDIA),
            ({"nvidia_cudnn_cu12": "9.3.0.75"}, "9.3", PLAIN),
            ({"torch": "1.13.1+cu116"}, "8.3", PLAIN),
        ],
    )
    def test_so_is_cudnn_brought(self, brought, cudnn, base):
        check_cudnn_brought(wheels(**brought), cudnn, base)

    @pytest.mark.parametrize(("base", "hint"), [(PLAIN, "leave cudnn out"), (NVIDIA, 'write cudnn: "8.9"')])
    def test_or_refused(self, base, hint):
        with pytest.raises(LockError, match=r"brings cuDNN 9\.1") as caught:
            check_cudnn_brought(wheels(numpy="2.4.6"), "9.1", base)
        assert (caught.value.hint, caught.value.about) == (hint, "cudnn")

    def test_another_than_the_base_image_s_is_refused(self):
        with pytest.raises(LockError, match=r"the base image brings CUDA 11\.8.* and the spec says 12\.2") as caught:
            check_brought({"tensorflow": "2.13.1"}, wheels(tensorflow="2.13.1"), "12.2", NVIDIA)
        assert 'write cuda: "11.8"' in caught.value.hint


@pytest.mark.parametrize(
    ("line", "key", "message", "hint"),
    [
        ("tourch: {cuda: 13.0}", "compat.tourch", "is no framework whose CUDA is looked up", "did you mean 'torch'?"),
        ("torch: {cudnn: 9.1}", "compat.torch.cuda", "is missing", "add 'cuda: …', the version that it was built for"),
        ("jax: {cuda: auto}", "compat.jax.cuda", "'auto' is what is looked up here", "write the version that it was"),
    ],
)
def test_a_mistake_in_compat_is_one_problem(line, key, message, hint):
    head = "reprobox: 1\nname: x\nseed: 1\ncommand: x\n"
    with pytest.raises(SpecError) as caught:
        parse_spec(f"{head}compat: {{{line}}}\n", "spec.yaml", None)
    (problem,) = caught.value.problems
    assert (problem.key, problem.message, problem.line) == (key, message, 5)
    assert problem.hint.startswith(hint)
