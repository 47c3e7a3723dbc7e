"""What is made of what a machine's GPUs, its driver and its engine say."""

from dataclasses import replace
from pathlib import Path

import pytest

from reprobox.engines.base import ContainerResult, GpuAccess
from reprobox.engines.fake import FakeEngine
from reprobox.errors import EngineError, UsageError
from reprobox.files import write_atomic
from reprobox.findings import Status
from reprobox.gpus.driver import Driver, parse_gpus
from reprobox.gpus.drivers import find_minimum_driver, find_shipped_driver, is_data_centre_model
from reprobox.gpus.kernels import check_kernels, read_kernels
from reprobox.gpus.loaded import find_loaded
from reprobox.gpus.need import Compat, GpuNeed, find_need
from reprobox.gpus.preflight import Surroundings, check_gpus, refuse
from reprobox.gpus.selection import ALL, choose_gpus, narrow_to_allotted, parse_selection
from reprobox.gpus.slowdowns import list_slowdowns, parse_slowdowns
from reprobox.gpus.toolkit import list_weaknesses
from reprobox.judging.sandbox import make_fence
from reprobox.judging.terms import Contest
from reprobox.records import Gpu, RuntimeRecord
from reprobox.spec.model import Resources

H200 = "NVIDIA H200, 580.159.03, 143771, GPU-1f2e3d4c-0000-0000-0000-000000000000"
HOOKED = replace(FakeEngine().info(), gpu_access=GpuAccess.HOOK)
FENCE = make_fence(Contest(), Resources(), 2**30, "")(Path("/nowhere"))
LOCAL = replace(FakeEngine().info(), gpu_access=GpuAccess.DIRECT)
REQUIRE = "cuda>=13.0 brand=tesla,driver>=535,driver<536 brand=tesla,driver>=550,driver<551"
"""As NVIDIA's image of CUDA 13.0 says it, shortened."""
TWO = tuple(Gpu("NVIDIA A100-SXM4-80GB", "535.104.05", 80 << 30, index) for index in range(2))


class TestSelection:
    @pytest.mark.parametrize(
        ("text", "devices"),
        [
            ("none", ()),
            ("all", ("all",)),
            ("0,1,0", ("0", "1")),
            ("GPU-1f2e,MIG-4/5/0", ("GPU-1f2e", "MIG-4/5/0")),
            ("0:1", ("0:1",)),
        ],
    )
    def test_it_is_read(self, text, devices):
        assert parse_selection(text) == devices

    def test_what_names_no_gpu_is_refused(self):
        with pytest.raises(UsageError):
            parse_selection("first")

    def test_the_gpus_of_a_run_are_those_that_it_named(self):
        assert choose_gpus(TWO, ALL) == TWO
        assert choose_gpus(TWO, ("1",)) == TWO[1:]
        assert choose_gpus(TWO, ("0:1",)) == TWO[:1]
        assert choose_gpus(TWO, ("GPU-1f2e",)) == TWO

    def test_all_of_a_caller_that_was_allotted_some_are_those(self):
        assert narrow_to_allotted(ALL, {}) == ALL
        assert narrow_to_allotted(ALL, {"CUDA_VISIBLE_DEVICES": "2, 3"}) == ("2", "3")
        assert narrow_to_allotted(ALL, {"CUDA_VISIBLE_DEVICES": "GPU-1f2e"}) == ("GPU-1f2e",)
        assert narrow_to_allotted(("0",), {"CUDA_VISIBLE_DEVICES": "2,3"}) == ("0",)

    @pytest.mark.parametrize("allotted", ["", "-1", "NoDevFiles"])
    def test_a_caller_that_was_allotted_none_is_told(self, allotted):
        with pytest.raises(EngineError, match="leaves no GPU") as caught:
            narrow_to_allotted(ALL, {"CUDA_VISIBLE_DEVICES": allotted})
        assert "--gpu 0" in caught.value.hint


