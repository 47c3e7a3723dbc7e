"""The rules of ignore files: git's for all of them but .dockerignore, which has Docker's."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from pathspec import GitIgnoreSpec

_DOCKER_TOKEN = re.compile(r"\*\*/?|\*|\?|\[\^?(?:\\.|[^\\\]])+\]|\\.|.", re.DOTALL)
_IN_SET = re.compile(r"\\?.", re.DOTALL)
_SPECIAL = re.compile(r"[*?\[\\]")


@dataclass(frozen=True)
class GitRules:
    """The patterns of one ignore file, relative to the folder that holds it."""

    folder: PurePosixPath
    spec: GitIgnoreSpec

    def decide(self, path: PurePosixPath, is_folder: bool) -> bool | None:
        """Whether ``path`` is ignored, or ``None`` when no pattern speaks of it."""
        relative = str(path.relative_to(self.folder)) + ("/" if is_folder else "")
        return self.spec.check_file(relative).include


@dataclass(frozen=True)
class _DockerRule:
    pattern: str
    regex: re.Pattern[str]
    """Matches what the pattern names and everything below it."""
    brings_back: bool


@dataclass(frozen=True)
class DockerRules:
    """The patterns of the .dockerignore at the top of a project.

    They count from the top, ``*`` stays inside a folder's name, what is said of a folder is said of everything in it,
    and the last that speaks wins: https://docs.docker.com/build/concepts/context/#dockerignore-files and
    https://github.com/moby/patternmatcher.
    """

    rules: tuple[_DockerRule, ...]

    def decide(self, path: PurePosixPath, is_folder: bool) -> bool | None:
        """Whether ``path`` is ignored, or ``None`` when no pattern speaks of it; folders are nothing special."""
        name = str(path)
        return next((not rule.brings_back for rule in reversed(self.rules) if rule.regex.fullmatch(name)), None)

    def may_bring_back_below(self, folder: PurePosixPath) -> bool:
        """Whether a ``!`` may speak of something in ``folder``; says yes where it would be long to find out."""
        return any(rule.brings_back and _may_match_below(rule.pattern, str(folder)) for rule in self.rules)


def parse_git_rules(lines: Iterable[str], folder: PurePosixPath) -> GitRules:
    """Read the lines of an ignore file; as for git, one that is no pattern matches nothing."""
    return GitRules(folder, GitIgnoreSpec.from_lines(line for line in lines if is_git_pattern(line)))


def is_git_pattern(line: str) -> bool:
    """Whether ``line`` can stand in an ignore file."""
    try:
        GitIgnoreSpec.from_lines([line])
    except (ValueError, re.error):
        return False
    return True


def parse_docker_rules(lines: Iterable[str]) -> DockerRules:
    """Read the lines of a .dockerignore; one that is no pattern, with which Docker would not build, matches nothing."""
    return DockerRules(tuple(_parse_docker_lines(lines)))


def _parse_docker_lines(lines: Iterable[str]) -> Iterator[_DockerRule]:
    for line in lines:
        text = line.strip()
        if line.startswith("#") or not text:
            continue
        brings_back = text.startswith("!")
        pattern = posixpath.normpath(text[brings_back:].strip()).lstrip("/")
        regex = _compile_docker(pattern)
        if regex is not None:
            yield _DockerRule(pattern, regex, brings_back)


def _compile_docker(pattern: str) -> re.Pattern[str] | None:
    if pattern in ("", "."):
        return None
    tokens = _DOCKER_TOKEN.findall(pattern)
    if tokens[-1] == "\\" or "[" in tokens:  # an escape of nothing, or a set that does not end
        return None
    parts = [_translate(token) for token in tokens]
    if tokens[-1].startswith("**"):
        parts[-1] = ".*"
    elif tokens[0] == "**" and not _SPECIAL.search(pattern[2:]):
        parts[0] = ".*"  # Docker takes "**.csv" for a mere ending
    try:
        return re.compile(f"(?:{''.join(parts)})(?:/.*)?", re.DOTALL)
    except re.error:
        return None


def _translate(token: str) -> str:
    match token:
        case "**" | "**/":
            return "(?:.*/)?"
        case "*":
            return "[^/]*"
        case "?":
            return "[^/]"
    if token.startswith("[") and len(token) > 1:
        negated = "^" if token.startswith("[^") else ""
        return f"[{negated}{_IN_SET.sub(_escape_in_set, token[1 + len(negated) : -1])}]"
    return re.escape(token.removeprefix("\\") if len(token) > 1 else token)


def _escape_in_set(found: re.Match[str]) -> str:
    return "-" if found[0] == "-" else re.escape(found[0][-1])


def _may_match_below(pattern: str, folder: str) -> bool:
    literal = _SPECIAL.split(pattern, maxsplit=1)[0]
    if not (literal.startswith(f"{folder}/") or (literal != pattern and f"{folder}/".startswith(literal))):
        return False
    # Without these two a pattern has as many slashes as what it matches.
    return "**" in pattern or "[" in pattern or pattern.count("/") > folder.count("/")
