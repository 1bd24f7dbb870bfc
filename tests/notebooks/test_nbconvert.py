"""Each lesson as nbconvert's page: every stored picture is there, no widget is missed."""

import re
from base64 import b64decode
from pathlib import Path

import nbformat
import pytest
from nbconvert import HTMLExporter

LESSONS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_html_shows_the_pictures(path: Path):
    cells = nbformat.read(path, as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", ())]
    pictures = [o.data["image/svg+xml"] for o in outputs if "image/svg+xml" in o.get("data", ())]
    html, _ = HTMLExporter().from_filename(str(path))
    assert pictures
    shown = re.findall(r'<img[^>]*src="data:image/svg\+xml;base64,([^"]*)"', html)
    assert [b64decode(each).decode() for each in shown] == pictures
    assert "widget-view+json" not in html
    assert "model not found" not in html.lower() and "widget not found" not in html.lower()