class TestDriver:
    def test_a_gpu_is_described(self):
        (gpu,) = parse_gpus(f"{H200}, 9.0, Disabled, 0x0000000000000024\n")
        assert (gpu.name, gpu.driver, gpu.memory) == ("NVIDIA H200", "580.159.03", 143771 * 2**20)
        assert (gpu.compute_capability, gpu.mig, gpu.slowed) == ("9.0", False, ("power cap", "heat"))
        assert len(gpu.uuid_sha256) == 64
        assert "1f2e3d4c" not in repr(gpu)

    def test_what_the_driver_does_not_say_is_left_open(self):
        (gpu,) = parse_gpus("Tesla K80, 470.1, [N/A], [N/A], [N/A], [N/A], [N/A]\n")
        assert gpu == Gpu("Tesla K80", "470.1", 0)


class TestSlowdowns:
    def test_they_are_what_came_between_two_readings(self):
        before = parse_slowdowns("0, 1000000, 0, 0, 0, 0\n1, 5, 5, 5, 5, 5\n")
        after = parse_slowdowns("0, 3500000, 0, 40000, 0, 0\n1, 5, 5, 5, 5, 5\n")
        assert list_slowdowns(before, after, 0) == ("power cap for 2.5 s",)
        assert list_slowdowns(before, after, 1) == ()
        assert list_slowdowns({}, after, 0) == ()


class TestToolkit:
    def test_holes_are_those_of_its_version_and_its_way(self):
        def names(*asked):
            return [one.cve for one in list_weaknesses(*asked)]

        assert names("1.16.1", GpuAccess.HOOK)[0] == "CVE-2024-0132"
        assert "CVE-2024-0132" not in names("1.16.1", GpuAccess.CDI)
        assert names("1.17.7", GpuAccess.HOOK) == ["CVE-2025-23266", "CVE-2025-23267", "CVE-2026-24260"]
        assert names("1.19.1", GpuAccess.HOOK) == []


class TestNeed:
    @pytest.mark.parametrize(
        ("versions", "environment", "need"),
        [
            ({"torch": "2.6.0+cu126"}, {}, GpuNeed("12.6")),
            ({"torch": "2.13.0", "nvidia-cuda-runtime": "13.0.96"}, {"CUDA_VERSION": "12.8.1"}, GpuNeed("13.0")),
            ({"tensorflow": "2.19.0", "nvidia-cuda-runtime-cu12": "12.5.82"}, {}, GpuNeed("12.5")),
            ({"torch": "2.13.0+cpu"}, {}, GpuNeed("", ("torch 2.13.0+cpu",))),
            (
                {"jaxlib": "0.12.0", "jax-cuda13-plugin": "0.12.0", "nvidia-cuda-runtime": "13.0.96"},
                {},
                GpuNeed("13.0"),
            ),
            (
                {"jaxlib": "0.12.0", "jax-cuda13-plugin": "0.12.0"},
                {},
                GpuNeed(bare=("jax-cuda13-plugin 0.12.0 (for CUDA 13)",)),
            ),
            ({"jaxlib": "0.12.0"}, {}, GpuNeed("", ("jaxlib 0.12.0",))),
            ({"numpy": "2.4.6"}, {"CUDA_VERSION": "12.8.1"}, GpuNeed("12.8")),
            ({"tensorflow": "2.21.0"}, {}, GpuNeed(bare=("tensorflow 2.21.0 (for CUDA 12.5)",))),
            ({"tensorflow": "99.0"}, {}, GpuNeed(bare=("tensorflow 99.0",))),
            ({"tensorflow": "2.21.0"}, {"CUDA_VERSION": "12.8.1"}, GpuNeed("12.8")),
            # Another major version's libraries have other names.
            (
                {"tensorflow": "2.21.0", "torch": "2.13.0", "nvidia-cuda-runtime": "13.0.96"},
                {},
                GpuNeed("13.0", bare=("tensorflow 2.21.0 (for CUDA 12.5)",)),
            ),
            (
                {"numpy": "2.4.6"},
                {"CUDA_VERSION": "13.0.2", "NVIDIA_REQUIRE_CUDA": REQUIRE},
                GpuNeed("13.0", compat=Compat("13.0", REQUIRE)),
            ),
        ],
    )
    def test_it_is_read_from_the_lock(self, versions, environment, need):
        assert find_need(versions, environment) == need

    def test_nvidia_s_compatibility_package_is_seen_among_debian_s(self):
        assert find_need({}, {}, ["tree", "cuda-compat-13-0"]).compat == Compat("13.0")
        assert find_need({}, {}, ["cuda-compat"]).compat is None

    @pytest.mark.parametrize(
        ("name", "expected"),
        [
            ("NVIDIA A100-SXM4-80GB", True),
            ("Tesla V100-PCIE-16GB", True),
            ("NVIDIA GH200 480GB", True),
            ("NVIDIA L40S", True),
            ("NVIDIA T1000", False),
            ("Quadro P2000", False),
            ("NVIDIA RTX A2000 12GB", False),
            ("NVIDIA GeForce RTX 4090", False),
        ],
    )
    def test_models_of_data_centres_are_told_by_their_names(self, name, expected):
        assert is_data_centre_model(name) is expected

    def test_drivers_of_cudas(self):
        assert find_minimum_driver("13.0") == "580"
        assert find_minimum_driver("11.0.3") == "450.36.06"
        assert find_minimum_driver("10.2") is None
        assert find_shipped_driver("12.8") == "570.86.10"
        assert find_shipped_driver("99.0") is None


