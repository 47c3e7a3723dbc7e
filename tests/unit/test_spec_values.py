"""What a right spec becomes: every way of writing a value, and every default."""

import time
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reprobox.errors import SpecError
from reprobox.spec.backends import explain_seed, seed_limits
from reprobox.spec.load import parse_spec
from reprobox.spec.model import (
    SAFE_SEED_MAX,
    WIDE_SEED_MAX,
    Base,
    Determinism,
    Input,
    Level,
    Resources,
    Source,
    Spec,
    Stage,
)

SHA = "ab" * 32
HEAD = {"reprobox": "1", "name": "x", "seed": "1", "command": "python x.py"}


def parse(lines: str = "") -> Spec:
    top = {line.partition(":")[0] for line in lines.splitlines()}
    drop = top | ({"command"} if "stages" in top else set())
    return parse_spec(lines + "\n" + "".join(f"{k}: {v}\n" for k, v in HEAD.items() if k not in drop), "s", None)


def test_the_shortest_spec_has_every_default():
    assert parse() == Spec(
        reprobox=1,
        name="x",
        seed=1,
        python="3.11",
        base=Base(debian="12"),
        determinism=Determinism(level=Level.BITWISE),
        source=Source(),
        command=("python", "x.py"),
    )


@pytest.mark.parametrize(
    "line",
    [
        *("env:", "env: {}", "env: ~", "packages:", "packages: []", "packages: {}", "system:", "run:", "frameworks:"),
        *("outputs: null", "inputs:", "determinism:", "source:", "resources:", "indexes: []", "source: {include: }"),
    ],
)
def test_nothing_written_is_as_good_as_left_out(line):
    expected = parse()
    if "include" in line:
        assert parse(line).source == Source(include=())
    else:
        assert parse(line) == expected


@pytest.mark.parametrize(("written", "text"), [("2.10", "2.10"), ("'2.10'", "2.10"), ("1.0", "1.0"), ("2", "2")])
def test_a_version_is_what_is_written_and_never_a_number(written, text):
    assert parse(f"frameworks: {{torch: {written}}}").frameworks == {"torch": text}


def test_python_3_10_is_not_3_1():
    assert parse("python: 3.10\nbase: {image: python:3.10}").python == "3.10"


@pytest.mark.parametrize(
    ("lines", "python", "debian"),
    [
        ("python: 3.9", "3.9", "11"),
        ("python: 3.13", "3.13", "13"),
        ("base: debian:11", "3.9", "11"),
        ("base: debian:trixie", "3.13", "13"),
        ("base: {debian: Bookworm}", "3.11", "12"),
        ("base: {debian: 13}\npython: '3.13'", "3.13", "13"),
    ],
)
def test_python_and_debian_decide_each_other(lines, python, debian):
    spec = parse(lines)
    assert (spec.python, spec.base) == (python, Base(debian=debian))


def test_other_bases():
    digest = f"python@sha256:{SHA}"
    assert parse(f"base: {{image: '{digest}'}}\npython: 3.8").base == Base(image=digest)
    assert parse(f"base: {{image: host.example:5000/a/b:t, sha256: {SHA}}}").base.sha256 == SHA
    assert parse(f"base: {{archive: ./b/r.tar, sha256: sha256:{SHA.upper()}}}").base == Base(
        archive="b/r.tar", sha256=SHA
    )


@pytest.mark.parametrize("level", list(Level))
def test_each_level_can_be_written_alone_or_in_a_mapping(level):
    expected = Determinism(level=level)
    assert parse(f"determinism: {level}").determinism == expected
    assert parse(f"determinism: {{level: '{level}'}}").determinism == expected


def test_switches_of_determinism():
    text = (
        "determinism: {hash_seed: 0, threads: 4, deterministic_kernels: no, cudnn_benchmark: On, tf32: 'false', "
        "cublas_workspace: ':16:8', fill_uninitialized_memory: true, cpu: avx2}"
    )
    assert parse(text).determinism == Determinism(
        hash_seed=0,
        threads=4,
        deterministic_kernels=False,
        cudnn_benchmark=True,
        tf32=False,
        cublas_workspace=":16:8",
        fill_uninitialized_memory=True,
        cpu="avx2",
    )


@pytest.mark.parametrize(
    ("written", "allowed"),
    [("none", False), ("full", True), ("no", False), ("Yes", True), ("off", False), ("true", True), ("'on'", True)],
)
def test_network(written, allowed):
    assert parse(f"network: {written}").network is allowed


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("python train.py --lr 0.1", ("python", "train.py", "--lr", "0.1")),
        ("python 'a b.py'", ("python", "a b.py")),
        ("\"python \\\"a b.py\\\"\"", ("python", "a b.py")),
        (">\n  python train.py\n  --epochs 3\n", ("python", "train.py", "--epochs", "3")),
        ("[python, train.py, 1.50, off, '']", ("python", "train.py", "1.50", "off", "")),
        ('[sh, -c, "a && b\\n$HOME"]', ("sh", "-c", "a && b\n$HOME")),
    ],
)  # fmt: skip
def test_commands(written, words):
    assert parse(f"command: {written}").command == words


def test_stages():
    stages = parse(
        "stages:\n  train: python t.py\n  predict: {command: [python, p.py], outputs: [a.csv, b/*.png]}"
    ).stages
    assert stages is not None
    assert stages.prepare is None
    assert stages.train == Stage(command=("python", "t.py"))
    assert stages.predict == Stage(command=("python", "p.py"), outputs=("a.csv", "b/*.png"))


