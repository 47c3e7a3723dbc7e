"""Read contract.json: what the host wants of every process in the container."""

import os

from .jsontext import parse_json

SCHEMA_VERSION = 1
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
"""The folder that holds the package, the entrypoint and the contract: ``/opt/reprobox`` in an image."""
_DEFAULTS = {"name": "", "seed": 0, "level": "off", "switches": {}, "env": {}, "stages": []}


def read_contract():
    """Return the contract with every key present; OSError or ValueError when it cannot be used.

    ``REPROBOX_CONTRACT`` names another file than the one beside the package: tests use it.
    """
    path = os.environ.get("REPROBOX_CONTRACT") or os.path.join(ROOT, "contract.json")
    with open(path, "rb") as file:
        found = parse_json(file.read().decode("utf-8"))
    if not isinstance(found, dict) or found.get("schema_version") != SCHEMA_VERSION:
        raise ValueError("%s: not a contract of schema_version %d" % (path, SCHEMA_VERSION))
    contract = dict(_DEFAULTS, **found)
    for key, default in _DEFAULTS.items():
        if not isinstance(contract[key], type(default)):
            raise ValueError("%s: %s: not a %s" % (path, key, type(default).__name__))
    if not _are_texts(contract["env"].values()) or not all(_is_stage(stage) for stage in contract["stages"]):
        raise ValueError("%s: env or stages: not of this schema" % path)
    return contract


def _are_texts(values):
    return all(isinstance(value, str) and "\0" not in value for value in values)


def _is_stage(stage):
    if not isinstance(stage, dict) or not isinstance(stage.get("command"), list) or not stage["command"]:
        return False
    return _are_texts([stage.get("name")] + stage["command"])