class TestLoaded:
    def find(self, *versions):
        return find_loaded(RuntimeRecord(tuple({"gpu": {"versions": one}} for one in versions), ()))

    def test_the_libraries_versions_are_named_as_people_do(self):
        found = self.find({"libcudart": 13000, "libcudnn": 92000}, {"libcudart": 12080, "libcudnn": 8907}, {})
        assert (found.cuda, found.cudnn) == ("12.8, 13.0", "8.9.7, 9.20.0")

    def test_what_a_stranger_s_program_put_there_is_no_version(self):
        assert self.find({"libcudart": "13000"}, {"libcudart": -1}, {"libcudart": True}, "x").cuda == ""
        assert find_loaded(RuntimeRecord(({"gpu": []}, {"gpu": {}}, {}), ())).cudnn == ""


def check(
    devices=ALL,
    cuda="12.8",
    toolkit="1.19.1",
    engine=HOOKED,
    driver="580.95.05",
    gpus=TWO,
    without=(),
    bare=(),
    compat=None,
):
    found = check_gpus(
        Surroundings(Driver(gpus, driver), engine, toolkit),
        parse_selection(",".join(devices)),
        GpuNeed(cuda, without, bare, compat),
    )
    return [(one.status, one.detail, one.hint) for one in found]


class TestKernels:
    KERNELS = ("sm_75", "sm_80", "sm_86", "sm_90a", "sm_120", "compute_120")

    @pytest.mark.parametrize(
        ("capability", "status"),
        [
            ("8.0", None),
            ("8.9", None),  # what is made for 8.6 runs there
            ("9.0", None),
            ("12.1", None),
            ("13.0", Status.WARNING),
            ("10.0", Status.FAILED),
            ("7.0", Status.FAILED),
            ("", None),
        ],
    )
    def test_a_gpu_needs_kernels_of_its_own_or_some_to_compile(self, capability, status):
        gpu = replace(TWO[0], compute_capability=capability)
        found = list(check_kernels([gpu], "torch", self.KERNELS))
        assert [one.status for one in found] == ([status] if status else [])
        assert all(f"compute capability {capability}" in one.detail and "7.5, 8.0, 8.6" in one.detail for one in found)

    def test_what_says_nothing_is_let_pass(self):
        gpu = replace(TWO[0], compute_capability="7.0")
        assert list(check_kernels([gpu], "torch", ())) == []
        assert list(check_kernels([gpu], "torch", ("gfx90a",))) == []

    @pytest.mark.parametrize(
        ("told", "code", "kernels", "asked"),
        [
            (b'noise\n["sm_90", "compute_90"]\n', 0, ("sm_90", "compute_90"), 1),
            (b"AttributeError\n", 1, (), 2),
            (b"", 0, (), 2),
        ],
    )
    def test_a_framework_is_asked_once_a_wheel(self, tmp_path, told, code, kernels, asked):
        specs = []

        class Engine(FakeEngine):
            def run_container(self, spec, on_output):
                specs.append(spec)
                on_output("stderr", b"a warning\n")
                on_output("stdout", told)
                return ContainerResult(code, 0.1, False, False, None)

        for _ in range(2):
            assert read_kernels("torch", "ab" * 32, "it", Engine(), tmp_path) == kernels
        assert len(specs) == asked
        assert (specs[0].image, specs[0].entrypoint, specs[0].network, specs[0].gpus) == ("it", (), False, ())

    def test_a_strangers_image_is_asked_inside_the_fence_and_its_answer_is_nobody_elses(self, tmp_path):
        specs = []

        class Engine(FakeEngine):
            def run_container(self, spec, on_output):
                specs.append(spec)
                for _ in range(100):
                    on_output("stdout", b"x" * 2**16)
                on_output("stdout", b'\n["sm_10"]')
                return ContainerResult(0, 0.1, False, False, None)

        assert read_kernels("torch", "ab" * 32, "it", Engine(), tmp_path, FENCE) == ()
        assert specs[0].fence is FENCE
        write_atomic(tmp_path / "kernels" / f"{'ab' * 32}.json", '["sm_90"]')
        assert read_kernels("torch", "ab" * 32, "it", Engine(), tmp_path, FENCE) == ("sm_90",)

    def test_a_strangers_answer_is_not_kept(self, tmp_path):
        class Engine(FakeEngine):
            def run_container(self, spec, on_output):
                on_output("stdout", b'["sm_10"]')
                return ContainerResult(0, 0.1, False, False, None)

        assert read_kernels("torch", "ab" * 32, "it", Engine(), tmp_path, FENCE) == ("sm_10",)
        assert list(tmp_path.iterdir()) == []

    def test_what_is_of_no_wheel_is_asked_each_time(self, tmp_path):
        class Engine(FakeEngine):
            def run_container(self, spec, on_output):
                on_output("stdout", b'["sm_90"]')
                return ContainerResult(0, 0.1, False, False, None)

        assert read_kernels("torch", "", "it", Engine(), tmp_path) == ("sm_90",)
        assert list(tmp_path.iterdir()) == []


