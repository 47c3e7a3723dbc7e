"""Which variables hold the libraries to one instruction set, by target and by the versions in the lock."""

import re
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet
from test_lock import make_lock, make_wheel

from reprobox.checks import warn_of_gaps
from reprobox.errors import SpecError
from reprobox.lock import PythonTarget
from reprobox.pins import (
    TARGETS,
    Gap,
    choose_pins,
    find_gaps,
    list_pins,
    list_promises,
    load_entries,
    pinned_variables,
)
from reprobox.plan import make_plan
from reprobox.spec.load import parse_spec
from reprobox.spec.model import Determinism

HEAD = "reprobox: 1\nname: x\nseed: 32\ncommand: python x.py\n"
XLA_AVX2 = "--xla_cpu_max_isa=AVX2"
XLA_PLAIN = "--xla_cpu_enable_platform_dependent_math=false"


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("avx2", ("avx2", "COMPATIBLE", "AVX2", "Haswell")),
        ("avx2-intel", ("avx2", "AVX2", "AVX2", "Haswell")),
        ("baseline", ("default", "COMPATIBLE", "SSE41", "Nehalem")),
    ],
)
def test_pins_that_no_version_changes_are_always_there(target, expected):
    env = choose_pins(target, {})
    names = ("ATEN_CPU_CAPABILITY", "MKL_CBWR", "ONEDNN_MAX_CPU_ISA", "OPENBLAS_CORETYPE")
    assert tuple(env[name] for name in names) == expected
    assert env["TF_ENABLE_ONEDNN_OPTS"] == "0"
    assert not {"NPY_DISABLE_CPU_FEATURES", "XLA_FLAGS", "GLIBC_TUNABLES", "NUMBA_CPU_NAME"} & env.keys()


@pytest.mark.parametrize(
    ("target", "version", "there", "not_there"),
    [
        ("avx2", "1.26.4", {"AVX512F", "AVX512_SKX", "AVX512_ICL"}, {"AVX2", "FMA3", "X86_V4", "AVX512_SPR"}),
        ("baseline", "1.26.4", {"AVX", "F16C", "FMA3", "AVX2", "AVX512F"}, {"SSE42", "POPCNT", "X86_V3"}),
        ("avx2", "1.24.4", {"AVX512F", "AVX512_ICL"}, {"AVX512_SPR"}),
        ("avx2", "2.3.5", {"AVX512F", "AVX512_SPR"}, {"X86_V4"}),
        ("avx2", "2.4.0", {"X86_V4", "AVX512_ICL", "AVX512_SPR"}, {"X86_V3", "AVX512F"}),
        ("baseline", "2.4.0rc1", {"X86_V3", "X86_V4"}, {"X86_V2", "AVX2"}),
        ("avx2-intel", "2.5.5", {"X86_V4"}, {"X86_V3"}),
    ],
)
def test_numpys_features_have_the_names_of_its_version(target, version, there, not_there):
    names = set(choose_pins(target, {"numpy": version})["NPY_DISABLE_CPU_FEATURES"].split())
    assert there <= names
    assert not not_there & names


def test_a_numpy_that_cannot_be_pinned_is_a_gap():
    installed = {"numpy": "1.17.5"}
    assert "NPY_DISABLE_CPU_FEATURES" not in choose_pins("avx2", installed)
    assert find_gaps("avx2", installed) == (Gap("numpy", "1.17.5", "NPY_DISABLE_CPU_FEATURES"),)
    assert find_gaps("avx2", {"numpy": "2.4.6", "glibc": "2.36", "requests": "2.32.3"}) == ()


