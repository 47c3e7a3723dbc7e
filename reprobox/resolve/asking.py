"""Ask uv, leave out indexes that cannot be reached, and say clearly why it refuses."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from reprobox.errors import LockError
from reprobox.http import hide_secrets
from reprobox.uv import (
    PythonConfig,
    Question,
    Resolved,
    UvRefused,
    compile_requirements,
    list_indexes,
    strip_index_name,
)

_UNREACHABLE = re.compile(
    r"Failed to (?:fetch|read `--find-links` (?:URL|directory)):? ?:? ?`?([^\s`]+)`?", re.IGNORECASE
)
_DEFAULT = "the default package index"


class Asker:
    """Remembers between questions which indexes could not be reached."""

    def __init__(self, config: PythonConfig, on_warning: Callable[[str], None]) -> None:
        self._config = config
        self.warn = on_warning
        self._dropped: list[str] = []
        self.unreachable: set[str] = set()
        """What the last resolution went without; none of the URLs shows credentials."""

    def be_quiet(self) -> None:
        """Warn of nothing more: what is asked from now on only serves to explain a refusal."""
        self.warn = lambda message: None

    def ask(self, question: Question) -> tuple[Resolved, ...]:
        """Resolve, or raise LockError."""
        try:
            return self.try_to_ask(question)
        except UvRefused as exc:
            raise self.explain(exc, question) from exc

    def try_to_ask(self, question: Question) -> tuple[Resolved, ...]:
        """Resolve without the indexes that cannot be reached, which are then warned of; UvRefused when that fails."""
        while True:
            try:
                found = compile_requirements(question, self._config)
            except UvRefused as exc:
                if not self._drop_unreachable(str(exc), question):
                    raise
            else:
                self.unreachable.update(self._dropped)
                for name in self._dropped:
                    self.warn(f"{name} could not be reached; everything resolved without it")
                self._dropped.clear()
                return found

    def is_unreachable(self, refusal: UvRefused) -> bool:
        """Whether uv gave up because a server or folder did not answer."""
        return _UNREACHABLE.search(str(refusal)) is not None

    def explain(self, refusal: UvRefused, question: Question) -> LockError:
        """Turn uv's refusal into one clear error."""
        from reprobox.resolve.refusals import explain_refusal

        return explain_refusal(str(refusal), question, self._config, tuple(self._dropped))

    def explain_no_build(self, backend: str, refusal: UvRefused) -> LockError:
        """Say that a build of torch is nowhere."""
        from reprobox.resolve.refusals import explain_no_build

        return explain_no_build(backend, str(refusal), self._config)

    def _drop_unreachable(self, message: str, question: Question) -> bool:
        """Take the source that failed out of the configuration; false when there is none to take out."""
        match = _UNREACHABLE.search(message)
        if not match:
            return False
        failed = match[1].rstrip("/")
        config = self._config
        for url in (*config.links, *config.indexes):
            if failed.startswith(hide_secrets(strip_index_name(url)).rstrip("/")):
                self._config = replace(
                    config,
                    links=tuple(link for link in config.links if link != url),
                    indexes=tuple(index for index in config.indexes if index != url),
                )
                self._dropped.append(hide_secrets(strip_index_name(url)))
                return True
        if question.torch_backend or config.no_index or not (config.links or config.indexes):
            return False
        # An index of uv's own files cannot be taken out from here: uv reads them itself.
        default = next(iter(list_indexes(config)), "")
        return failed.startswith(default.rstrip("/")) and self._drop_default()

    def _drop_default(self) -> bool:
        """Go without the default index: the last of the others takes its place, or none at all."""
        config = self._config
        self._dropped.append(hide_secrets(config.default_index) if config.default_index else _DEFAULT)
        if config.indexes:
            self._config = replace(
                config, indexes=config.indexes[:-1], default_index=strip_index_name(config.indexes[-1])
            )
        else:
            self._config = replace(config, default_index="", no_index=True)
        return True
