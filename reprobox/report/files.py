"""Report -> the files of its folder, by format."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from reprobox.errors import UsageError
from reprobox.files import FULL_DISK, make_folder_atomic, write_atomic
from reprobox.languages import Language, load_language
from reprobox.report.json_text import format_report
from reprobox.report.kaggle import list_kaggle_files
from reprobox.report.layout import lay_out
from reprobox.report.model import Report
from reprobox.report.render import format_html, format_markdown
from reprobox.report.sbom import format_sbom
from reprobox.source import OWN_IGNORE_FILE

FORMATS = ("json", "md", "html", "pdf", "kaggle", "sbom")
SUMS = "SHA256SUMS"
"""What the folder holds; a folder that has it, and nothing else than it says, is an earlier report of ours."""

PrintPdf = Callable[[str], bytes]


def choose_formats(wanted: str) -> tuple[str, ...]:
    """Return the formats that a comma-separated list names, in their own order; nothing is all of them."""
    names = [name.strip() for name in wanted.split(",") if name.strip()] or list(FORMATS)
    for name in names:
        if name not in FORMATS:
            raise UsageError(f"--format {wanted}: there is no format {name!r}", hint=f"there are {', '.join(FORMATS)}")
    return tuple(name for name in FORMATS if name in names)


def list_files(
    report: Report, languages: Iterable[Language], formats: Iterable[str], print_pdf: PrintPdf | None
) -> Iterator[tuple[str, bytes]]:
    """Yield each file's name and content; no PDF where nothing can print one."""
    formats = tuple(formats)
    if "json" in formats:
        yield "report.json", _encode(format_report(report, load_language("en")))
    for language in languages:
        document = lay_out(report, language)
        if "md" in formats:
            yield f"report.{language.code}.md", _encode(format_markdown(document, language))
        html = format_html(document, language)
        if "html" in formats:
            yield f"report.{language.code}.html", _encode(html)
        if "pdf" in formats and print_pdf:
            yield f"report.{language.code}.pdf", print_pdf(html)
    if "kaggle" in formats:
        yield from ((name, _encode(text)) for name, text in list_kaggle_files(report))
    if "sbom" in formats:
        yield "sbom.cdx.json", _encode(format_sbom(report))


def _encode(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


def check_folder(folder: Path) -> None:
    """Raise ``UsageError`` unless the folder is absent, empty, or an earlier report that nobody changed."""
    if not folder.exists() and not folder.is_symlink():
        return
    if folder.is_symlink() or not folder.is_dir():
        raise UsageError(f"{folder} is there and no folder", hint="name another: -o FOLDER")
    present = {path.name: path for path in folder.iterdir()}
    if present and (reason := _find_stranger(present)):
        raise UsageError(f"{folder} is no earlier report: {reason}", hint="name a new or empty folder: -o FOLDER")


def _find_stranger(present: dict[str, Path]) -> str:
    """Return what tells that a folder is not as a report left it; empty where nothing does."""
    # Others have a list of sums too; ours stands beside what keeps the folder out of images.
    for name in (SUMS, OWN_IGNORE_FILE):
        if name not in present:
            return f"it has no {name}"
    if not all(path.is_file() and not path.is_symlink() for path in present.values()):
        return "something in it is no plain file"
    lines = present[SUMS].read_text("utf-8", errors="replace").splitlines()
    said = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    for name in sorted(present.keys() - {SUMS, OWN_IGNORE_FILE}):
        if name not in said:
            return f"{name} was not written by one"
        if hashlib.sha256(present[name].read_bytes()).hexdigest() != said[name]:
            return f"{name} was changed since"
    return ""


def write_folder(folder: Path, files: dict[str, bytes]) -> None:
    """Write the folder as a whole; an earlier report in its place goes when the new one is there.

    Raises ``UsageError`` where it cannot be written.
    """
    try:
        _write_whole(folder, files)
    except OSError as exc:
        if exc.errno in FULL_DISK:
            raise
        reason = f"{exc.filename or folder}: {exc.strerror or exc}"
        raise UsageError(f"{folder} cannot be written: {reason}", hint="name another folder: -o FOLDER") from exc


def _write_whole(folder: Path, files: dict[str, bytes]) -> None:
    with make_folder_atomic(folder.absolute()) as temporary:
        for name, data in files.items():
            write_atomic(temporary / name, data)
        sums = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(files.items()))
        write_atomic(temporary / SUMS, sums)
        # Inside a project it is no part of the source.
        write_atomic(temporary / OWN_IGNORE_FILE, "*\n")
        temporary.chmod(0o755)
        # A folder cannot be renamed onto one that holds something.
        if folder.exists():
            _remove_report(folder)


def _remove_report(folder: Path) -> None:
    check_folder(folder)
    for path in folder.iterdir():
        path.unlink()
