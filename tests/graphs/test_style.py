"""The colours keep the contrasts of the visual language, and each style has one definition."""

import ast
import re
from pathlib import Path

import pytest
from programs import ENGINES, PROGRAMS, program

from autogradlab.graphs import record_backward
from autogradlab.graphs import style as style_module
from autogradlab.graphs.draw import Drawing, look_after
from autogradlab.graphs.style import DARK, LIGHT, STYLES, attributes, css, css_class
from autogradlab.instruments import BackwardDebugger

THEMES = {"light": LIGHT, "dark": DARK}
# Against paper: at least this much in the light theme, and in the dark one.
RATIOS = {
    "raise": (1.07, 1.13), "ink": (16.56, 15.67), "ink2": (6.39, 9.33), "rule": (3.41, 5.04),
    "hair": (1.42, 1.62), "value": (5.19, 8.18), "value-text": (7.36, 10.06),
    "grad": (3.87, 4.88), "grad-text": (6.07, 9.00), "now": (1.32, 14.28), "ok": (3.42, 5.52),
    "ok-text": (6.72, 8.84), "stop": (3.06, 6.17), "stop-text": (6.65, 8.88),
}  # fmt: skip
TINTS = ("value-tint", "grad-tint", "now-tint", "ok-tint", "stop-tint")


def luminance(colour):
    """WCAG 2: the relative luminance of #RRGGBB."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def ratio(one, other):
    dark, light = sorted(map(luminance, (one, other)))
    return round((light + 0.05) / (dark + 0.05), 2)


def test_the_formula():
    assert ratio("#000000", "#FFFFFF") == 21 and ratio("#777777", "#FFFFFF") == 4.48


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("token", RATIOS)
def test_contrast_with_paper(theme, token):
    colours = THEMES[theme]
    assert ratio(colours[token], colours["paper"]) >= RATIOS[token][theme == "dark"]


@pytest.mark.parametrize("theme", THEMES)
def test_contrast_of_text_on_tints_and_marks(theme):
    colours = THEMES[theme]
    for tint in ("raise", *TINTS):
        assert ratio(colours["ink"], colours[tint]) >= 10.3, tint
        if tint != "now-tint":
            assert ratio(colours["ink2"], colours[tint]) >= 5.4, tint
    assert ratio(colours["on-mark"], colours["now"]) >= 12.5
    assert ratio(colours["on-mark"], colours["stop"]) >= 5.4
    for mark in ("grad", "ok"):
        assert ratio(colours["on-grad"], colours[mark]) >= 3, mark  # for signs, not for text


def test_both_themes_have_the_same_tokens():
    assert LIGHT.keys() == DARK.keys()
    colours = [*LIGHT.values(), *DARK.values()]
    assert all(re.fullmatch("#[0-9A-F]{6}", colour) for colour in colours)


def test_fills_and_strokes_are_tokens_and_text_is_never_small():
    for name, style in STYLES.items():
        for key in style.keys() & {"fill", "stroke"}:
            assert style[key] == "none" or style[key] in LIGHT, name
        assert int(style.get("font-size", 11)) >= 11, name


def test_text_is_written_in_ink():
    """Role colours are for marks; what is to be read has a text tone."""
    for name, style in STYLES.items():
        if "font-size" in style:
            assert style["fill"] in ("ink", "ink2", "on-mark", "paper", "stop-text"), name


def test_each_style_has_one_rule_and_its_attributes():
    rules = css()
    for name in STYLES:
        selector = f".agl .{css_class(name)[7:-1]}{{"
        assert rules.count(selector) == 1
        assert "agl" not in attributes(name) and "var(" not in attributes(name)
    assert rules.count("{") == rules.count("}")


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("name", PROGRAMS)
def test_every_style_that_is_drawn_is_defined(engine, name):
    code, gradient = PROGRAMS[name]
    names = program(engine, code)
    used = set()

    def pen(style):
        used.add(style)
        return attributes(style)

    recording = record_backward(names["Q"], gradient, names)
    drawing = Drawing(recording.graph, recording, pen=pen)
    for step in range(len(recording.events) + 1):
        drawing.body(look_after(recording, step))
    for key in recording.graph.nodes:
        drawing.overlay(key)
    assert used <= STYLES.keys()
    assert {"running", "done", "ribbon", "value chip", "gradient chip", "cup"} <= used


def test_every_class_of_the_widget_is_defined():
    names = program(ENGINES[0], PROGRAMS["Q"][0])
    view = BackwardDebugger(names["Q"], names, [1.0, 1.0]).view
    markup = "".join(form for forms in view.variants for form in forms)
    markup += "".join([*view.panels, *view.overlays.values()])
    classes = {c for found in re.findall(r"class=[\"']([^\"']+)", markup) for c in found.split()}
    assert len(classes) > 20
    for each in classes:
        assert re.search(rf"\.{each}\b(?!-)", view._css), each


def test_no_style_is_written_twice():
    """A second one of the same name would take the place of the first without a word."""
    tree = ast.parse(Path(style_module.__file__).read_text("utf-8"))
    tables = [node for node in ast.walk(tree) if isinstance(node, ast.Dict)]
    for table in tables:
        names = [key.value for key in table.keys if isinstance(key, ast.Constant)]
        assert len(names) == len(set(names)), {n for n in names if names.count(n) > 1}


def test_the_page_of_rules_names_the_colours_that_are_used():
    page = (Path(__file__).parents[2] / "docs/visual-language.md").read_text("utf-8")
    rows = [line.split("|")[1:-1] for line in page.splitlines() if line.startswith("| ")]
    tokens = {cells[0].strip(): cells for cells in rows if "#" in cells[1]}
    told = {}
    for name, cells in tokens.items():
        parts = [part.strip() for part in name.split("/")]
        first = parts[0].split()[0]
        names = [first, *(f"{first}-{part}" for part in parts[1:])]
        for theme, column in ((LIGHT, 1), (DARK, 3)):
            colours = [each.strip() for each in cells[column].split("/")]
            told |= {(id(theme), n): c for n, c in zip(names, colours, strict=True)}
    assert len(told) >= 36
    for theme in (LIGHT, DARK):
        for name, colour in theme.items():
            if not name.startswith("on-"):
                assert told[id(theme), name] == colour, name
