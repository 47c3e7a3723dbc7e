"""Readers of what is run: the command, the stages, and the extra build steps."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import fields
from functools import partial

from reprobox.spec.model import Stage, Stages
from reprobox.spec.paths import read_output
from reprobox.spec.values import Value, read_fields, read_list, read_scalar, read_text, shorten
from reprobox.spec.yaml_nodes import ListNode, MapNode

MAX_LINE = 32_000
MAX_ARGUMENT = 32_000
"""The kernel takes 131,072 bytes, of which a character can have four."""

_SHELL_WORDS = frozenset({"&&", "||", "|", "&", ";", ">", ">>", "<", "<<", "2>", "2>&1", "&>"})
_SHELL_PARTS = re.compile(r"\$[A-Za-z_{(]|`|;$")
_HEREDOC = re.compile(r"(^|\s)[0-9]*<<-?\s*[\"'A-Za-z_]")


def read_command(value: Value) -> tuple[str, ...] | None:
    """Return a command's words, from a list or from a text that is split as a shell would, but run without one."""
    if isinstance(value.node, ListNode):
        words = tuple(_read_argument(item) for item in value.items())
        if not words or words[0] == "":
            value.report("the command is empty", "write ['python', 'train.py']")
            return None
        return None if None in words else tuple(word for word in words if word is not None) or None
    if isinstance(value.node, MapNode):
        value.report("expected a command, found a mapping", "to have several steps, use stages")
        return None
    text = read_text(value, "a command such as 'python train.py'", longest=MAX_LINE)
    return None if text is None else _split_command(value, text)


def _read_argument(value: Value) -> str | None:
    """Return one argument as it is; it goes nowhere but into JSON, so only a NUL is impossible."""
    node = read_scalar(value, "an argument")
    if node is None:
        return None
    if len(node.text) > MAX_ARGUMENT:
        value.report(f"is {len(node.text):,} characters long", f"use at most {MAX_ARGUMENT:,}, or put it into a file")
        return None
    if "\0" in node.text:
        value.report("contains a NUL", "remove it")
        return None
    return node.text


def _split_command(value: Value, text: str) -> tuple[str, ...] | None:
    try:
        words = shlex.split(text)
    except ValueError as exc:
        problem = str(exc).lower().replace("no closing", "there is no closing")
        value.report(f"cannot be split into words: {problem}", "close the quote, or write the command as a list")
        return None
    special = next((word for word in words if word in _SHELL_WORDS or _SHELL_PARTS.search(word)), None)
    if special is not None:
        hint = 'a command runs without a shell; write ["sh", "-c", "…"] if you need one'
        value.report(f"{shorten(special)} has a meaning only to a shell", hint)
    elif not words[0]:
        value.report("the command is empty", "write 'python train.py'")
    elif re.match(r"[A-Za-z_][A-Za-z0-9_]*=", words[0]):
        value.report(f"starts with {shorten(words[0])}, which is not a program", "put variables under env")
    else:
        return tuple(words)
    return None


def read_stages(value: Value) -> Stages | None:
    """Return the stages; each is a command, or a mapping of a command and its outputs."""
    names = tuple(field.name for field in fields(Stages))
    if value.empty:
        value.report("has no stage", f"add one or more of {', '.join(names)}, or use command")
        return None
    stages = read_fields(value, dict.fromkeys(names, _read_stage))
    if isinstance(value.node, MapNode) and not value.node.items:
        value.report("has no stage", f"add one or more of {', '.join(names)}, or use command")
    return Stages(**stages) if stages else None  # type: ignore[arg-type]


def _read_stage(value: Value) -> Stage | None:
    if not isinstance(value.node, MapNode):
        command = read_command(value)
        return Stage(command=command) if command else None
    parts = read_fields(value, {"command": read_command, "outputs": partial(read_list, read_item=read_output)})
    if "command" not in value.node.items:
        value.report_missing("command", "add 'command: python train.py' below the stage")
    return Stage(**parts) if "command" in parts else None  # type: ignore[arg-type]


def read_run_step(value: Value) -> str | None:
    """Return one build step: a single shell line that stays one instruction in a Dockerfile."""
    text = read_text(value, "a shell line", longest=MAX_LINE)
    if text is None:
        return None
    text = text.strip()
    if text.endswith("\\"):
        value.report("ends with a backslash, which would swallow what follows", "write the step on one line")
    elif _HEREDOC.search(text):
        value.report(
            "contains a here-document (<<), which does not fit on one line", "put the text into a project file"
        )
    elif text.startswith("--"):
        value.report(f"starts with {shorten(text.split()[0])}, which is not a program", "write a shell command")
    elif not _closes_quotes(text):
        value.report("has a quote that is not closed", "close it on the same line")
    elif _is_json_list(text):
        value.report("looks like a JSON list, which a Dockerfile runs without a shell", "write a shell line")
    else:
        return text
    return None


def _closes_quotes(text: str) -> bool:
    try:
        shlex.split(text, comments=True)
    except ValueError:
        return False
    return True


def _is_json_list(text: str) -> bool:
    try:
        return text.startswith("[") and isinstance(json.loads(text), list)
    except (ValueError, RecursionError):
        return False
