"""The look, written down once: colours, fonts, measures and the style of every mark.

Static pictures take it as presentation attributes (`attributes`), the widget as CSS classes and
variables (`css`), so both show the same drawing. The width of a text is estimated here, and text is
escaped here. Shapes and positions live in draw.py, the page round the drawing in instruments/.

>>> attributes("value edge")
'fill="none" stroke="#848C95" stroke-width="1.5"'
"""

LIGHT = {
    "paper": "#FFFFFF", "raise": "#F6F7F8", "ink": "#1B1F24", "ink2": "#57606A",
    "rule": "#848C95", "hair": "#D5D9DE",
    "value": "#0072B2", "value-text": "#005A8E", "value-tint": "#E4F0F7", "on-value": "#FFFFFF",
    "grad": "#D55E00", "grad-text": "#A34700", "grad-tint": "#FBE9DC",
    "now": "#F0E442", "now-tint": "#FCF9D2",
    "ok": "#009E73", "ok-text": "#00694C", "ok-tint": "#DFF3EC",
    "stop": "#CC79A7", "stop-text": "#963C6C", "stop-tint": "#F9EAF2",
    "on-mark": "#1B1F24", "on-grad": "#FFFFFF",
}  # fmt: skip
DARK = {
    "paper": "#111111", "raise": "#1C1E21", "ink": "#E8EAED", "ink2": "#B0B7BF",
    "rule": "#7C858E", "hair": "#34393F",
    "value": "#56B4E9", "value-text": "#7CC6F0", "value-tint": "#12303F", "on-value": "#111111",
    "grad": "#D55E00", "grad-text": "#FF9A57", "grad-tint": "#3F2110",
    "now": "#F0E442", "now-tint": "#38350F",
    "ok": "#009E73", "ok-text": "#3CC79B", "ok-tint": "#0C2F25",
    "stop": "#CC79A7", "stop-text": "#E59CC3", "stop-tint": "#3A2330",
    "on-mark": "#1B1F24", "on-grad": "#FFFFFF",
}  # fmt: skip

SANS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
MONO = "ui-monospace, 'SFMono-Regular', Menlo, Consolas, 'DejaVu Sans Mono', monospace"


def _line(stroke: str, width: float, fill: str = "none", dash: str = "") -> dict[str, str]:
    style = {"fill": fill, "stroke": stroke, "stroke-width": f"{width:g}"}
    return style | ({"stroke-dasharray": dash} if dash else {})


def _text(fill: str, size: int, font: str, anchor: str = "middle", weight: int = 0):
    style = {"fill": fill, "font-family": font, "font-size": str(size), "text-anchor": anchor}
    return style | ({"font-weight": str(weight)} if weight else {})