@pytest.mark.parametrize(
    ("installed", "expected"),
    [
        ({"jaxlib": "0.12.0.1"}, f"{XLA_AVX2} {XLA_PLAIN}"),
        ({"jaxlib": "0.9.0"}, f"{XLA_AVX2} {XLA_PLAIN}"),
        ({"jaxlib": "0.7.2"}, XLA_AVX2),
        ({"jaxlib": "0.4.38"}, XLA_AVX2),
        ({"jaxlib": "0.4.31"}, None),
        ({"jaxlib": "99.0"}, None),
        ({"tensorflow-cpu": "2.21.0"}, f"{XLA_AVX2} {XLA_PLAIN}"),
        ({"tensorflow": "2.15.1"}, None),
        ({"jaxlib": "0.12.0.1", "tensorflow": "2.15.1"}, None),
        ({"jaxlib": "0.7.2", "tensorflow": "2.21.0"}, XLA_AVX2),
        ({"numpy": "2.4.6"}, None),
    ],
)
def test_xla_gets_only_flags_that_all_who_read_them_know(installed, expected):
    assert choose_pins("avx2", installed).get("XLA_FLAGS") == expected


def test_half_known_flags_are_no_gap_and_unknown_ones_are():
    assert find_gaps("avx2", {"jaxlib": "0.7.2"}) == ()
    assert find_gaps("avx2", {"jaxlib": "99.0"}) == (Gap("jaxlib", "99.0", "XLA_FLAGS"),)


@pytest.mark.parametrize(
    ("glibc", "expected"),
    [
        ("2.41", "glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4"),
        ("2.36", "glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4"),
        ("2.31", "glibc.cpu.hwcaps=-AVX2_Usable,-FMA_Usable,-FMA4_Usable,-AVX2,-FMA,-FMA4"),
        ("2.28", "glibc.tune.hwcaps=-AVX2_Usable,-FMA_Usable,-FMA4_Usable"),
        ("2.17", None),
    ],
)
def test_the_c_library_has_names_by_version_and_needs_them_for_the_baseline_only(glibc, expected):
    assert choose_pins("baseline", {"glibc": glibc}).get("GLIBC_TUNABLES") == expected
    assert "GLIBC_TUNABLES" not in choose_pins("avx2", {"glibc": glibc})


def test_numba_gets_a_processor_with_its_features():
    env = choose_pins("avx2", {"numba": "0.68.1"})
    assert (env["NUMBA_CPU_NAME"], env["NUMBA_CPU_FEATURES"]) == ("haswell", "+avx2,+fma")


def test_a_version_that_is_none_pins_nothing_and_breaks_nothing():
    assert choose_pins("avx2", {"numpy": "unknown"}) == choose_pins("avx2", {})


def test_the_plan_reads_the_versions_from_the_lock():
    lock = make_lock(
        wheels=(make_wheel("numpy", "1.26.4"), make_wheel("jaxlib", "0.7.2")),
        python=PythonTarget("3.9.2", "/usr/bin/python3.9", "2.31"),
    )
    spec = parse_spec(HEAD + "determinism: {level: portable, cpu: baseline}\n", "spec.yaml", None)
    env = dict(make_plan(spec, lock, ()).env)
    assert "FMA3" in env["NPY_DISABLE_CPU_FEATURES"].split()
    assert env["XLA_FLAGS"] == "--xla_cpu_max_isa=SSE4_2"
    assert "FMA_Usable" in env["GLIBC_TUNABLES"]
    assert env["OMP_NUM_THREADS"] == "1"


def test_bitwise_has_no_pins():
    lock = make_lock()
    env = dict(make_plan(parse_spec(HEAD, "spec.yaml", None), lock, ()).env)
    assert not pinned_variables() & env.keys()


@pytest.mark.parametrize("text", ["portable", "{level: portable, cpu: baseline}", "{level: seeded, cpu: avx2}"])
def test_a_spec_cannot_undo_its_own_pins(text):
    with pytest.raises(SpecError) as caught:
        parse_spec(f"{HEAD}determinism: {text}\nenv:\n  A: b\n  MKL_CBWR: AUTO\n", "spec.yaml", None)
    (problem,) = caught.value.problems
    assert (problem.line, problem.column, problem.key) == (8, 3, "env.MKL_CBWR")
    assert problem.message == "is a variable that determinism's cpu sets"


