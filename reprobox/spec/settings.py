"""Readers of the remaining keys: version, name, seed, Python, base, determinism, inputs, resources, network."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from reprobox.pins import TARGETS
from reprobox.spec.model import SAFE_SEED_MAX, WIDE_SEED_MAX, Base, Determinism, Input, Level, Resources, Source
from reprobox.spec.paths import read_file, read_input_name, read_path, read_pattern
from reprobox.spec.quantities import read_cpus, read_duration, read_size
from reprobox.spec.values import (
    Value,
    describe,
    read_choice,
    read_fields,
    read_flag,
    read_integer,
    read_list,
    read_scalar,
    read_text,
    shorten,
    suggest,
)
from reprobox.spec.yaml_nodes import MapNode, ScalarNode

NAME = r"[a-z0-9]+([._\-][a-z0-9]+)*"
NAME_LENGTH = 63
SHA256 = r"(sha256:)?[0-9a-fA-F]{64}"
_HOST = r"[A-Za-z0-9]([A-Za-z0-9.\-]*[A-Za-z0-9])?(:[0-9]{1,5})?/"
_PART = r"[a-z0-9]+((\.|__?|-+)[a-z0-9]+)*"
IMAGE = rf"({_HOST})?{_PART}(/{_PART})*(:[A-Za-z0-9_][A-Za-z0-9_.\-]{{0,127}})?(@sha256:[0-9a-f]{{64}})?"
CUBLAS = r"(:[0-9]{1,6}:[0-9]{1,3})+"
DEBIAN = {"11": "3.9", "12": "3.11", "13": "3.13"}
"""Debian release -> the Python it brings."""
DEBIAN_NAMES = {"bullseye": "11", "bookworm": "12", "trixie": "13"}
PYTHONS = tuple(f"3.{minor}" for minor in range(6, 16))


def read_version_one(value: Value) -> int | None:
    """Return 1, the only version of the spec there is."""
    node = read_scalar(value, "1, the version of the spec's format")
    if node is None or node.text == "1":
        return 1 if node else None
    if re.fullmatch("[1-9][0-9]*", node.text):
        value.report(f"this spec was made for a newer reprobox (format {shorten(node.text)[1:-1]})", "upgrade reprobox")
    else:
        value.report(f"expected 1, the version of the spec's format, found {shorten(node.text)}", "write 'reprobox: 1'")
    return None


def read_name(value: Value) -> str | None:
    """Return a name that can be an image's."""
    text = read_text(value, "a name such as digits-cnn")
    if text is None:
        return None
    if re.fullmatch(NAME, text) and len(text) <= NAME_LENGTH:
        return text
    slug = re.sub("[^a-z0-9]+", "-", text.lower())[:NAME_LENGTH].strip("-")
    if len(text) > NAME_LENGTH:
        value.report(f"is {len(text)} characters long", f"use at most {NAME_LENGTH}")
    else:
        message = (
            f"{shorten(text)} cannot be an image's name: use a-z and 0-9, with single '-', '_' or '.' between them"
        )
        value.report(message, f"did you mean '{slug}'?" if slug else "")
    return None


def read_seed(value: Value) -> int | None:
    """Return a seed that at least NumPy takes; what each backend takes is checked with the whole spec."""
    return read_integer(value, 0, WIDE_SEED_MAX, f"use an integer from 1 to {SAFE_SEED_MAX}, safe for every backend")


def read_python(value: Value) -> str | None:
    """Return Python's major and minor version."""
    text = read_text(value, "a Python version such as 3.11", verbatim=True)
    if text is None or text in PYTHONS:
        return text
    if short := re.match(r"(?:python ?)?(3\.[0-9]{1,2})(\.|$)", text.lower()):
        version = short.group(1)
        if version in PYTHONS:
            value.report(f"{shorten(text)} is more than major.minor", f"write {version}; the lock pins the rest")
            return None
    value.report(f"there is no Python {text[:20]} to build on", f"use {PYTHONS[0]} to {PYTHONS[-1]}")
    return None


def read_base(value: Value, project: Path | None) -> Base | None:
    """Return the base: "debian:12", or a mapping with exactly one of debian, image and archive."""
    if not isinstance(value.node, MapNode):
        return _read_base_text(value)
    parts = read_fields(
        value,
        {
            "debian": _read_debian,
            "image": _read_image,
            "archive": lambda entry: read_file(entry, project, "an archive"),
            "sha256": read_sha256,
        },
    )
    given = [key for key in ("debian", "image", "archive") if key in value.node.items]
    if len(given) != 1:
        found = f"has {' and '.join(given)}" if given else "is empty"
        value.report_key(found, "write exactly one of debian, image and archive")
        return None
    if given == ["archive"] and "sha256" not in value.node.items:
        value.report_missing("sha256", "an archive needs it; sha256sum prints it")
        return None
    if given == ["debian"] and "sha256" in value.node.items:
        value.entries()["sha256"].report_key("does not go with debian", "remove it; the lock pins every package")
        return None
    return Base(**parts) if given[0] in parts else None  # type: ignore[arg-type]


def _read_base_text(value: Value) -> Base | None:
    text = read_text(value, "debian:12, or a mapping with image or archive")
    if text is None:
        return None
    family, _, release = text.partition(":")
    release = DEBIAN_NAMES.get(release, release)
    if family == "debian" and release in DEBIAN:
        return Base(debian=release)
    hint = f"for a registry's image write 'base: {{image: {text}}}'; for Debian debian:11, debian:12 or debian:13"
    value.report(f"{shorten(text)} is not a base", hint)
    return None