class TestPreflight:
    def test_nothing_is_in_the_way(self):
        assert check() == []
        assert check(cuda="") == []
        assert check(cuda="10.2") == []
        assert check(engine=None) == []

    def test_no_gpu_is_never_a_run_on_the_cpu(self):
        nothing = Driver((), trouble="there is no NVIDIA GPU in this machine", hint="run without --gpu", present=False)
        with pytest.raises(EngineError, match="there is no NVIDIA GPU") as caught:
            refuse(check_gpus(Surroundings(nothing, HOOKED, ""), ALL, GpuNeed()))
        assert caught.value.exit_code == 5
        assert caught.value.hint == "run without --gpu"

    def test_a_gpu_that_is_not_there_is_named_with_those_that_are(self):
        ((status, detail, hint),) = check(("0", "2"))
        assert (status, detail) == (Status.FAILED, "there is no GPU 2 in this machine")
        assert "0 (NVIDIA A100-SXM4-80GB), 1 (" in hint

    def test_a_driver_too_old_for_the_cuda_says_which_would_do(self):
        ((status, detail, hint),) = check(cuda="13.0", driver="535.104.05")
        assert (status, detail) == (
            Status.FAILED,
            "driver 535.104.05 is too old for CUDA 13.0, which needs 580 or newer",
        )
        assert "cuda-compat-13-0" in hint
        ((_, _, hint),) = check(cuda="13.0", driver="535.104.05", gpus=(Gpu("NVIDIA GeForce RTX 4090", "535", 1),))
        assert "compat" not in hint

    @pytest.mark.parametrize("compat", [Compat("13.0"), Compat("13.0", REQUIRE)])
    def test_an_older_driver_will_do_with_nvidia_s_compatibility_package(self, compat):
        ((status, detail, hint),) = check(cuda="13.0", driver="535.104.05", compat=compat)
        assert (status, "cuda-compat-13-0 in the image" in detail) == (Status.WARNING, True)
        assert "update the driver to 580" in hint

    @pytest.mark.parametrize(
        ("driver", "compat", "model"),
        [
            ("525.60.13", Compat("13.0"), "NVIDIA A100-SXM4-80GB"),
            ("525.60.13", Compat("13.0", REQUIRE), "NVIDIA A100-SXM4-80GB"),
            ("535.104.05", Compat("13.0", "cuda>=13.0"), "NVIDIA A100-SXM4-80GB"),
            ("535.104.05", Compat("12.8"), "NVIDIA A100-SXM4-80GB"),
            ("535.104.05", Compat("13.0"), "NVIDIA GeForce RTX 4090"),
        ],
    )
    def test_it_does_not_help_every_driver_and_model(self, driver, compat, model):
        ((status, detail, hint),) = check(cuda="13.0", driver=driver, compat=compat, gpus=(Gpu(model, driver, 1),))
        assert (status, "too old for CUDA 13.0" in detail, "compat" in hint) == (Status.FAILED, True, False)

    def test_an_older_driver_of_the_same_family_is_a_warning(self):
        ((status, detail, _),) = check(driver="535.104.05")
        assert status is Status.WARNING
        assert "minor-version compatibility" in detail
        assert check(cuda="12.2", driver="535.104.05") == []

    def test_a_driver_whose_version_says_nothing_is_let_pass(self):
        assert check(driver="unknown") == []

    def test_a_build_for_the_cpu_is_refused(self):
        ((status, detail, hint),) = check(cuda="", without=("torch 2.13.0+cpu",))
        assert (status, "torch 2.13.0+cpu in this image is a build for the CPU" in detail) == (Status.FAILED, True)
        assert "cuda" in hint

    def test_a_build_for_the_cpu_beside_cuda_is_a_warning(self):
        ((status, detail, _),) = check(without=("torch 2.13.0+cpu",))
        assert (status, detail.endswith("no GPU would be used by it")) == (Status.WARNING, True)

    def test_a_tensorflow_whose_cuda_nothing_brings_is_refused(self):
        ((status, detail, hint),) = check(cuda="", bare=("tensorflow 2.21.0 (for CUDA 12.5)",))
        assert status is Status.FAILED
        assert detail.startswith("nothing in this image brings the CUDA that tensorflow 2.21.0 (for CUDA 12.5) needs")
        assert "cuda: auto" in hint
        assert "base" in hint

    @pytest.mark.parametrize("changes", [{"cuda": "13.0"}, {"cuda": "", "engine": LOCAL}])
    def test_it_is_a_warning_where_something_else_may_have_it(self, changes):
        assert [one[0] for one in check(bare=("tensorflow 2.21.0",), **changes)] == [Status.WARNING]

    def test_a_part_of_a_gpu_is_named_by_its_uuid_without_a_container(self):
        assert check(("0:1",)) == []
        assert check(("MIG-1f2e",), engine=LOCAL) == []
        ((status, detail, hint),) = check(("0:1",), engine=LOCAL)
        assert (status, detail[:3], "UUID" in hint) == (Status.FAILED, "0:1", True)

    def test_a_toolkit_s_holes_do_not_matter_without_a_container(self):
        assert check(toolkit="1.16.1", engine=LOCAL) == []
        assert [one[0] for one in check(toolkit="1.16.1")] == [Status.WARNING]

    @pytest.mark.parametrize(
        ("changes", "how"),
        [
            ({}, "nvidia-ctk runtime configure"),
            ({"rootless": True}, "no-cgroups"),
            ({"name": "podman"}, "nvidia-ctk cdi generate"),
        ],
    )
    def test_an_engine_without_the_toolkit_says_how_to_get_it(self, changes, how):
        ((status, _, hint),) = check(engine=replace(HOOKED, gpu_access=GpuAccess.NONE, **changes))
        assert (status, how in hint) == (Status.FAILED, True)

    def test_a_gpu_that_the_cdi_files_do_not_know_is_refused(self):
        engine = replace(HOOKED, gpu_access=GpuAccess.CDI, gpu_devices=("nvidia.com/gpu=0", "nvidia.com/gpu=all"))
        assert check(("0",), engine=engine) == []
        ((status, detail, hint),) = check(("1",), engine=engine)
        assert (status, "no nvidia.com/gpu=1" in detail, "they know 0, all" in hint) == (Status.FAILED, True, True)

    def test_every_obstacle_is_told_at_once(self):
        engine = replace(HOOKED, gpu_access=GpuAccess.NONE)
        found = check_gpus(
            Surroundings(Driver(TWO, "450.1"), engine, "1.16.0"), ("7",), GpuNeed("13.0", ("torch 2.13.0+cpu",))
        )
        with pytest.raises(EngineError) as caught:
            refuse(found)
        assert "no GPU 7" in caught.value.message
        assert "too old for CUDA 13.0" in caught.value.message
        assert "cannot hand a GPU" in caught.value.message
        assert [one.name for one in found if one.status is Status.WARNING] == ["image", "GPU toolkit"]
