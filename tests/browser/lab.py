"""A real JupyterLab in a real browser: start it, open a lesson, run it, look at it.

The tests of this folder and tools/screenshot.py drive the lessons through these helpers. What is
asserted about a lesson or an instrument does not live here.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import psutil
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

SCREENSHOTS = Path(__file__).parents[2] / "build/screenshots"
SERVER = [
    *("--no-browser", "--ip=127.0.0.1", "--allow-root", "--ServerApp.port_retries=0"),
    # Without a token, which is safe on the loopback address of a test only.
    *("--IdentityProvider.token=", "--ServerApp.password="),
    *("--expose-app-in-browser", "--LabApp.extension_manager=readonly"),
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
]
CHROMIUM = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]
PRIVATE = [
    *("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"),
    *("JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR", "IPYTHONDIR"),
]
# JupyterLab says idle before the kernel is connected; these promises do not.
CONNECTED = """
    const panel = window.jupyterapp.shell.currentWidget;
    await panel.context.ready;
    await panel.sessionContext.ready;
    await panel.sessionContext.session.kernel.info;
"""
# No question lies over the pictures, and no file keeps the views of a kernel that is gone.
SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false"},
    "docmanager-extension/plugin": {"autosave": False},
}
expect.set_options(timeout=30_000)  # ms: on a busy machine a kernel needs its time to answer


@contextmanager
def jupyterlab(root: Path, private: Path) -> Iterator[str]:
    """Serve the notebooks in `root`, all settings in `private`, and give the server's address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folders = {name: str(private / name) for name in PRIVATE}
    for plugin, setting in SETTINGS.items():
        path = private / f"JUPYTERLAB_SETTINGS_DIR/@jupyterlab/{plugin}.jupyterlab-settings"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(setting), "utf-8")
    command = [sys.executable, "-m", "jupyterlab", *SERVER, f"--port={port}"]
    with (private / "server.log").open("w") as log:
        server = subprocess.Popen(
            [*command, f"--ServerApp.root_dir={root}"],
            env=os.environ | folders,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        until(lambda: answers(f"{address}/api/status", server), "JupyterLab to answer")
        yield address
    finally:
        server.terminate()
        server.wait(30)


def answers(address: str, server: subprocess.Popen) -> bool:
    assert server.poll() is None, "JupyterLab stopped: its words are in server.log"
    try:
        return urlopen(address, timeout=5).status == 200
    except OSError:
        return False


def until(condition, what: str, seconds: float = 60) -> None:
    """Poll `condition` until it holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.1)


@contextmanager
def chromium() -> Iterator[Browser]:
    """The system's Chromium or Chrome, headless."""
    found = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
    path = next(filter(None, found), None)
    assert path, "these tests need a browser: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM)
        yield browser
        browser.close()


class Lesson:
    """One notebook open in JupyterLab, on a page of its own."""

    def __init__(
        self, browser: Browser, address: str, name: str, width: int = 1280, scale: int = 1
    ) -> None:
        size = {"width": width, "height": 1600}  # an instrument is seen whole
        self.page: Page = browser.new_page(viewport=size, device_scale_factor=scale)
        self.name = Path(name).stem
        self.outside: list[str] = []  # requests to anywhere but this machine
        self.errors: list[str] = []  # what the browser's console calls an error
        self.page.on("request", lambda request: self._note_request(request.url))
        self.page.on("websocket", lambda socket: self._note_request(socket.url))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self._note_message)
        self.page.goto(f"{address}/lab/tree/{name}?reset")
        self.page.wait_for_function(
            "window.jupyterapp?.shell?.currentWidget?.sessionContext", timeout=60_000
        )
        self._await("await window.jupyterapp.restored; window.jupyterapp.shell.collapseLeft();")
        self._await(CONNECTED)

    def turn_to(self, name: str, width: int | None = None) -> None:
        """Open another notebook on the same page, in half the time, and let go of the first."""
        if width:
            self.page.set_viewport_size({"width": width, "height": 1600})
        self.page.mouse.move(0, 0)
        self._await("""
            const old = window.jupyterapp.shell.currentWidget;
            await old.sessionContext.shutdown();
            old.dispose();
        """)
        self.name = Path(name).stem
        self.outside.clear()
        self.errors.clear()
        path = json.dumps({"path": name})
        self._await(f"await window.jupyterapp.commands.execute('docmanager:open', {path});")
        self._await(CONNECTED)

    def _note_request(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob") and parts.hostname != "127.0.0.1":
            self.outside.append(url)

    def _note_message(self, message) -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} ({message.location.get('url', '')})")

    def _await(self, script: str, seconds: float = 60) -> None:
        """Run asynchronous JavaScript; a promise that is never kept is an error, not a wait."""
        self.page.evaluate(
            f"""() => {{
            window.settled = '';
            (async () => {{ {script} }})().then(
                () => {{ window.settled = 'kept'; }},
                error => {{ window.settled = `broken: ${{error}}`; }});
        }}"""
        )
        self.page.wait_for_function("window.settled", timeout=seconds * 1000, polling=100)
        assert self.page.evaluate("window.settled") == "kept"

    def peak_memory(self) -> int:
        """The most its kernel has needed so far, in bytes (Linux)."""
        kernel = self.page.evaluate(
            "window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.id"
        )
        [process] = [p for p in psutil.process_iter(["cmdline"]) if kernel in str(p.info)]
        status = Path(f"/proc/{process.pid}/status").read_text("utf-8")
        return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024

    def run_all(self, seconds: float = 120) -> None:
        """Clear the stored outputs, Run All, and wait until the last cell has finished."""
        self._await(
            """
            const commands = window.jupyterapp.commands;
            await commands.execute('notebook:clear-all-cell-outputs');
            await commands.execute('notebook:run-all-cells');
            """,
            seconds,
        )

    def run_to(self, words: str) -> None:
        """Run the cells down to the first one with these words in its code, and no more."""
        found = next(c for c in self.code_cells() if words in "".join(c["source"]))
        self._await(
            f"""
            const commands = window.jupyterapp.commands;
            await commands.execute('notebook:clear-all-cell-outputs');
            window.jupyterapp.shell.currentWidget.content.activeCellIndex = {found["index"] + 1};
            await commands.execute('notebook:run-all-above');
            """,
            120,
        )

    def fill_in(self, sources: dict[int, str]) -> None:
        """Give cells other code, by their index, and run these cells."""
        self._await(
            f"""
            const {{ content, context }} = window.jupyterapp.shell.currentWidget;
            for (const [index, source] of Object.entries({json.dumps(sources)})) {{
                context.model.sharedModel.getCell(Number(index)).setSource(source);
                content.activeCellIndex = Number(index);
                await window.jupyterapp.commands.execute('notebook:run-cell');
            }}
            """,
            120,
        )

    def code_cells(self) -> list[dict]:
        """Every code cell with its outputs, on screen or not, as the notebook format has them."""
        notebook = self.page.evaluate(
            "JSON.stringify(window.jupyterapp.shell.currentWidget.context.model.toJSON())"
        )
        cells = json.loads(notebook)["cells"]
        return [cell | {"index": i} for i, cell in enumerate(cells) if cell["cell_type"] == "code"]

    def show(self, index: int) -> Locator:
        """Scroll to a cell, which JupyterLab only then draws, and give its output area.

        JupyterLab's promise to have scrolled is not always kept, and Playwright waits for ever."""
        self.page.evaluate(
            """async index => {
                const notebook = window.jupyterapp.shell.currentWidget.content;
                notebook.activeCellIndex = index;
                const late = new Promise(resolve => setTimeout(resolve, 5000));
                await Promise.race([notebook.scrollToItem(index, 'start'), late]);
            }""",
            index,
        )
        cell = self.page.locator(f".jp-Cell[data-windowed-list-index='{index}']")
        cell.wait_for(state="visible")
        return cell.locator(".jp-Cell-outputArea")

    def theme(self, name: str) -> None:
        """Switch JupyterLab to "Light" or "Dark"."""
        self.page.evaluate(
            "name => { window.jupyterapp.commands.execute("
            "'apputils:change-theme', {theme: `JupyterLab ${name}`}); }",
            name,
        )
        light = str(name == "Light").lower()
        self.page.wait_for_selector(f"body[data-jp-theme-light='{light}']", state="attached")
        self.page.wait_for_selector("#jupyterlab-splash", state="detached")  # it covers the page

    def close(self) -> None:
        """Close the page and end its kernel."""
        if self.page.is_closed():
            return
        self.page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.shutdown()")
        self.page.close()


