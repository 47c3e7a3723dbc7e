"""What a judgement says: sentences by their keys, which every language of the reports has under ``judged``."""

from __future__ import annotations

from functools import reduce

from reprobox.report.lang import Language, load_language
from reprobox.report.values import Reason

Said = tuple[Reason, ...]
"""Sentences that belong together, in this order."""


def tell(language: Language, said: Said) -> str:
    """Return what was said, in one line."""
    first, *others = [language.fill(one, "judged") for one in said] or [""]
    return reduce(lambda one, other: language["judged.and"].format(first=one, second=other), others, first)


def tell_english(said: Said) -> str:
    """Return what was said as the terminal and ``judgement.json`` have it."""
    return tell(load_language("en"), said)