# Every mark of the visual language. A fill or stroke is the name of a token, or "none".
STYLES: dict[str, dict[str, str]] = {
    "plain": _line("rule", 1.25, "paper"),
    "waiting": _line("rule", 1.25, "paper", "4 3"),
    "ready": _line("ink", 2, "paper"),
    "running": _line("ink", 2.5, "paper"),
    "done": _line("rule", 1.25, "raise"),
    "infinite": _line("ink", 1.25, "ink"),
    "hatch": _line("ink2", 2),
    "halo": {**_line("now", 14.5), "stroke-linejoin": "round"},
    "halo small": {**_line("now", 9), "stroke-linejoin": "round"},
    "corners": _line("ink", 2.5),
    "focus": _line("ink", 2),
    "badge": _line("rule", 1, "paper"),
    "badge ready": _line("ink", 2, "paper"),
    "badge dot": _line("ink", 1, "ok"),
    "badge now": _line("paper", 1, "ink"),
    "badge sign": {"fill": "paper"},
    "tick": {**_line("ink", 2), "stroke-linecap": "round", "stroke-linejoin": "round"},
    "octagon": _line("ink", 1.25, "stop"),
    "octagon bar": _line("on-mark", 2.5),
    "sheet": _line("value", 1, "value"),
    "sheet lines": _line("on-value", 1.5),
    "sheet freed": _line("rule", 1, "none", "2 2"),
    "value edge": _line("rule", 1.5),
    "ribbon": {"fill": "none", "stroke": "grad"},
    "ribbon passed": {"fill": "none", "stroke": "grad-tint"},
    "chevrons": {**_line("on-grad", 1.75), "stroke-linecap": "round", "stroke-linejoin": "round"},
    "chevrons passed": {
        **_line("grad", 1.5),
        "stroke-linecap": "round",
        "stroke-linejoin": "round",
    },
    "value chip": _line("value", 1, "paper"),
    "gradient chip": _line("grad", 1, "grad-tint"),
    "gradient chip now": _line("grad", 2.5, "grad-tint"),
    "cap": {"fill": "grad"},
    "nabla": {"fill": "on-grad"},
    "question": _line("ink", 2, "now"),
    "question text": _text("on-mark", 12, MONO, weight=600),
    "cup": {**_line("ink", 2), "stroke-linejoin": "round"},
    "cup empty": _line("rule", 1.5, "none", "4 3"),
    "pill": _line("rule", 1, "paper", "3 2"),
    "divider": _line("hair", 1),
    "expression": _text("ink", 13, MONO),
    "expression waiting": _text("ink2", 13, MONO),
    "expression infinite": _text("paper", 13, MONO, weight=600),
    "torch name": _text("ink2", 11, SANS),
    "torch name infinite": _text("paper", 11, SANS, weight=600),
    "number": _text("ink", 12, MONO),
    "number none": _text("ink2", 12, MONO),
    "small": _text("ink2", 11, MONO),
    "title": _text("ink", 14, SANS, "start", 600),
    "note": _text("ink2", 12, SANS, "start"),
    "note end": _text("ink2", 12, SANS, "end"),
    "note middle": _text("ink2", 11, SANS),
    "note strong": _text("ink", 11, SANS),
    "number strong": _text("ink", 13, MONO, weight=600),
    "yours": {**_line("ink", 2, "paper"), "stroke-linejoin": "round"},
    "gap": _line("stop", 6),
    "gap words": _text("ink", 13, SANS, weight=600),
    "bracket": _line("ink", 1.5),
    "break": _line("paper", 5),
    "tie": _line("rule", 1, "none", "2 3"),
    "backing": {"fill": "paper"},
    "frame": _line("hair", 1, "paper"),
    "side name": _text("ink", 13, SANS),
    "rung": _line("hair", 1.5),
    "rung on": _line("ink", 2),
    "rung same on": _line("ok", 2.5, "ok-tint"),
    "diamond": {**_line("ink", 1.25, "stop"), "stroke-linejoin": "round"},
    "cross": {**_line("on-mark", 2.5), "stroke-linecap": "round"},
    "differs": _line("stop", 5),
    "activation": {**_line("value", 1.25, "paper"), "stroke-linejoin": "round"},
    "ridge": {**_line("grad", 1.25, "grad-tint"), "stroke-linejoin": "round"},
    "ridge outside": {**_line("grad", 1.25, "paper"), "stroke-linejoin": "round"},
    "ridge outline": {**_line("grad", 1.25), "stroke-linejoin": "round"},
    "ridge hatch": _line("stop", 1.25),
    "outside": {"fill": "stop-tint"},
    "threshold": _line("stop", 2.5),
    "threshold words": _text("stop-text", 11, SANS, weight=600),
    "median line": {**_line("ink", 1.25), "stroke-linejoin": "round"},
    "median before": {**_line("ink2", 1.5, "none", "4 3"), "stroke-linejoin": "round"},
    "median": _line("paper", 1, "ink"),
    "mark words": _text("stop-text", 12, MONO, "start", 600),
    "infinite words": _text("paper", 11, MONO, weight=600),
    "column": _text("ink2", 11, SANS, "start"),
    "column end": _text("ink2", 11, SANS, "end"),
    "layer name": _text("ink", 12, MONO, "end"),
    "layer name small": _text("ink", 11, MONO, "end"),
    "number end": _text("ink", 12, MONO, "end"),
    "freed": _text("ink2", 12, MONO, "end"),
    "small start": _text("ink2", 11, MONO, "start"),
    "small now": _text("ink", 11, MONO, "start"),
    "small end": _text("ink2", 11, MONO, "end"),
    "held area": {"fill": "value-tint"},
    "held": {**_line("value", 1.5), "stroke-linejoin": "round"},
    "held 2": {**_line("value", 2, "none", "6 3"), "stroke-linejoin": "round"},
    "held 3": {**_line("value", 2, "none", "2 2"), "stroke-linejoin": "round"},
    "band": {**_line("value", 1, "none", "1 2"), "stroke-linejoin": "round"},
    "bytes": {"fill": "value"},
    "now line": _line("ink", 2),
    "now dot": _line("ink", 1.75, "now"),
    "row now": _line("now", 2, "now-tint"),
    "row hit": {"fill": "paper"},
    "row label": _text("ink", 12, MONO, "start"),
    "row label differs": _text("ink", 12, MONO, "start", 600),
    "row name": _text("ink2", 11, SANS, "end"),
    "row label waiting": _text("ink2", 12, MONO, "start"),
    "row label strong": _text("ink", 12, MONO, "start", 600),
    "row kind": _text("ink2", 11, SANS, "start"),
    "row shape": _text("ink2", 12, MONO, "start"),
    "row number": _text("ink", 12, MONO, "end"),
    "row number none": _text("ink2", 12, MONO, "end"),
    "norm bar": _line("grad", 1, "grad-tint"),
    "norm bar now": _line("grad", 1, "grad"),
    "norm bar broken": _line("ink", 1, "ink"),
    "path to leaf": _line("ink", 3),
    "path node": _line("ink", 6.5),
    "memory area": {"fill": "value-tint"},
    "memory line": _line("value", 1.5),
    "held bar": {"fill": "value"},
    "spotlight": _line("now", 1.5, "now-tint"),
    "module frame": _line("rule", 1),
    "module frame inner": _line("hair", 1, "raise"),
    "fold mark": _line("rule", 1, "paper"),
    "sign": {**_line("ink", 2), "stroke-linecap": "round"},
    "sign up": {"fill": "ink"},
    "row note": _text("ink2", 11, SANS, "start"),
    "row quiet": _text("ink2", 12, MONO, "start"),
    "row number quiet": _text("ink2", 12, MONO, "end"),
    "grid": _line("hair", 1),
    "bar": _line("grad", 1, "grad-tint"),
    "bar infinite": _line("ink", 1, "ink"),
    "fold sign": {**_line("ink", 1.5), "stroke-linecap": "round"},
    "pruned": {**_line("rule", 1.25, "paper", "1 3"), "stroke-linecap": "round"},
    "cut edge": {**_line("rule", 1.5, "none", "1 3"), "stroke-linecap": "round"},
    "slashes": {**_line("ink", 1.5), "stroke-linecap": "round"},
    "nudge curve": {**_line("value", 2.5), "stroke-linejoin": "round"},
    "nudge secant": _line("ink", 2),
    "nudge end": _line("paper", 1.5, "ink"),
    "error forward float32": {**_line("ink", 1.5, "none", "5 3"), "stroke-linejoin": "round"},
    "error central float32": {**_line("ink", 1.5), "stroke-linejoin": "round"},
    "error forward float64": {**_line("value", 2.5, "none", "5 3"), "stroke-linejoin": "round"},
    "error central float64": {**_line("value", 2.5), "stroke-linejoin": "round"},
    "error slope": _text("ink", 12, SANS, "end", 600),
    "error best": _line("ink", 1.75, "paper"),
    "tracer block": _line("value", 1.5, "paper"),
    "tracer block gradient": _line("grad", 1.5, "grad-tint"),
    "tracer copy": _line("value", 1.25, "paper", "3 2"),
    "tracer copy gradient": _line("grad", 1.25, "grad-tint", "3 2"),
    "tracer grid": _line("value", 1),
    "tracer grid gradient": _line("grad", 1),
    "tracer hatch": _line("value", 0.75),
    "tracer hatch gradient": _line("grad", 0.75),
    "tracer back": {"fill": "paper"},
    "tracer back gradient": {"fill": "grad-tint"},
    "tracer number": _text("ink", 11, MONO),
    "tracer name": _text("ink", 12, MONO, weight=600),
    "tracer sign": _text("ink", 16, MONO),
    "tracer word": _text("ink", 12, MONO),
    "tracer hit": {"fill": "none", "pointer-events": "all"},
    "recorder number": _text("ink", 11, MONO),
    "recorder caption": _line("hair", 1, "raise"),
    "recorder caption now": _line("ink", 2, "now-tint"),
    "recorder words": _text("ink", 13, MONO),
    "recorder note": _text("ink2", 11, SANS),
    "second order": _line("rule", 1),
    "dial contour": {"fill": "none", "stroke": "value"},
    "dial up": {**_line("grad", 1.5, "grad-tint"), "stroke-linejoin": "round"},
    "dial down": {**_line("grad", 1.5, "paper", "4 3"), "stroke-linejoin": "round"},
    "dial eigen": _line("ink2", 1.25, "none", "6 2 1 2"),
    "dial parabola": {**_line("ink", 2, "none", "5 4"), "stroke-linejoin": "round"},
    "painter cell 0": _line("rule", 1, "paper"),
    "painter cell 1": _line("grad", 1, "paper"),
    "painter cell 2": {**_line("grad", 1, "grad-tint"), "fill-opacity": "0.5"},
    "painter cell 3": _line("grad", 1, "grad-tint"),
    "painter hatch": _line("grad", 1.5),
    "painter cell value 0": _line("rule", 1, "paper"),
    "painter cell value 1": _line("value", 1, "paper"),
    "painter cell value 2": {**_line("value", 1, "value-tint"), "fill-opacity": "0.5"},
    "painter cell value 3": _line("value", 1, "value-tint"),
    "painter hatch value": _line("value", 1.5),
    "scope gap": {"fill": "rule"},
    "scope apart": _line("stop", 1.5, "stop-tint"),
    "scope line": {**_line("ink2", 1.5), "stroke-linejoin": "round"},
    "plane cell": {"fill": "value"},
    "plane border": {**_line("ink", 2), "stroke-linecap": "round"},
    "plane disc": _line("paper", 1, "ink"),
    "plane diamond": _line("ink", 1.5, "paper"),
    "plane mistake": _line("stop", 2.5),
    "weight line": {"fill": "none", "stroke": "ink2"},
    "vjp arrow": {**_line("grad", 4), "stroke-linecap": "round"},
    "vjp term": _line("ink", 1.5, "none", "4 3"),
    "race contour": {**_line("rule", 0.75), "stroke-linejoin": "round"},
    "race level": {**_text("ink2", 11, MONO), "stroke": "paper", "stroke-width": "4",
                   "paint-order": "stroke"},
    "race hit": {"fill": "none", "pointer-events": "all"},
    "race dots": {**_line("ink", 3.5), "stroke-linecap": "round"},
    "race pin": _line("ink", 1),
    "race letter": _text("ink", 11, SANS, weight=600),
    "race trail 0": {**_line("value", 2.5), "stroke-linejoin": "round"},
    "race trail 1": {**_line("grad", 2.5, "none", "8 3"), "stroke-linejoin": "round"},
    "race trail 2": {**_line("ok", 2.5, "none", "2 2"), "stroke-linejoin": "round"},
    "race trail 3": {**_line("stop", 2.5, "none", "9 3 2 3"), "stroke-linejoin": "round"},
    "race trail 4": {**_line("ink", 2, "none", "4 3"), "stroke-linejoin": "round"},
    "race trail 5": {**_line("ink2", 2.5, "none", "1 4"), "stroke-linejoin": "round"},
    "race disc 0": _line("value", 2, "paper"),
    "race disc 1": _line("grad", 2, "paper"),
    "race disc 2": _line("ok", 2, "paper"),
    "race disc 3": _line("stop", 2, "paper"),
    "race disc 4": _line("ink", 2, "paper"),
    "race disc 5": _line("ink2", 2, "paper"),
    "phase hatch": _line("stop", 1.25),
    "phase swing": {"fill": "value-tint"},
    "phase zigzag": _line("value", 1),
    "phase grows": {"fill": "stop-tint"},
    "phase critical": _line("ink", 2.5),
    "phase border": _line("ink", 1.5, "none", "6 3"),
    "phase other": _line("ink", 1.25, "none", "2 3"),
    "phase rate": {**_line("ink2", 0.75), "stroke-linejoin": "round"},
    "phase name": {**_text("ink", 12, SANS, weight=600), "stroke": "paper", "stroke-width": "4",
                   "paint-order": "stroke"},
    "dual cap": {"fill": "value"},
    "dual chip": _line("value", 1, "value-tint"),
    "dual chip now": _line("value", 2.5, "value-tint"),
    "dual epsilon": _text("paper", 12, MONO, weight=600),
    "dual rule": _text("ink2", 12, MONO, "start"),
    "dual rule now": _text("ink", 12, MONO, "start"),
}


