"""The languages of what people read: one file each, found by their folder; and sentences by their keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, reduce
from string import Formatter

from reprobox.errors import UsageError
from reprobox.templating import templates_folder

FOLDER = "report/lang"
_FEWEST_LETTERS = 5
"""Of a sentence that can be known again: "{image}, {kernel}" would be anybody's."""


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


def recognize(text: str, group: str = "reason") -> Reason | None:
    """Return the sentence that an English text is, as ``fill`` writes it; ``None`` for any other text.

    Where several are possible, it is the one with the least left to its values. Takes time in proportion to the text.
    """
    english = load_language("en")
    for key, words, names in _list_sentences(group):
        reason = make_reason(key, **_take_apart(text, words, names))
        if english.fill(reason, group) == text:
            return reason
    return None


@cache
def _list_sentences(group: str) -> tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...]:
    """Return the sentences of a group, most words first: key, what stands around the values, the values' names."""
    found = []
    for key, text in load_language("en").texts.items():
        name, _, rest = key.partition(".")
        pieces = [(words, value) for words, value, _, _ in Formatter().parse(f"{text}{{}}")]
        words, names = tuple(words for words, _ in pieces), tuple(value for _, value in pieces[:-1] if value)
        if name == group and sum(map(str.isalpha, "".join(words))) >= _FEWEST_LETTERS:
            found.append((rest, words, names))
    return tuple(sorted(found, key=lambda one: -sum(map(len, one[1]))))


def _take_apart(text: str, words: tuple[str, ...], names: tuple[str, ...]) -> dict[str, str]:
    """Return what stands between words, each as short as it can be; anything where these are not the text's words."""
    values: dict[str, str] = {}
    place = len(words[0])
    for number, name in enumerate(names, 1):
        last = number == len(names)
        found = len(text) - len(words[number]) if last else text.find(words[number], place)
        values[name] = text[place:found]
        place = found + len(words[number])
    return values
