"""The languages of what people read: one file each, found by their folder; and sentences by their keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, reduce

from reprobox.errors import UsageError
from reprobox.templating import templates_folder

FOLDER = "report/lang"


@dataclass(frozen=True)
class Reason:
    """One sentence that each language has: its key in the language's file, and what is filled in."""

    key: str
    values: tuple[tuple[str, str], ...] = ()


def make_reason(key: str, **values: str | int) -> Reason:
    """Return a reason with its values as texts."""
    return Reason(key, tuple((name, str(value)) for name, value in values.items()))


Said = tuple[Reason, ...]
"""Sentences that belong together, in this order."""


@dataclass(frozen=True)
class Language:
    """Every text of a report in one language."""

    code: str
    """"ja"; as HTML's ``lang`` has it."""
    name: str
    texts: Mapping[str, str]
    """Dotted key -> text."""

    def __getitem__(self, key: str) -> str:
        return self.texts[key]

    def fill(self, reason: Reason, group: str = "reason") -> str:
        """Return a sentence with its values in their places."""
        return self.texts[f"{group}.{reason.key}"].format_map(dict(reason.values))

    def tell(self, said: Said, group: str) -> str:
        """Return sentences in one line."""
        first, *others = [self.fill(one, group) for one in said] or [""]
        return reduce(lambda one, other: self["word.and"].format(first=one, second=other), others, first)


@cache
def list_languages() -> tuple[str, ...]:
    """Return the codes of all languages that have a file."""
    return tuple(sorted(path.stem for path in (templates_folder() / FOLDER).glob("*.yaml")))


def choose_languages(wanted: str) -> tuple[Language, ...]:
    """Return the languages that a comma-separated list names."""
    codes = tuple(dict.fromkeys(code.strip() for code in wanted.split(",") if code.strip()))
    unknown = [code for code in codes if code not in list_languages()]
    if unknown or not codes:
        raise UsageError(
            f"--lang {wanted}: there is no language {unknown[0] if unknown else 'in it'!r}",
            hint=f"there are {', '.join(list_languages())}",
        )
    return tuple(load_language(code) for code in codes)


@cache
def load_language(code: str) -> Language:
    """Return the language with that code."""
    import yaml  # late, and the C parser

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    data = yaml.load((templates_folder() / FOLDER / f"{code}.yaml").read_text("utf-8"), Loader=loader)
    texts = {f"{group}.{key}": str(text) for group, entries in data["texts"].items() for key, text in entries.items()}
    return Language(code, data["name"], texts)