def area(lesson: Lesson, words: str) -> Locator:
    """What the first cell with these words in its code has put out."""
    cells = lesson.code_cells()
    found = lesson.show(next(c["index"] for c in cells if words in "".join(c["source"])))
    expect(found.locator(".agl-view").first).to_be_visible()
    return found


def screenshot(what: Locator, name: str) -> Path:
    """Keep a picture of one element in build/screenshots."""
    path = SCREENSHOTS / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    what.screenshot(path=path)
    return path


# The package would read it in the encoding of the locale, which may be ASCII.
AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")


def axe(page: Page, context: str = ":root", options: dict[str, Any] | None = None) -> Any:
    """What axe-core says of the elements that the selector `context` finds on a page."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE)
    options = {"resultTypes": ["violations"]} | (options or {})
    return page.evaluate("([context, options]) => axe.run(context, options)", [context, options])


# axe looks at the whole page first: without the other cells that takes a quarter of the time.
ALONE = """shown => {
    const cell = shown.closest(".jp-Cell"), around = cell.parentElement, all = [...around.children];
    around.replaceChildren(cell);
    window.putBack = () => around.append(...all);
    document.querySelectorAll("[data-axe]").forEach(each => each.removeAttribute("data-axe"));
    shown.setAttribute("data-axe", "");
}"""


def inaccessible(shown: Locator) -> str:
    """What axe-core has against the instruments in `shown`, not those around it; "" for nothing.

    In the dark theme only the contrast can be another than in the light one."""
    page = shown.page
    # JupyterLab's body has no height, which makes axe believe that nothing in it can be seen.
    page.evaluate("document.body.style.height = '100vh'")
    dark = page.locator("body[data-jp-theme-light='false']").count()
    shown.evaluate(ALONE)
    try:
        found = axe(
            page,
            ".agl-view[data-axe], [data-axe] .agl-view",
            {"runOnly": ["color-contrast"]} if dark else {},
        )
    finally:
        page.evaluate("window.putBack()")
    return "\n".join(map(violation, found["violations"]))


def violation(found: dict[str, Any]) -> str:
    """A rule that is broken, and the elements that break it."""
    elements = "\n  ".join(each["html"][:160] for each in found["nodes"])
    return f"{found['id']} ({found['impact']}): {found['help']}\n  {elements}"


# Each line of text, drawn or written, with what hides it: an edge that cuts it off (not one that
# scrolls), or another text. A line is taller than its letters, so an eighth may overlap.
UNREADABLE = """root => {
    const lines = [], found = [];
    const nodes = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    while (nodes.nextNode()) {
        const node = nodes.currentNode, parent = node.parentElement, text = node.data.trim();
        if (!text || parent.closest('style, script, title, desc')
            || !parent.checkVisibility({opacityProperty: true, visibilityProperty: true})) continue;
        const range = document.createRange();
        range.selectNodeContents(node);
        for (const box of range.getClientRects()) {
            const trim = box.height / 8;
            lines.push({text, node, left: box.left + 1, right: box.right - 1,
                        top: box.top + trim, bottom: box.bottom - trim});
        }
        for (let edge = parent; edge && edge !== root.parentElement; edge = edge.parentElement) {
            if (!['hidden', 'clip'].includes(getComputedStyle(edge).overflowX)) continue;
            const frame = edge.getBoundingClientRect();
            if (lines.some(line => line.node === node && (line.left < frame.left
                || line.right > frame.right || line.top < frame.top || line.bottom > frame.bottom)))
                found.push(`cut off: ${text}`);
        }
    }
    lines.forEach((a, i) => lines.slice(i + 1).forEach(b => {
        if (a.node !== b.node && a.left < b.right && b.left < a.right
            && a.top < b.bottom && b.top < a.bottom) found.push(`overlap: ${a.text} | ${b.text}`);
    }));
    return found;
}"""


def unreadable(area: Locator) -> list[str]:
    """The texts in `area` that are cut off or lie over one another."""
    return area.evaluate(UNREADABLE)
