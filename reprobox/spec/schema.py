"""The JSON schema of a spec's YAML form, for editors; built from the same patterns that the readers use."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from reprobox.pins import TARGETS
from reprobox.spec import environment, packages, quantities, settings
from reprobox.spec.backends import seed_limits
from reprobox.spec.model import WIDE_SEED_MAX, Level, Stages

SCHEMA_PATH = ".reprobox/spec.schema.json"
"""Where `reprobox init` leaves the schema, relative to the spec."""
MODELINE = f"# yaml-language-server: $schema={SCHEMA_PATH}"
"""First line of a spec: editors with a YAML language server complete and check it."""

Schema = dict[str, Any]

_CONTROL = r"\u0000-\u001f\u007f-\u009f\u2028\u2029"
_LINE = rf"(?=.*\S)[^{_CONTROL}]+"
_PATTERN = rf"(?![/~#!]|[A-Za-z]:/|\.?/*$)(?!(.*/)?\.\.(/|$))(?=.*\S)[^\\{_CONTROL}]+"
_PATH = rf"(?![/~]|[A-Za-z]:/|\.?/*$)(?!(.*/)?\.\.(/|$))(?=.*\S)[^\\{_CONTROL}]+"
_FILE = rf"(?![/~]|[A-Za-z]:/|\.?/*$)(?!(.*/)?\.\.(/|$))(?=.*\S)[^\"'`$\\{_CONTROL}]+"
_OUTPUT = rf"(?![/~]|[A-Za-z]:/)(?!(.*/)?\.\.(/|$))(?=.*\S)[^\\{_CONTROL}]+"
_PLAIN_NAME = rf"(?![/~]|\.|.*(//|/\.|/$))(?=.*\S)[^:\\{_CONTROL}]+"
_ENV_VALUE = rf"[^\"'`$\\{_CONTROL}]*"
_DURATION = rf"(?=.)({quantities.DURATION}|[0-9]{{1,9}}(\.[0-9]{{1,3}})?)"
_VERSION = r"[vV]?[0-9][0-9A-Za-z.+!_\-]*"
_URL = r"(https?|file)://[^\s\"'`\\$<>{}|^@?#]+"
_REQUIREMENT = r"(?!-)[A-Za-z0-9][^@;\\/\u0000-\u001f]*"


def spec_schema() -> Schema:
    """Return the schema (JSON Schema 2020-12)."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:reprobox:spec:1",
        "title": "reprobox spec, version 1",
        "description": "What a training image is made of, how it is seeded, and what is run in it.",
        "type": "object",
        "required": ["reprobox", "name", "seed"],
        "oneOf": [{"required": ["command"]}, {"required": ["stages"]}],
        "dependentRequired": {"cudnn": ["cuda"]},
        "additionalProperties": False,
        "properties": {**_identity(), **_software(), **_behaviour(), **_running()},
    }


def format_schema() -> str:
    """Return the schema as a file's text."""
    return json.dumps(spec_schema(), indent=2, ensure_ascii=False) + "\n"


def _identity() -> Schema:
    return {
        "reprobox": _say("The version of the spec's format.", {"const": 1}),
        "name": _say("The image's name.", _text(settings.NAME, "digits-cnn") | {"maxLength": settings.NAME_LENGTH}),
        "seed": _say(
            "The run's seed. 1 to 2147462578 is safe for every backend; others where every backend takes them.",
            {"type": "integer", "minimum": 0, "maximum": WIDE_SEED_MAX, "examples": [32]},
        ),
    }


def _software() -> Schema:
    requirement = _text(_REQUIREMENT, "numpy==2.3.5")
    return {
        "python": _say(
            "Python's major and minor version; the default is the base's.",
            {"enum": [*settings.PYTHONS, *(float(version) for version in settings.PYTHONS)], "default": "3.11"},
        ),
        "base": _say("What the image stands on; the default is the Debian release that has the Python.", _base()),
        "frameworks": _say(
            "Frameworks with their exact versions.",
            _table(_text(_VERSION, "2.13.0", numbers=True) | {"minimum": 0}, {"enum": sorted(seed_limits())}),
        ),
        "packages": _say(
            "Python packages: a list, or a requirements file, pyproject.toml or uv.lock, or both.",
            {
                "anyOf": [
                    _list(requirement),
                    _mapping(
                        {
                            "requirements": _text(_FILE, "requirements.txt"),
                            "list": _list(requirement),
                            "from_source": _list(_text(packages.PACKAGE_NAME, "theano"), unique=True),
                        }
                    ),
                ]
            },
        ),
        "indexes": _say(
            "Package indexes or find-links folders besides the machine's own, by URL and without passwords.",
            _list(_text(_URL, "https://download.example/whl/cpu"), unique=True),
        ),
        "system": _say("Debian packages, by name.", _list(_text(packages.DEBIAN_NAME, "libgomp1"), unique=True)),
        "run": _say(
            "Extra build steps: shell lines, run in order and without a network after the packages are in.",
            _list(_text(rf"(?!--)(?!.*\\\s*$){_LINE}", "python -m spacy validate")),
        ),
        "cuda": _say(
            "The CUDA version, or auto: what the frameworks were built for.", _text(packages.CUDA, "12.4", numbers=True)
        ),
        "compat": _say(
            "What a framework's version was built for, where the tables do not say it or say something else.",
            _table(
                _mapping(
                    {
                        "cuda": _text(packages.CUDA_VERSION, "13.0", numbers=True),
                        "cudnn": _text(packages.CUDNN, "9.1", numbers=True),
                    }
                )
                | {"required": ["cuda"]},
                {"enum": sorted(packages.BUILT)},
            ),
        ),
        "cudnn": _say("The cuDNN version that goes with cuda.", _text(packages.CUDNN, "9.1", numbers=True)),
    }