def _read_debian(value: Value) -> str | None:
    text = read_text(value, "a Debian release such as 12", verbatim=True)
    if text is None:
        return None
    release = DEBIAN_NAMES.get(text.lower(), text)
    if release in DEBIAN:
        return release
    known = [*DEBIAN, *DEBIAN_NAMES]
    value.report(
        f"{shorten(text)} is not a Debian release that reprobox knows", suggest(text, known) or "use 11, 12 or 13"
    )
    return None


def _read_image(value: Value) -> str | None:
    text = read_text(value, "an image such as python:3.11-slim")
    if text is None or re.fullmatch(IMAGE, text):
        return text
    value.report(f"{shorten(text)} is not the name of an image", "write name:tag or name@sha256:…")
    return None


def read_sha256(value: Value) -> str | None:
    """Return 64 hexadecimal digits in lower case."""
    text = read_text(value, "a sha256 of 64 hexadecimal digits", verbatim=True)
    if text is None or re.fullmatch(SHA256, text):
        return text.lower().removeprefix("sha256:") if text else None
    digits = text.removeprefix("sha256:")
    found = f"has {len(digits)} characters" if re.fullmatch("[0-9a-fA-F]*", digits) else "is not hexadecimal"
    value.report(f"a sha256 has 64 hexadecimal digits; this one {found}", "sha256sum prints it")
    return None


def read_determinism(value: Value) -> Determinism | None:
    """Return the level alone, or a mapping of the level and the switches."""
    levels = tuple(Level)
    if value.empty:
        return None
    if isinstance(value.node, ScalarNode):
        word = read_choice(value, levels, {"false": "write off", "no": "write off", "none": "write off"})
        return Determinism(level=Level(word)) if word else None
    parts = read_fields(
        value,
        {
            "level": lambda entry: read_choice(entry, levels),
            "hash_seed": partial(read_integer, low=0, high=WIDE_SEED_MAX),
            "threads": partial(read_integer, low=1, high=1024),
            "deterministic_kernels": read_flag,
            "cudnn_benchmark": read_flag,
            "tf32": read_flag,
            "cublas_workspace": _read_cublas,
            "fill_uninitialized_memory": read_flag,
            "cpu": lambda entry: read_choice(entry, TARGETS),
        },
    )
    if parts.get("deterministic_kernels") and parts.get("cudnn_benchmark"):
        hint = "benchmarking picks kernels by the clock: set one of the two to false"
        value.entries()["cudnn_benchmark"].report("contradicts deterministic_kernels", hint)
    if "level" in parts:
        parts["level"] = Level(str(parts["level"]))
    return Determinism(**parts)  # type: ignore[arg-type]


def _read_cublas(value: Value) -> str | None:
    text = read_text(value, "a workspace such as :4096:8")
    if text is None or re.fullmatch(CUBLAS, text):
        return text
    value.report(f"{shorten(text)} is not a cuBLAS workspace", "write :4096:8 or :16:8")
    return None


def read_source(value: Value) -> Source | None:
    """Return which files enter the image."""
    if value.empty:
        return None
    patterns = partial(read_list, read_item=read_pattern)
    parts = read_fields(value, {"include": patterns, "exclude": patterns})
    return Source(**parts)  # type: ignore[arg-type]


def read_input(name: str, value: Value, project: Path | None) -> Input | None:
    """Return an input: its path and sha256, or its sha256 alone where the name is the path."""
    if isinstance(value.node, MapNode):
        parts = read_fields(value, {"path": lambda entry: read_path(entry, project, "an input"), "sha256": read_sha256})
        for key in ("path", "sha256"):
            if key not in value.node.items:
                value.report_missing(key, "an input has a path in the project and a sha256")
    else:
        path = read_path(Value(_as_text(value, name), value.key, value.file, value.problems), project, "an input")
        parts = {"path": path, "sha256": read_sha256(value)}
    if read_input_name(value, name) != name:
        if not any(problem.key == value.key for problem in value.problems):
            value.report_key(f"{shorten(name)} is not a plain name", "write it without './', '//' and a final '/'")
        return None
    return Input(**parts) if all(parts.get(key) for key in ("path", "sha256")) else None  # type: ignore[arg-type]


def _as_text(value: Value, text: str) -> ScalarNode:
    return ScalarNode(value.key_position or value.node.position, text, plain=False)


def read_resources(value: Value) -> Resources | None:
    """Return the limits of a run."""
    if value.empty:
        return None
    parts = read_fields(
        value,
        {
            "cpus": read_cpus,
            "memory": partial(read_size, smallest=6 * 2**20),
            "shm": partial(read_size, smallest=2**20),
            "timeout": read_duration,
        },
        {
            "mem": "did you mean 'memory'?",
            "cpu": "did you mean 'cpus'?",
            "gpu": "`reprobox run --gpu` gives a run the GPU",
        },
    )
    return Resources(**parts)  # type: ignore[arg-type]


def read_network(value: Value) -> bool | None:
    """Return whether a run may use the network: none, full, or a yes or no."""
    node = value.node
    if isinstance(node, ScalarNode) and node.text in ("none", "full"):
        return node.text == "full"
    if isinstance(node, ScalarNode) and node.text.lower() in ("true", "false", "yes", "no", "on", "off"):
        return read_flag(value)
    value.report(f"expected none or full, found {describe(node)}", "none (the default) cuts a run off from the network")
    return None
