"""What a judgement says: sentences by their keys, which every language has under ``judged``."""

from __future__ import annotations

from reprobox.languages import Language, Said, load_language

GROUP = "judged"


def tell(language: Language, said: Said) -> str:
    """Return what was said, in one line."""
    return language.tell(said, GROUP)


def tell_english(said: Said) -> str:
    """Return what was said as the terminal and ``judgement.json`` have it."""
    return tell(load_language("en"), said)