def _base() -> Schema:
    releases = [*settings.DEBIAN, *settings.DEBIAN_NAMES]
    return {
        "anyOf": [
            {"enum": [f"debian:{release}" for release in releases]},
            _mapping(
                {
                    "debian": {"enum": [*releases, *(int(release) for release in settings.DEBIAN)]},
                    "image": _text(settings.IMAGE, "python:3.11-slim-bookworm"),
                    "archive": _text(_FILE, "rootfs.tar"),
                    "sha256": _text(settings.SHA256),
                }
            )
            | {
                "oneOf": [{"required": ["debian"]}, {"required": ["image"]}, {"required": ["archive"]}],
                "dependentRequired": {"archive": ["sha256"]},
                "not": {"required": ["debian", "sha256"]},
            },
        ]
    }


def _behaviour() -> Schema:
    levels = [str(level) for level in Level]
    switches = {
        "level": _say("off, seeds only, the same bits on such hardware, or across CPU models.", {"enum": levels}),
        "hash_seed": {"type": "integer", "minimum": 0, "maximum": WIDE_SEED_MAX},
        "threads": {"type": "integer", "minimum": 1, "maximum": 1024},
        "deterministic_kernels": _flag(),
        "cudnn_benchmark": _flag(),
        "tf32": _flag(),
        "cublas_workspace": _text(settings.CUBLAS, ":4096:8"),
        "fill_uninitialized_memory": _flag(),
        "cpu": {"enum": list(TARGETS)},
    }
    patterns = _list(_text(_PATTERN, "src/**"))
    return {
        "determinism": _say(
            "The level, or a mapping of the level and switches that override it.",
            {"default": "bitwise", "anyOf": [{"enum": levels}, {"type": "null"}, _mapping(switches)]},
        ),
        "source": _say(
            "Which project files enter the image; ignore files are respected.",
            _mapping({"include": patterns, "exclude": patterns}, empty=True),
        ),
        "env": _say(
            "Environment variables of the image.",
            _table(
                {"type": ["string", "number", "boolean", "null"], "pattern": f"^({_ENV_VALUE})$"},
                {"pattern": f"^({environment.NAME})$", "not": {"enum": sorted(environment.OWNED)}},
            ),
        ),
    }


def _running() -> Schema:
    outputs = _list(_text(_OUTPUT, "*.pt"), unique=True)
    stage = {"anyOf": [_command(), _mapping({"command": _command(), "outputs": outputs}) | {"required": ["command"]}]}
    return {
        "command": _say("What a run does: a list of words, or a text that is split into words.", _command()),
        "stages": _say(
            "Steps instead of one command, each runnable alone.",
            _mapping(dict.fromkeys((field.name for field in fields(Stages)), stage)) | {"minProperties": 1},
        ),
        "inputs": _say(
            "Files and folders mounted read-only below /input, with their sha256.",
            _table({"anyOf": [_text(settings.SHA256), _input()]}, {"pattern": f"^({_PLAIN_NAME})$"}),
        ),
        "outputs": _say("What a run must leave below /output: paths or patterns.", outputs),
        "network": _say(
            "Whether a run may use the network.", {"enum": ["none", "full", *_flag()["enum"]], "default": "none"}
        ),
        "resources": _say("Limits on a run; what is left out is not limited.", _resources()),
    }


def _input() -> Schema:
    return _mapping({"path": _text(_PATH, "data/train.csv"), "sha256": _text(settings.SHA256)}) | {
        "required": ["path", "sha256"]
    }


def _resources() -> Schema:
    size = {"anyOf": [{"type": "integer", "minimum": 2**20}, _text(quantities.SIZE, "8g")]}
    return _mapping(
        {
            "cpus": {"type": "number", "minimum": 0.01, "maximum": 4096},
            "memory": size,
            "shm": size,
            "timeout": {"anyOf": [{"type": "number", "exclusiveMinimum": 0}, _text(_DURATION, "2h")]},
        },
        empty=True,
    )


def _command() -> Schema:
    words = {"type": "array", "items": {"type": ["string", "number", "boolean"]}, "minItems": 1}
    return {"anyOf": [_text(_LINE, "python train.py"), words]}


def _say(description: str, schema: Schema) -> Schema:
    return {"description": description, **schema}


def _text(pattern: str, example: str | None = None, *, numbers: bool = False) -> Schema:
    kind: Schema = {"type": ["string", "number"], "minimum": 1} if numbers else {"type": "string"}
    return kind | {"pattern": f"^({pattern})$"} | ({"examples": [example]} if example else {})


def _flag() -> Schema:
    return {"enum": [True, False, "true", "false", "yes", "no", "on", "off"]}


def _list(item: Schema, *, unique: bool = False) -> Schema:
    several = {"type": ["array", "null"], "items": item} | ({"uniqueItems": True} if unique else {})
    return {"anyOf": [several, item]}


def _mapping(properties: Schema, *, empty: bool = False) -> Schema:
    kind = ["object", "null"] if empty else "object"
    return {"type": kind, "additionalProperties": False, "properties": properties}


def _table(value: Schema, names: Schema) -> Schema:
    return {"type": ["object", "null"], "propertyNames": names, "additionalProperties": value}
