"""Print a page of HTML to PDF with a browser of this machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from reprobox.errors import UsageError
from reprobox.process import run_program

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")
"""Those that print without a window from the command line; Firefox has no such option."""
NO_BROWSER = f"no PDF: none of the browsers that print one is installed ({', '.join(BROWSERS)})"
_TIMEOUT = 120
_SWITCHES = (
    "--headless",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-background-networking",
    "--no-first-run",
    "--no-pdf-header-footer",
)


def find_browser(environ: Mapping[str, str]) -> str | None:
    """Return the program that can print, by its path."""
    found = (shutil.which(name, path=environ.get("PATH")) for name in BROWSERS)
    return next((path for path in found if path), None)


def print_pdf(browser: str, html: str) -> bytes:
    """Return the PDF of a page; raise ``UsageError`` where the browser makes none."""
    with tempfile.TemporaryDirectory(prefix="reprobox-") as name:
        folder = Path(name)
        page, target = folder / "report.html", folder / "report.pdf"
        page.write_text(html, "utf-8")
        code, words = _start(browser, folder, page, target)
        if code or not target.is_file():
            raise UsageError(
                f"{browser} did not print the page: {words[-300:].strip() or f'exit code {code}'}",
                hint="leave the PDF out, or print the HTML yourself",
            )
        return drop_times(target.read_bytes())


def _start(browser: str, folder: Path, page: Path, target: Path) -> tuple[int, str]:
    # Without a user of its own the browser refuses its sandbox; the page has no script and reaches nothing.
    sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()
    argv = (
        browser,
        *_SWITCHES,
        *sandbox,
        f"--user-data-dir={folder / 'profile'}",
        f"--print-to-pdf={target}",
        page.as_uri(),
    )
    try:
        done = run_program(argv, timeout=_TIMEOUT, env={"HOME": str(folder), "TZ": "UTC"})
    except subprocess.TimeoutExpired:
        return -1, f"no answer in {_TIMEOUT} s"
    except OSError as exc:
        return -1, exc.strerror or str(exc)
    return done.code, done.stderr


def drop_times(pdf: bytes) -> bytes:
    """Return a PDF whose dates say nothing, at the same places: the same report gives the same bytes."""
    return re.sub(rb"/(CreationDate|ModDate) \(D:[^)]*\)", _blank_date, pdf)


def _blank_date(match: re.Match[bytes]) -> bytes:
    return re.sub(rb"\d", b"0", match[0]).replace(b"D:00000000", b"D:19800101")
