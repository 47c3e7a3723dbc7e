"""Readers of what is installed: frameworks, packages, indexes, Debian packages, CUDA."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from reprobox.spec.backends import ALIASES, seed_limits
from reprobox.spec.model import BuiltFor
from reprobox.spec.paths import REQUIREMENT_NAMES, read_requirements
from reprobox.spec.values import MAX_TEXT, Value, read_fields, read_list, read_text, shorten, suggest
from reprobox.spec.yaml_nodes import MapNode
from reprobox.urls import is_usable_url

DEBIAN_NAME = r"[a-z0-9][a-z0-9+.\-]+"
PACKAGE_NAME = r"[A-Za-z0-9]([A-Za-z0-9._\-]*[A-Za-z0-9])?"
_ODD_IN_REQUIREMENT = r"===|[^A-Za-z0-9._\[\]()<>=!~*+, \-]"
BUILT = ("torch", "tensorflow", "jax")
"""Frameworks that bring a CUDA of their own."""
CUDA_VERSION = r"[1-9][0-9]?\.[0-9]{1,2}(\.[0-9]{1,3})?"
CUDA = rf"auto|{CUDA_VERSION}"
CUDNN = r"[1-9][0-9]?(\.[0-9]{1,3}){0,3}"


def read_framework(name: str, value: Value) -> str | None:
    """Return one framework's exact version."""
    known = seed_limits()
    if name not in known:
        alias = ALIASES.get(name.lower(), canonicalize_name(name))
        near = f"did you mean '{alias}'?" if alias in known else suggest(name, known)
        value.report_key("is not a framework that reprobox knows", near or "put it under packages")
        return None
    return read_version(value)


def read_version(value: Value) -> str | None:
    """Return an exact version, as written."""
    text = read_text(value, "an exact version such as 2.13.0", verbatim=True)
    if text is None:
        return None
    try:
        valid = text.isascii() and bool(Version(text))
    except InvalidVersion:
        valid = False
    if not valid:
        value.report(f"{shorten(text)} is not an exact version", _version_hint(text))
        return None
    return text.strip()


def _version_hint(text: str) -> str:
    exact = re.fullmatch(r"={2,3} *([0-9][0-9a-z.+]*)", text)
    if exact:
        return f"write the version alone: {exact.group(1)}"
    if text[:1] in "<>~!=^" or "*" in text or "," in text:
        return "a framework has one exact version, such as 2.13.0; ranges go under packages"
    return "write the version's number, such as 2.13.0"


def read_packages(value: Value, project: Path | None) -> dict[str, object] | None:
    """Return the packages of a list, or what a mapping's ``list``, ``requirements`` and ``from_source`` say."""
    if not isinstance(value.node, MapNode):
        return {"packages": read_list(value, read_requirement)}
    parts = read_fields(
        value,
        {
            "requirements": lambda entry: read_requirements(entry, project),
            "list": lambda entry: read_list(entry, read_requirement),
            "from_source": lambda entry: read_list(entry, read_source_name),
        },
        {"source": "did you mean 'from_source'?", "sdists": "did you mean 'from_source'?"},
    )
    return {
        "packages": parts.get("list", ()),
        "requirements": parts.get("requirements"),
        "from_source": parts.get("from_source", ()),
    }


def read_source_name(value: Value) -> str | None:
    """Return the normalised name of a package that is built from its source archive."""
    text = read_text(value, "a package's name")
    if text is None or re.fullmatch(PACKAGE_NAME, text):
        return canonicalize_name(text) if text else None
    value.report(f"{shorten(text)} is not a package's name", "write the name alone; its version stands elsewhere")
    return None


def check_sources(frameworks: Value | None, packages: Value | None) -> None:
    """Report packages to be built from source that the spec does not list with one exact version."""
    entries = packages.entries() if packages else {}
    exact = {canonicalize_name(name) for name in frameworks.entries()} if frameworks else set()
    for item in entries["list"].items() if "list" in entries else []:
        try:
            requirement = Requirement(getattr(item.node, "text", "")[:MAX_TEXT])
        except InvalidRequirement:
            continue
        if is_exact(requirement):
            exact.add(canonicalize_name(requirement.name))
    seen = set()
    for item in entries["from_source"].items() if "from_source" in entries else []:
        text = getattr(item.node, "text", "")
        name = canonicalize_name(text)
        if not re.fullmatch(PACKAGE_NAME, text):
            continue  # which was reported
        if name in seen:
            item.report(f"{text} is listed twice", "remove one of the two")
        elif name not in exact:
            item.report(f"{text} has no exact version", f"write '{text}==…' under list, or give it under frameworks")
        seen.add(name)


def is_exact(requirement: Requirement) -> bool:
    """Whether only one version fits."""
    clauses = list(requirement.specifier)
    return len(clauses) == 1 and clauses[0].operator == "==" and not clauses[0].version.endswith(".*")


def read_requirement(value: Value) -> str | None:
    """Return a requirement: a name, extras and versions; no URL, path, option or marker."""
    text = read_text(value, "a package such as numpy or numpy==2.3.5")
    if text is None:
        return None
    if text.endswith(REQUIREMENT_NAMES) or text.startswith("-r"):
        name = text.removeprefix("-r").strip()
        value.report(f"{shorten(text)} is a file, not a package", f"write 'packages: {{requirements: {name}}}'")
        return None
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        value.report(f"{shorten(text)} is not a package", _requirement_hint(text))
        return None
    if requirement.url:
        value.report(f"{shorten(text)} is a URL", "put a wheel's folder under indexes, and its name and version here")
    elif requirement.marker:
        value.report(
            f"{shorten(text)} has a marker", "an image has one Python and one platform: remove the part from ';'"
        )
    elif odd := re.search(_ODD_IN_REQUIREMENT, text):
        value.report(f"{shorten(text)} contains {shorten(odd.group())}", "write name, name==1.2.3 or name>=1.2,<2")
    else:
        return text.strip()
    return None


