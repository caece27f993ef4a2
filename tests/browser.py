"""A headless Chromium for the tests of pages: what a page computes, as it writes it itself."""

import html
import json
import re
import shutil
import subprocess

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

needs_browser = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium is there: apt-get install chromium"
)


def computed(page, folder):
    """What a page of a network wrote into itself with #selftest; nothing may be on the console."""
    command = [
        *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
        *(f"--user-data-dir={folder}", "--enable-logging=stderr", "--dump-dom"),
        f"{page.as_uri()}#selftest",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert "CONSOLE" not in done.stderr, done.stderr
    found = re.search(r'<pre id="selftest"[^>]*>(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stdout[-2000:]
    return json.loads(html.unescape(found.group(1)))