def test_without_pins_those_variables_are_the_specs_own():
    spec = parse_spec(f"{HEAD}env: {{MKL_CBWR: AVX2}}\n", "spec.yaml", None)
    assert spec.env == {"MKL_CBWR": "AVX2"}


@pytest.mark.parametrize("target", TARGETS)
def test_every_target_can_be_written_in_a_spec(target):
    spec = parse_spec(f"{HEAD}determinism: {{level: portable, cpu: {target}}}\n", "spec.yaml", None)
    assert spec.determinism.cpu == target
    assert target in str(Determinism.__annotations__["cpu"])


class TestPromises:
    def test_an_image_is_promised_what_its_packages_are(self):
        promises = {one.what: one for one in list_promises("avx2", {"torch": "2.13.0", "six": "1.17.0"})}
        said = {what.split(":")[0] for what in promises}
        assert {"Python", "PyTorch", "anything on a GPU"} <= said
        assert not {"NumPy", "TensorFlow", "JAX"} & said
        (roots,) = [one for what, one in promises.items() if "`sqrt`" in what]
        assert roots.holds == "not promised"

    def test_targets_differ_in_their_promises(self):
        holds = {
            target: next(one.holds for one in list_promises(target, {"torch": "2.13.0"}) if "`sqrt`" in one.what)
            for target in TARGETS
        }
        assert holds == {"avx2": "not promised", "avx2-intel": "same", "baseline": "not promised"}

    def test_a_build_of_another_name_is_the_same_package(self):
        known, other = (list_promises("avx2", {name: "2.21.0"}) for name in ("tensorflow", "tensorflow-cpu"))
        assert known == other != list_promises("avx2", {})


class Listener:
    def __init__(self):
        self.warnings = []

    def warn(self, text):
        self.warnings.append(text)


@pytest.mark.parametrize(("level", "said"), [("portable", 1), ("bitwise", 0)])
def test_a_package_that_cannot_be_pinned_is_warned_of_where_it_matters(level, said):
    lock = make_lock(wheels=(make_wheel("numpy", "1.17.5"), make_wheel("six", "1.17.0")))
    listener = Listener()
    warn_of_gaps(make_plan(parse_spec(f"{HEAD}determinism: {level}\n", "spec.yaml", None), lock, ()), listener)
    expected = (
        "numpy 1.17.5 is not held to cpu: avx2: no value of NPY_DISABLE_CPU_FEATURES is known for this version, so its"
        " results may differ on other processors"
    )
    assert listener.warnings == [expected] * said


class TestTheDataFile:
    def test_every_entry_says_where_it_is_from_and_how_it_was_checked(self):
        known = {"variable", "reads", "readers", "source", "checked", *TARGETS}
        for entry in load_entries():
            assert entry.keys() <= known, entry
            assert {"variable", "reads", "source", "checked"} <= entry.keys(), entry
            assert entry["source"].startswith("https://")
            assert re.match("[RS]\\b", entry["checked"])

    def test_the_values_of_one_variable_never_contradict_each_other(self):
        """One version of one package gets one value, except where flags are lists."""
        samples = [f"{major}.{minor}.4" for major in range(3) for minor in range(42)]
        for target in TARGETS:
            for name in {name for pin in list_pins(target) for name in pin.readers} - {"jaxlib", "tensorflow"}:
                for version in samples:
                    values = choose_pins(target, {name: version})
                    for variable in {pin.variable for pin in list_pins(target) if name in pin.readers}:
                        given = [pin.value for pin in list_pins(target) if pin.variable == variable]
                        assert values.get(variable) in (None, *given), (name, version)

    def test_the_variables_are_those_of_one_line(self):
        for pin in (pin for target in TARGETS for pin in list_pins(target)):
            assert re.fullmatch("[A-Z][A-Z0-9_]*", pin.variable)
            assert re.fullmatch(r"[A-Za-z0-9_=,.+\- ]+", pin.value)
            assert all(isinstance(one, SpecifierSet) for one in pin.readers.values())


def test_the_data_file_is_in_the_package():
    assert (Path(__file__).parents[2] / "reprobox" / "data" / "portable.yaml").is_file()