def _requirement_hint(text: str) -> str:
    if text.startswith("-e") or text.startswith((".", "/")):
        return "the project's own files are in the image already; list only packages from an index"
    if text.startswith("-"):
        return "options of pip have no place here; indexes go under indexes"
    if "://" in text or text.startswith("git+"):
        return "packages come from an index: write name==version"
    if single := re.fullmatch(r"([A-Za-z0-9._-]+) *=? +v?([0-9][0-9.]*)|([A-Za-z0-9._-]+)=([0-9][0-9.]*)", text):
        name, version, other_name, other_version = single.groups()
        return f"did you mean '{name or other_name}=={version or other_version}'?"
    if " " in text.strip():
        return "write one package an item"
    return "write name, name==1.2.3 or name>=1.2,<2"


def check_duplicates(frameworks: Value | None, packages: Value | None) -> None:
    """Report packages that are listed twice, under frameworks included."""
    seen = {canonicalize_name(name): "under frameworks" for name in frameworks.entries()} if frameworks else {}
    lists = packages.entries().get("list", packages) if packages else None
    for item in lists.items() if lists else []:
        try:
            requirement = Requirement(getattr(item.node, "text", "")[:MAX_TEXT])
        except InvalidRequirement:
            continue
        name = canonicalize_name(requirement.name)
        # "jax[cuda12]" adds an extra to a framework whose version is given elsewhere.
        only_extras = requirement.extras and not requirement.specifier
        if name in seen and not only_extras:
            item.report(f"{requirement.name} is listed twice; the first is {seen[name]}", "remove one of the two")
        seen.setdefault(name, f"on line {item.node.position.line}")


def read_index(value: Value) -> str | None:
    """Return the URL of a package index or find-links folder; one with a secret in it is refused."""
    text = read_text(value, "the URL of a package index")
    if text is None:
        return None
    url = urlsplit(text if is_usable_url(text) else "")
    bad = not (url.hostname or url.scheme == "file") or re.search(r"[\s\"'`\\$<>{}|^]", text)
    if url.scheme not in ("https", "http", "file") or bad:
        value.report(f"{shorten(text)} is not the URL of an index", "write https://…, http://… or file:///…")
    elif url.username is not None or url.password is not None or "@" in url.netloc:
        value.report(
            "the URL has a user name or password in it, which the lock would show to everybody",
            "write the URL without it, and put it into the machine's netrc file or pip's or uv's configuration",
        )
    elif url.query or url.fragment:
        value.report(f"{shorten(text)} has a '?' or '#' part, which the lock would show to everybody", "remove it")
    else:
        return text
    return None


def read_system_package(value: Value) -> str | None:
    """Return the name of a Debian package."""
    text = read_text(value, "the name of a Debian package")
    if text is None or re.fullmatch(DEBIAN_NAME, text):
        return text
    if re.search("[=:/]", text):
        name = re.split("[=:/]", text)[0]
        hint = f"write the name only, {name}; the lock pins its version" if name else ""
    elif re.fullmatch(DEBIAN_NAME, text.lower()):
        hint = f"did you mean '{text.lower()}'?"
    else:
        hint = "write one package an item; names have a-z, 0-9, '+', '-' and '.'"
    value.report(f"{shorten(text)} is not the name of a Debian package", hint)
    return None


def read_cuda(value: Value) -> str | None:
    """Return a CUDA version, "12.4" or "12.4.1", or "auto"."""
    text = read_text(value, "a CUDA version such as 12.4, or auto", verbatim=True)
    if text is None or re.fullmatch(CUDA, text):
        return text
    short = re.fullmatch(r"cu-?([0-9]{1,2})([0-9])", text)
    hint = f"did you mean {short.group(1)}.{short.group(2)}?" if short else "write 12.4 or 12.4.1, or auto"
    value.report(f"{shorten(text)} is not a CUDA version", hint)
    return None


def read_built_for(name: str, value: Value) -> BuiltFor | None:
    """Return what one framework was built for."""
    if name not in BUILT:
        value.report_key(
            "is no framework whose CUDA is looked up", suggest(name, BUILT) or f"these are: {', '.join(BUILT)}"
        )
        return None
    parts = read_fields(value, {"cuda": _read_cuda_version, "cudnn": read_cudnn})
    cuda, cudnn = parts.get("cuda"), parts.get("cudnn")
    if isinstance(cuda, str):
        return BuiltFor(cuda=cuda, cudnn=cudnn if isinstance(cudnn, str) else None)
    if isinstance(value.node, MapNode) and "cuda" not in value.entries():
        value.report_missing("cuda", "add 'cuda: …', the version that it was built for")
    return None


def _read_cuda_version(value: Value) -> str | None:
    text = read_cuda(value)
    if text == "auto":
        value.report("'auto' is what is looked up here", "write the version that it was built for")
        return None
    return text


def read_cudnn(value: Value) -> str | None:
    """Return a cuDNN version, "9", "9.1" or "8.9.7"."""
    text = read_text(value, "a cuDNN version such as 9.1", verbatim=True)
    if text is None or re.fullmatch(CUDNN, text):
        return text
    value.report(f"{shorten(text)} is not a cuDNN version", "write 9, 9.1 or 8.9.7")
    return None
