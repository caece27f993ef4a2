"""A headless Chromium for the tests of pages: what they compute, as they write it themselves."""

import html
import json
import re
import shutil
import subprocess

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

TOGETHER = """<!DOCTYPE html><title>all</title>{frames}<pre id="selftest"></pre><script>
onload = () => {{
  const found = [...document.querySelectorAll('iframe')].map((frame) =>
    JSON.parse(frame.contentDocument.getElementById('selftest').textContent));
  document.getElementById('selftest').textContent = JSON.stringify(found);
}};
</script>"""


def needs_browser(test):
    """A test that is marked ``browser``, and skipped where none is."""
    reason = "no Chromium is there: apt-get install chromium"
    return pytest.mark.browser(pytest.mark.skipif(CHROMIUM is None, reason=reason)(test))


def computed(folder, *pages):
    """What each of some pages (bytes) wrote into itself with #selftest; nothing may be on the
    console, and no error within. One browser shows them all, as its start takes longest."""
    frames = []
    for number, content in enumerate(pages):
        (folder / f"page{number}.html").write_bytes(content)
        frames.append(f'<iframe src="page{number}.html#selftest" width=1280 height=900></iframe>')
    outer = folder / "all.html"
    outer.write_text(TOGETHER.format(frames="".join(frames)), encoding="utf-8")
    command = [
        *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
        *(f"--user-data-dir={folder / 'browser'}", "--allow-file-access-from-files"),
        *("--enable-logging=stderr", "--dump-dom", outer.as_uri()),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    assert "CONSOLE" not in done.stderr, done.stderr
    text = re.search(r'<pre id="selftest"[^>]*>(.*?)</pre>', done.stdout, re.DOTALL).group(1)
    found = json.loads(html.unescape(text))
    assert len(found) == len(pages)
    for each in found:
        assert each.pop("complaints") == []
    return found
