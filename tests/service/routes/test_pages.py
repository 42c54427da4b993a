from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest

from upconv.service.routes import pages

FILES = sorted(path for path in pages.FOLDER.iterdir() if path.is_file())


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_page_and_all_it_refers_to(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    links = re.findall(r'(?:src|href)="([^"#]*)"', answer.text)
    assert {"web/page.css", "web/icon.svg"} <= set(links), "they are relative, because a proxy may serve the page under a path"
    for link in links:
        assert client.get(urljoin(path, link)).status_code == 200


@pytest.mark.parametrize(
    ("name", "kind"),
    [("page.js", "text/javascript"), ("page.css", "text/css"), ("icon.svg", "image/svg+xml"), ("index.html", "text/html")],
)
def test_kinds(client: httpx.Client, name: str, kind: str) -> None:
    assert client.get(f"/web/{name}").headers["content-type"].startswith(kind)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_no_third_party_and_nothing_inline(path: Path) -> None:
    text = path.read_text().replace("http://www.w3.org/2000/svg", "")
    assert not re.search(r"https?://|['\"(]//", text)
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", text)
    assert "innerHTML" not in text
    assert "eval(" not in text