def test_inputs_by_mapping_and_by_sha256_alone():
    spec = parse(f"inputs: {{a/b.csv: {SHA.upper()}, images: {{path: ./data//images/, sha256: {SHA}}}}}")
    assert spec.inputs == {
        "a/b.csv": Input(path="a/b.csv", sha256=SHA),
        "images": Input(path="data/images", sha256=SHA),
    }


def test_a_sha256_of_digits_only_is_no_number():
    assert parse(f"inputs: {{a: {'0' * 64}}}").inputs["a"].sha256 == "0" * 64


def test_env_values_are_what_is_written():
    assert parse("env: {A: 1.50, B: off, C: , D: '', E: 'a b', F: null, G: 0x1, H: -Xms=1}").env == {
        "A": "1.50", "B": "off", "C": "", "D": "", "E": "a b", "F": "", "G": "0x1", "H": "-Xms=1",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("8g", 8 << 30),
        ("512M", 512 << 20),
        ("1.5GiB", 3 << 29),
        ("8 gb", 8 << 30),
        ("16777216", 1 << 24),
        ("1t", 1 << 40),
    ],
)
def test_sizes(written, size):
    assert parse(f"resources: {{memory: {written}}}").resources.memory == size


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("2h", 7200.0), ("1h30m", 5400.0), ("45s", 45.0), ("1.5s", 1.5), ("90", 90.0), ("'90'", 90.0), ("1d", 86400.0)],
)
def test_durations(written, seconds):
    assert parse(f"resources: {{timeout: {written}}}").resources.timeout == seconds


def test_the_other_resources():
    assert parse("resources: {cpus: 1.5, shm: 64m}").resources == Resources(cpus=1.5, shm=64 << 20)


def test_one_value_is_a_list_of_one():
    spec = parse(
        "run: echo 'a b' # not this\nsystem: git\noutputs: m.pt\npackages: numpy\nindexes: file:///srv/wheels\n"
    )
    assert (spec.run, spec.system, spec.outputs) == (("echo 'a b'",), ("git",), ("m.pt",))
    assert (spec.packages, spec.indexes) == (("numpy",), ("file:///srv/wheels",))


def test_a_test_in_brackets_is_a_shell_line_and_no_list():
    assert parse("run: '[ -f x ] && true'").run == ("[ -f x ] && true",)


def test_packages_from_a_file_and_a_list():
    spec = parse("packages: {requirements: sub/../requirements.txt, list: ['a[b,c]>=1,<2']}")
    assert (spec.requirements, spec.packages) == ("requirements.txt", ("a[b,c]>=1,<2",))


def test_extras_of_a_framework_are_no_second_listing():
    assert parse("frameworks: {jax: 0.7.0}\npackages: ['jax[cuda12]']").packages == ("jax[cuda12]",)


@pytest.mark.parametrize(
    ("written", "path"), [("./a/../m.pt", "m.pt"), ("a//b", "a/b"), ("plots/", "plots"), (".", "**")]
)
def test_outputs_are_normalised(written, path):
    assert parse(f"outputs: {written}").outputs == (path,)


@given(st.integers(1, SAFE_SEED_MAX))
def test_a_safe_seed_is_taken_unchanged_with_every_backend(seed):
    frameworks = ", ".join(f"{name}: 1.0" for name in seed_limits())
    assert parse(f"seed: {seed}\nframeworks: {{{frameworks}}}").seed == seed


@given(st.integers(SAFE_SEED_MAX + 1, WIDE_SEED_MAX + 10), st.sampled_from(sorted(seed_limits())))
def test_a_larger_seed_is_taken_exactly_where_the_backend_takes_it(seed, backend):
    lines = f"seed: {seed}\nframeworks: {{{backend}: 1.0}}"
    if seed <= min(seed_limits()[backend][1], WIDE_SEED_MAX):
        assert parse(lines).seed == seed
    else:
        with pytest.raises(SpecError):
            parse(lines)


@pytest.mark.parametrize("package", ["tensorflow-rocm", "tf-nightly-cpu", "intel-tensorflow", "tf-keras-nightly"])
def test_tensorflow_under_another_name_takes_no_larger_seed_either(package):
    with pytest.raises(SpecError, match="too large"):
        parse(f"seed: {2**31}\nframeworks: {{{package}: 1.0}}")
    assert explain_seed([package], 2**31) is not None


@pytest.mark.parametrize("backend", sorted(seed_limits()))
def test_seed_0_is_taken_exactly_where_the_backend_takes_it(backend):
    lines = f"seed: 0\nframeworks: {{{backend}: 1.0}}"
    if seed_limits()[backend][0] == 0:
        assert parse(lines).seed == 0
    else:
        with pytest.raises(SpecError, match="0 is too small for"):
            parse(lines)


def test_every_limit_of_a_backend_has_its_source():
    import tomllib
    from pathlib import Path

    import reprobox.spec

    table = tomllib.loads((Path(reprobox.spec.__path__[0]) / "backends.toml").read_text())
    assert all(("max_seed" in entry) == ("source" in entry) for entry in table.values())
    assert all("max_seed" in entry for entry in table.values() if "min_seed" in entry)
    assert max(low for low, _ in seed_limits().values()) == 1
    assert min(high for _, high in seed_limits().values()) == SAFE_SEED_MAX


@pytest.mark.long
@pytest.mark.parametrize("payload", ["a", "1", "1.", "a>=1,", "\\\\", "$"])
def test_a_value_of_many_thousand_characters_is_refused_quickly_under_every_key(payload):
    text = '"' + payload * (70_000 // len(payload)) + '"'
    started = time.process_time()
    for field in fields(Spec):
        if field.name != "requirements":
            with pytest.raises(SpecError) as caught:
                parse(f"{field.name}: {text}")
            assert all(len(str(problem)) < 1000 for problem in caught.value.problems)
    assert time.process_time() - started < 30