def one_line(text: str) -> str:
    """A text without line breaks and control characters.

    >>> one_line("a\\nb")
    'a b'
    """
    return "".join(c if c.isprintable() else " " for c in text)


def escape(text: object) -> str:
    """Text made safe for SVG and HTML, also inside a quoted attribute.

    >>> escape('<img onerror="x">')
    '&lt;img onerror=&quot;x&quot;&gt;'
    """
    swaps = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"}
    # Control characters are not allowed in XML even when escaped.
    return "".join(swaps.get(c, c) for c in one_line(str(text)))


def attributes(style: str) -> str:
    """The style as presentation attributes on light paper, for a picture that stands alone."""
    return " ".join(f'{k}="{escape(LIGHT.get(v, v))}"' for k, v in STYLES[style].items())


def css_class(style: str) -> str:
    """The style as a class attribute, for a drawing that `css` dresses.

    >>> css_class("value edge")
    'class="agl-value-edge"'
    """
    return f'class="agl-{style.replace(" ", "-")}"'


def css() -> str:
    """Colours of both themes as variables under `.agl`, and one class for each style."""
    light, dark = (
        "".join(f"--agl-{name}:{colour};" for name, colour in theme.items())
        for theme in (LIGHT, DARK)
    )
    # JupyterLab and Colab say which theme they show; elsewhere the reader's system does.
    rules = [
        f".agl{{{light}color-scheme:light}}",
        "@media (prefers-color-scheme:dark){body:not([data-jp-theme-light]) .agl"
        f"{{{dark}color-scheme:dark}}}}",
        'body[data-jp-theme-light="false"] .agl,html[theme="dark"] .agl'
        f"{{{dark}color-scheme:dark}}",
        f'html[theme="light"] body .agl{{{light}color-scheme:light}}',
    ]
    fonts = {
        SANS: f"var(--jp-ui-font-family,{SANS})",
        MONO: f"var(--jp-code-font-family,{MONO})",
    }
    for style, properties in STYLES.items():
        body = ";".join(
            f"{k}:{f'var(--agl-{v})' if v in LIGHT else fonts.get(v, v)}"
            + ("px" if k in ("font-size", "stroke-width") else "")
            for k, v in properties.items()
        )
        rules.append(f".agl .agl-{style.replace(' ', '-')}{{{body}}}")
    return "\n".join(rules)


# Advance widths in em of a wide sans (others are narrower, so a label never outgrows its box);
# characters that are not listed are taken as wide as a capital.
_SANS_WIDTHS = {
    0.32: " .,:;'|!ijlI·", 0.42: "()[]{}/\\-rtf\"", 0.56: "ckszxyv?J_",
    0.64: "abdeghnopqu0123456789LFETPS", 0.85: "+=<>~−×%wMWmO@&→",
}  # fmt: skip
_SANS_EM = {c: width for width, letters in _SANS_WIDTHS.items() for c in letters}


def text_width(text: str, size: float, mono: bool = True) -> float:
    """Width of `text` in px: every common code font is 0.55 to 0.61 em wide, so 0.61 is safe.

    >>> text_width("[36, 81]", 12)
    58.56
    """
    if mono:
        return round(len(text) * 0.61 * size, 2)
    return round(sum(_SANS_EM.get(c, 0.72) for c in text) * size, 2)
