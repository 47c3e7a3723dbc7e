"""docs/spec.md says what is so: its snippets are read by the loader, and it leaves out no key."""

import re
import shutil
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from reprobox.errors import SpecError
from reprobox.spec.load import load_spec, parse_spec
from reprobox.spec.schema import spec_schema

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "spec.md").read_text(encoding="utf-8")
HEAD = {"reprobox": "1", "name": "x", "seed": "1", "command": "python x.py"}


def snippets(kind: str) -> list[str]:
    found = re.findall(rf"^```{kind}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    assert found
    return [complete(snippet) for snippet in found]


def complete(snippet: str) -> str:
    keys = set(re.findall(r"^([a-z]+):", snippet, re.MULTILINE))
    missing = [key for key in HEAD if key not in keys and not (key == "command" and "stages" in keys)]
    return snippet + "".join(f"{key}: {HEAD[key]}\n" for key in missing)


@pytest.mark.parametrize("snippet", snippets("yaml"))
def test_every_snippet_is_a_valid_spec(snippet):
    parse_spec(snippet, "docs/spec.md", None)


@pytest.mark.parametrize("snippet", snippets("yaml refused"))
def test_every_snippet_that_is_said_to_be_refused_is(snippet):
    with pytest.raises(SpecError):
        parse_spec(snippet, "docs/spec.md", None)


def keys_of(schema: dict) -> set[str]:
    keys = set(schema.get("properties", {}))
    parts = [*schema.get("properties", {}).values(), *schema.get("anyOf", []), schema.get("additionalProperties")]
    return keys.union(*(keys_of(part) for part in parts if isinstance(part, dict)))


def test_every_key_of_the_schema_is_described():
    missing = {key for key in keys_of(spec_schema()) if f"`{key}`" not in TEXT}
    assert not missing


def test_the_messages_shown_are_the_messages_given():
    text = complete("reprobox: 1\nname: x\nseed: 1e3\n\nframeworks:\n  pytorch: 2.13.0\n")
    with pytest.raises(SpecError) as caught:
        parse_spec(text, "spec.yaml", None)
    assert str(caught.value) in TEXT


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*/spec.yaml")), ids=lambda path: path.parent.name)
def test_every_example_is_accepted_by_loader_and_schema(path, tmp_path):
    folder = tmp_path / path.parent.name
    shutil.copytree(path.parent, folder)
    load_spec(folder / "spec.yaml")
    Draft202012Validator(spec_schema()).validate(yaml.safe_load(path.read_text(encoding="utf-8")))
