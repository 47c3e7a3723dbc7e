"""Find what looks like a secret in what is about to be handed over."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from pathspec import GitIgnoreSpec

_FILES = GitIgnoreSpec.from_lines(
    (
        ".env",
        ".env.*",
        "!.env.example",
        "!.env.sample",
        "!.env.template",
        ".netrc",
        ".pypirc",
        ".npmrc",
        ".git-credentials",
        ".htpasswd",
        "pip.conf",
        ".git/",
        ".ssh/",
        ".aws/",
        ".gnupg/",
        ".kaggle/",
        "kaggle.json",
        ".docker/config.json",
        "id_rsa",
        "id_dsa",
        "id_ecdsa",
        "id_ed25519",
        "*.pem",
        "*.p12",
        "*.pfx",
        "*.jks",
        "*.keystore",
        "service_account*.json",
        "service-account*.json",
    )
)
"""Names under which programs keep keys and passwords, as `git` ignores them."""
_NAMES = re.compile(
    r"(^|_)(TOKEN|SECRET|PASSWORD|PASSWD|PASSPHRASE|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|CREDENTIALS?)(_|$)"
)
_PATTERNS = (
    ("a private key", re.compile(rb"-----BEGIN [A-Z ]*PRIVATE KEY-----")),
    # https://docs.github.com/en/authentication/keeping-your-account-and-data-secure/about-authentication-to-github
    ("a GitHub token", re.compile(rb"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{60,})")),
    # https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
    ("an AWS access key", re.compile(rb"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b")),
    ("a Hugging Face token", re.compile(rb"\bhf_[A-Za-z0-9]{30,}\b")),
    ("a Google API key", re.compile(rb"\bAIza[0-9A-Za-z_-]{35}\b")),
    ("a Slack token", re.compile(rb"\bxox[abprs]-[0-9A-Za-z-]{20,}")),
    (
        "a URL with a password",
        re.compile(rb"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@?#\"'<>{}$]{0,200}:[^\s/@?#\"'<>{}$]{0,200}@", re.IGNORECASE),
    ),
    # The token of a package server may stand where the user does: https://pip.pypa.io/en/stable/topics/authentication/
    ("a URL with a token", re.compile(rb"\bhttps?://[^\s/:@?#,;|\"'<>{}$]{8,300}@", re.IGNORECASE)),
)
_USER = re.compile(rb"https?://[^\s/:@?#,;|\"'<>{}$]{1,300}@", re.IGNORECASE)
_SERVER = re.compile(rb"(?:\b|_)index(?:es|[_-]url)?\b|find[_-]links\b", re.IGNORECASE)
"""What a URL with a user, however short, is a package server's for: its line says so, as "--index-url" does."""
_BEFORE = 200
"""Bytes before a URL in which that is looked for."""
_TEXT_START = 8000
LOOKED_AT = 4 * 2**20
"""Bytes of each file that are searched."""
LOOKED_AT_INPUT = 2**18
"""The same, of an input's files, of which there may be a hundred thousand."""


@dataclass(frozen=True, order=True)
class Secret:
    """Something that should not be handed over, as far as can be told."""

    where: str
    """The file and line, or the key of the spec."""
    what: str
    file: str = ""
    """The file that it is in; empty for a key of the spec."""


def find_named(paths: Iterable[str]) -> Iterator[Secret]:
    """Yield the files whose names say that they hold secrets."""
    for path in paths:
        if _FILES.match_file(path):
            yield Secret(path, f"{PurePosixPath(path).name} is where keys and passwords are kept", path)


def find_written(path: str, data: bytes) -> Iterator[Secret]:
    """Yield what a file's beginning holds, one of each kind."""
    for what, start in _search(data):
        yield Secret(f"{path}:{data.count(bytes([10]), 0, start) + 1}", what, path)


def _search(data: bytes) -> Iterator[tuple[str, int]]:
    """Yield what is found, one of each kind, and where it begins."""
    for what, pattern in _PATTERNS:
        if found := pattern.search(data):
            yield what, found.start()
    for found in _USER.finditer(data):
        before = data[max(0, found.start() - _BEFORE) : found.start()].rpartition(b"\n")[2]
        if _SERVER.search(before):
            yield "a package server with a user", found.start()
            return


def is_text(data: bytes) -> bool:
    """Whether a file that begins like that is a text, by git's rule: no zero byte near its beginning."""
    return b"\0" not in data[:_TEXT_START]


def find_variables(env: Iterable[tuple[str, str]]) -> Iterator[Secret]:
    """Yield the variables that by their name, or by what they hold, are secrets; their values are not shown."""
    for name, value in env:
        if value and _NAMES.search(name.upper()):
            yield Secret(f"env.{name}", "its name says that it is a secret")
            continue
        for what, _ in _search(value.encode("utf-8", "surrogateescape")):
            yield Secret(f"env.{name}", f"it holds {what}")
