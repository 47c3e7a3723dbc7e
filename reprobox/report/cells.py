"""Take values out of a report's JSON and say them for people."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from reprobox.languages import Language
from reprobox.report.document import Cell, Facts, Listing, Paragraphs, Source, Table
from reprobox.report.json_text import Json
from reprobox.sizes import format_size

Show = Callable[[Any, Language], str]
Column = tuple[str, Show]
CODE_FIELDS = frozenset(
    {
        "command",
        "alone",
        "single",
        "build",
        "path",
        "sha256",
        "digest",
        "run_sha256",
        "dockerfile_sha256",
        "file",
        "spec_digest",
        "lock_digest",
    }
    | {"image_digest", "base_digest", "source_folder", "input_folder", "output_folder", "commit"}
)
_ABSENT = ("against", "bound", "framework")


def show_text(value: Any, _: Language) -> str:  # noqa: ANN401 — JSON
    """Return a text or an integer as it is."""
    return str(value)


def show_number(value: Any, _: Language) -> str:  # noqa: ANN401
    """Return a number with as many digits as tell values apart."""
    return f"{value:.6g}"


def show_size(value: Any, _: Language) -> str:  # noqa: ANN401
    """Return bytes for people."""
    return format_size(value)


def show_seconds(value: Any, language: Language) -> str:  # noqa: ANN401
    """Return seconds for people."""
    return language["word.seconds"].format(seconds=f"{value:.1f}")


def show_rate(value: Any, _: Language) -> str:  # noqa: ANN401
    """Return a rate as a percentage of two figures."""
    return f"{100 * value:.2g} %"


def show_flag(value: Any, language: Language) -> str:  # noqa: ANN401
    """Return yes or no."""
    return language["answer.yes" if value else "answer.no"]


def show_role(value: Any, language: Language) -> str:  # noqa: ANN401
    """Return what an output is for."""
    return language[f"role.{value}"]


def show_origin(value: Any, language: Language) -> str:  # noqa: ANN401
    """Return whether it was measured or declared."""
    return language[f"origin.{value}"]


def show_promise(value: Any, language: Language) -> str:  # noqa: ANN401
    """Return which computations a promise is about."""
    return language.texts.get(f"promise_of.{value}", str(value))


def show_holds(value: Any, language: Language) -> str:  # noqa: ANN401
    """Return what is promised of them."""
    return language.texts.get(f"holds.{value}", str(value))


def show_list(value: Any, _: Language) -> str:  # noqa: ANN401
    """Return a list on one line."""
    return ", ".join(str(one) for one in value)


def show_command(value: Any, _: Language) -> str:  # noqa: ANN401
    """Return a command's words as a shell takes them."""
    import shlex

    return shlex.join(value)


@dataclass(frozen=True)
class Reader:
    """Makes blocks of a report's JSON, in one language."""

    data: Json
    language: Language

    def find(self, path: str) -> Any:  # noqa: ANN401
        """Return the value at a path."""
        value: Any = self.data
        for key in path.split("."):
            value = value[int(key)] if isinstance(value, list) else value[key]
        return value

    def cell(self, path: str, show: Show, unknown: str = "unrecorded") -> Cell:
        """Return the value at a path; ``null`` and nothing are said in words."""
        value, name = self.find(path), path.rpartition(".")[2]
        if value is None or value in ("", []):
            # In a table a dash is enough.
            word = unknown if unknown == "nothing" or (value is None and name not in self.absent) else "none"
            return Cell(self.language[f"word.{word}"], path, json.dumps(value), known=False)
        return Cell(show(value, self.language), path, json.dumps(value, ensure_ascii=False), name in CODE_FIELDS)

    def facts(self, title: str, path: str, fields: Iterable[Column]) -> Facts:
        """Return some of a group's fields."""
        unknown = "undeclared" if self.find(path)["origin"] == "declared" else "unrecorded"
        rows = tuple((self.label(name, title), self.cell(f"{path}.{name}", show, unknown)) for name, show in fields)
        return Facts(self.language[f"title.{title}"], self.source(path), rows)

    def table(self, title: str, path: str, columns: Iterable[Column], owner: str) -> Table:
        """Return a list of objects as rows."""
        columns = tuple(columns)
        unknown = {"role": "undeclared", "split": "undeclared", "rows": "unrecorded", "peak_memory": "unrecorded"}
        rows = tuple(
            tuple(self.cell(f"{path}.{index}.{name}", show, unknown.get(name, "nothing")) for name, show in columns)
            for index in range(len(self.find(path)))
        )
        labels = tuple(self.label(name, title) for name, _ in columns)
        return Table(self.language[f"title.{title}"], self.source(owner), labels, rows)

    def mapping(self, title: str, path: str, owner: str, show: Show = show_text) -> Facts:
        """Return an object of free keys."""
        values = self.find(path)
        rows = tuple(
            (name, Cell(show(value, self.language), f"{path}.{name}", json.dumps(value, ensure_ascii=False)))
            for name, value in values.items()
        )
        return Facts(self.language[f"title.{title}"], self.source(owner), rows)

    def statement(self, title: str, path: str) -> Paragraphs:
        """Return what a person says; that nobody says it, where it is so."""
        said = self.find(path)
        name = self.language[f"title.{title}"]
        if said is None:
            return Paragraphs(name, Source("", ""), (self.language["word.undeclared"],), known=False)
        return Paragraphs(name, self.source(path), tuple(said["text"].split("\n")))

    def listing(self, title: str, owner: str, lines: Iterable[str]) -> Listing:
        """Return lines as they stand."""
        return Listing(self.language[f"title.{title}"], self.source(owner), tuple(lines))

    def source(self, path: str) -> Source:
        """Return where a group's facts come from."""
        group = self.find(path)
        return self.make_source(group["origin"], group["trace"])

    def make_source(self, origin: str | None, trace: Iterable[Json]) -> Source:
        """Return the words for an origin and its traces."""
        keys: dict[str, list[str]] = {}
        for one in trace:
            keys.setdefault(str(one["file"]), []).append(str(one["key"]))
        traces = tuple(f"{file}: {', '.join(found)}" if any(found) else file for file, found in keys.items())
        return Source(origin or "", self.language[f"origin.{origin}"] if origin else "", traces)

    def label(self, name: str, title: str = "") -> str:
        """Return a field's name for people; under some titles it has another."""
        special = f"field.{title}_{name}"
        return self.language.texts.get(special) or self.language[f"field.{name}"]

    @property
    def absent(self) -> frozenset[str]:
        """The fields of which ``null`` says that there is none, rather than that nobody knows."""
        found = set(_ABSENT)
        if self.find("u_environment.software.debian") is not None:
            found |= {"cuda", "cudnn", "base_digest"}
        if not self.find("u_environment.hardware.accelerators_per_node"):
            found |= {"driver", "accelerator_model_name", "accelerator_memory_capacity", "gpu_memory"}
        return frozenset(found)
