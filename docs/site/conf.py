"""The course as a site that needs no network: `make site` writes it to build/site.

The pages are the files as they stand in the repository, with their stored outputs. What GitHub or
JupyterLab shows by itself is put in their place while they are read, see `adapt`.
"""

import json
import re
import tomllib
from pathlib import Path

from sphinx.application import Sphinx

import autogradlab
from autogradlab.graphs.layout import render

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
REPOSITORY = PYPROJECT["project"]["urls"]["Repository"]

project = html_title = "autogradlab"
language = "en"
extensions = ["myst_nb"]
root_doc = "notebooks/README"
include_patterns = ["*.md", "docs/*.md", "notebooks/*.md", "notebooks/*.ipynb"]
exclude_patterns = [".*", "build", "tests", "**/.ipynb_checkpoints"]  # not even looked into
nb_execution_mode = "off"
nb_merge_streams = True
nb_number_source_lines = False
myst_heading_anchors = 3
html_theme = "furo"
html_favicon = "icon.svg"
pygments_dark_style = "a11y-dark"
html_use_index = False
html_copy_source = html_show_copyright = False
html_static_path = ["site.css"]
html_css_files = ["site.css"]

LESSONS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
PROJECT = ["../README", "../docs/glossary", "../docs/teaching", "../docs/differences",
           "../docs/visual-language", "../CONTRIBUTING", "../CHANGELOG"]  # fmt: skip


def contents(caption: str, pages: list[str]) -> str:
    """A part of the table of contents, which also sets the order of previous and next."""
    return "\n".join(["\n\n```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```"])


def course_map(mermaid: str, page: str) -> str:
    """The arrows between lessons, drawn here: GitHub's way of drawing them asks a server."""
    lessons = re.findall(r"^\| \[(\d+) · (.*?)\]\((.*?)\.ipynb\)", page, re.MULTILINE)
    nodes = [f'{n} [label="{n} {name.replace("–", "-")}" URL="{stem}.html"]'
             for n, name, stem in lessons]  # fmt: skip
    arrows = re.sub(r"([\d &]+)", lambda ends: f"{{{ends[1].replace('&', ' ')}}}", mermaid)
    text = arrows.replace("-->", "->")
    style = (
        'ranksep=.3 nodesep=.2 bgcolor="none" edge [arrowsize=.6] '
        'node [shape=box style=rounded fontname="Helvetica"]'
    )
    svg = render(f"digraph {{ {style} {' '.join(nodes)} {text} }}", "svg").decode()
    svg = re.sub(r"<!--.*?-->|\n", " ", svg[svg.index("<svg") :], flags=re.DOTALL)
    svg = svg.replace('"black"', '"currentColor"')
    label = "The lessons, an arrow to each from those it needs"
    svg = svg.replace("<svg", f'<svg role="group" aria-label="{label}"', 1)
    return f'<div class="map">{svg}</div>'


def adapt(app: Sphinx, page: str, source: list[str]) -> None:
    """Sphinx is about to read `page`: change what the site has to show otherwise."""
    if page.split("/")[-1] in LESSONS:
        source[0] = json.dumps(described(json.loads(source[0])))
        return
    text = re.sub(r"!\[([^]]*)\]\(https?:[^)]*\)", r"\1", source[0])  # a badge of another host
    folder = (ROOT / page).parent

    def on_github(link: re.Match) -> str:
        target = (folder / link[1]).resolve()
        if target.suffix in (".md", ".ipynb", ".png") or not target.exists():
            return link[0]
        kind = "tree" if target.is_dir() else "blob"
        path = target.relative_to(ROOT).as_posix()
        return f"]({REPOSITORY}/{kind}/v{autogradlab.__version__}/{path})"

    text = re.sub(r"\]\(([^):#]+)\)", on_github, text)
    if page == root_doc:
        block = re.search(r"```mermaid\n.*?\n(.*?)```", text, re.DOTALL)
        text = text.replace(block[0], course_map(block[1], text))
        text += contents("Lessons", LESSONS) + contents("The project", PROJECT)
    source[0] = text


def described(notebook: dict) -> dict:
    """The notebook with each picture's sentence as the text that stands for it."""
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            if "image/svg+xml" in output.get("data", ()):
                sentence = "".join(output["data"]["text/plain"])
                cell["metadata"]["mystnb"] = {"image": {"alt": sentence}}
    return notebook


def first_page(app: Sphinx, error: Exception | None) -> None:
    """The address of the site itself leads to the course; a page without an icon asks for one."""
    to = app.builder.get_target_uri(root_doc)
    Path(app.outdir, "index.html").write_text(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{project}</title>'
        f'<link rel="icon" href="_static/{html_favicon}">'
        f'<meta http-equiv="refresh" content="0; url={to}"><a href="{to}">The course</a></html>\n',
        "utf-8",
    )


def level(app: Sphinx, page: str, template: str, context: dict, doctree: object) -> None:
    """Give the captions of the contents the level that a heading needs."""
    tree, role = context["furo_navigation_tree"], 'role="heading"'
    context["furo_navigation_tree"] = tree.replace(role, f'{role} aria-level="2"')


def setup(app: Sphinx) -> None:
    app.connect("html-page-context", level, priority=900)  # after furo has made them
    app.connect("source-read", adapt)
    app.connect("build-finished", first_page)
