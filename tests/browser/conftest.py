"""A real browser: the machine's own Chromium, or Debian's, installed once."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from reprobox.report.pdf import find_browser

_PACKAGES = ("chromium", "fonts-noto-cjk")


def _install():
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    # Another test may be installing something.
    argv = ["apt-get", "-o", "DPkg::Lock::Timeout=300", "install", "-y", "-qq", "--no-install-recommends", *_PACKAGES]
    if subprocess.run(argv, env=environ, capture_output=True, timeout=600, check=False).returncode:
        subprocess.run(["apt-get", "update", "-qq"], check=True, timeout=300)
        subprocess.run(argv, env=environ, check=True, capture_output=True, timeout=600)


@pytest.fixture(scope="session")
def chromium():
    """Return the path of a browser that shows Japanese; skip where none can be had."""
    fonts = shutil.which("fc-list") and subprocess.run(["fc-list", ":lang=ja"], capture_output=True, timeout=60).stdout
    if not (find_browser(os.environ) and fonts):
        if os.geteuid() != 0 or not Path("/etc/debian_version").exists() or not shutil.which("apt-get"):
            pytest.skip("no Chromium with a Japanese font here, and none can be installed")
        _install()
    browser = find_browser(os.environ)
    assert browser
    return browser


@pytest.fixture(scope="session")
def open_page(chromium):
    """Return a function: (path of a page, width) -> the page as the browser has it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox"] if os.geteuid() == 0 else []
        )

        def open_at(path, width):
            page = browser.new_page(viewport={"width": width, "height": 900})
            page.requests = []
            page.on("request", lambda request: page.requests.append(request.url))
            page.goto(path.as_uri())
            return page

        yield open_at
        browser.close()
