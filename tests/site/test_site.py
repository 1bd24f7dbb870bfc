"""The site of `make site`: built and read without a network, every link and picture there."""

import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote, urldefrag, urlsplit

import nbformat
import pytest
from playwright.sync_api import Browser

from tests.browser.lab import axe, chromium, violation

ROOT = Path(__file__).parents[2]
LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
# Sphinx as in the Makefile, where nothing can be asked of a server.
BUILD = (
    "import socket, sys; socket.socket.connect = socket.getaddrinfo = None; "
    "from sphinx.cmd.build import main; sys.exit(main(sys.argv[1:]))"
)
PAGE = """() => ({
    links: [...document.querySelectorAll('a[href], a')].map(a => a.href.baseVal === undefined
        ? a.href : new URL(a.href.baseVal, location).href).filter(Boolean),
    ids: [...document.querySelectorAll('[id]')].map(element => element.id),
    pictures: [...document.querySelectorAll('article img')].map(
        image => [image.alt, image.complete && image.naturalWidth > 0]),
    wide: document.documentElement.scrollWidth > innerWidth,
    text: document.body.innerText,
})"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args) -> None:
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    options = ["-q", "-W", "--keep-going", "-c", "docs/site", "-d", str(folder / "doctrees")]
    command = [sys.executable, "-c", BUILD, *options, ".", str(folder / "site")]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return folder / "site"


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=site))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def visited(site: Path, address: str, browser: Browser) -> dict[str, dict]:
    """By its path what the browser finds on each page, as wide as a small window."""
    page = browser.new_page(viewport={"width": 900, "height": 1000})
    errors: list[str] = []
    requests: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda m: m.type in ("error", "warning") and errors.append(m.text))
    page.on("request", lambda request: requests.append(request.url))
    found = {}
    for path in sorted(site.rglob("*.html")):
        name = path.relative_to(site).as_posix()
        errors.clear(), requests.clear()
        page.goto(f"{address}/{name}", wait_until="load")
        page.wait_for_function("document.title && document.querySelector('main, article')")
        page.evaluate("document.querySelectorAll('img').forEach(image => image.loading = 'eager')")
        page.wait_for_function("[...document.images].every(image => image.complete)")
        found[name] = page.evaluate(PAGE) | {"errors": [*errors], "requests": [*requests]}
    page.close()
    return found


def test_every_lesson_and_page_is_there(visited: dict[str, dict]):
    pages = [*LESSONS, *(ROOT / "docs").glob("*.md"), ROOT / "README.md"]
    wanted = {path.relative_to(ROOT).with_suffix(".html").as_posix() for path in pages}
    assert wanted <= set(visited)


def test_no_link_within_the_site_is_broken(visited: dict[str, dict], address: str, site: Path):
    broken = set()
    for name, page in visited.items():
        for link in page["links"]:
            target, anchor = urldefrag(link)
            if not target.startswith(address):
                continue
            path = unquote(urlsplit(target).path).lstrip("/")
            ids = visited.get(path, {}).get("ids", ())
            if not (site / path).is_file() or (anchor and unquote(anchor) not in ids):
                broken.add((name, link))
    assert broken == set()


def test_the_course_leads_to_every_lesson(visited: dict[str, dict], address: str):
    links = visited["notebooks/README.html"]["links"]
    for path in LESSONS:  # in the list at the side, in the table, and on the map
        often = 2 if path.stem == "gallery" else 3
        assert links.count(f"{address}/notebooks/{path.stem}.html") >= often, path.stem


def test_nothing_outside_is_asked_and_no_error_said(visited: dict[str, dict], address: str):
    for name, page in visited.items():
        outside = [url for url in page["requests"] if not url.startswith((address, "data:"))]
        assert (outside, page["errors"]) == ([], []), name


def test_no_page_is_wider_than_its_window(visited: dict[str, dict]):
    assert [name for name, page in visited.items() if page["wide"]] == []


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_shows_its_pictures_and_their_sentences(visited: dict[str, dict], path: Path):
    page = visited[f"notebooks/{path.stem}.html"]
    cells = nbformat.read(path, as_version=4).cells
    bundles = [output.get("data", {}) for cell in cells for output in cell.get("outputs", ())]
    sentences = [data["text/plain"].split() for data in bundles if "image/svg+xml" in data]
    assert sentences
    assert [(alt.split(), shown) for alt, shown in page["pictures"]] == [
        (sentence, True) for sentence in sentences
    ]
    assert "not found" not in page["text"].lower()
    for host in ("colab.research.google.com", "mybinder.org") if path.stem != "gallery" else ():
        assert any(urlsplit(link).hostname == host for link in page["links"]), host


@pytest.mark.parametrize("name", ["notebooks/README", "notebooks/06_jacobians", "docs/glossary"])
def test_axe_finds_nothing_serious(address: str, browser: Browser, name: str):
    page = browser.new_page(viewport={"width": 1200, "height": 1000})
    page.goto(f"{address}/{name}.html")
    found = axe(page)["violations"]
    page.close()
    assert [violation(v) for v in found if v["impact"] in ("serious", "critical")] == []
