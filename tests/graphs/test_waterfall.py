"""The waterfall from plain data: histograms, axes, what is written where."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from autogradlab.graphs.flow import FlowStep, LayerFlow, spread
from autogradlab.graphs.style import text_width
from autogradlab.graphs.waterfall import Axis, Limits, Waterfall, bars, hatching, verdict

TEXT = "{http://www.w3.org/2000/svg}text"


def step(*scales, names=None, values=None):
    """One training step whose layers have gradients of these sizes, and no model at all."""
    random = np.random.default_rng(0)
    layers = []
    for i, scale in enumerate(scales):
        g = spread([random.normal(size=500) * scale], sizes=True)
        a = spread([random.normal(size=500) * (values or scales)[i]], sizes=False)
        name = names[i] if names else str(i + 1)
        layers.append(LayerFlow(name, "Linear", g, a, calls=1))
    return FlowStep(tuple(layers))


def test_a_lesson_can_draw_its_own_data():
    one = step(1e-12, 1e-10, 1e-6, 1e-2)
    assert verdict(one).startswith("The gradient vanishes. Each layer back divides it by about ")
    assert verdict(one).endswith("In layers 1 to 2 most weights get less than 1e−8.")
    assert verdict(one, Limits(1e-20)).startswith("The gradient flows. ")
    picture = Waterfall([one]).svg("mine", verdict(one))
    words = ["".join(e.itertext()) for e in ET.fromstring(picture).iter(TEXT)]
    assert words.count("→ 0") == 2 and "vanishing: below 1e−8" in words


def test_a_histogram_counts_every_element_once():
    values = np.concatenate([np.zeros(60), np.linspace(0, 1, 40)])
    axis = Axis(0.0, 100.0, 0.0, 1.0)
    shares = bars(axis(np.array(spread([values], sizes=False).quantiles)), axis, 10)
    assert shares.sum() == pytest.approx(1) and shares[0] == pytest.approx(0.64, abs=0.02)
    assert shares[1:] == pytest.approx(np.full(9, 0.04), abs=0.02)
    ones = bars(axis(np.ones(129)), axis, 10)  # all at the right end
    assert ones[-1] == pytest.approx(1)


def test_several_tensors_count_by_their_elements():
    both = spread([np.full(10_000, 1.0), np.full(3_000, 9.0)], sizes=True)
    assert both.size == 13_000 and both.sampled
    assert both.share_below(5.0) == pytest.approx(10 / 13, abs=0.01)


def test_hatching_stays_inside():
    heights = [0.0, 12.0, 30.0, 5.0, 0.0, 8.0]
    lines = re.findall(r"M(\S+) (\S+)L([^ ]+) ([^M]+)", hatching(heights, 100.0, 160.0))
    assert lines
    for x1, y1, x2, y2 in np.array(lines, float):
        assert x2 > x1 and (y2 - y1) == pytest.approx(x1 - x2, abs=0.11)
        middle, up = (x1 + x2) / 2, -(y1 + y2) / 2
        assert 0 <= up <= heights[int((middle - 100) // 10)] + 0.2


def test_very_unequal_activations_share_a_logarithmic_axis():
    equal = Waterfall([step(1.0, 1.0, values=(1.0, 3.0))])
    unequal = Waterfall([step(1.0, 1.0, values=(1.0, 1e4))])
    assert not equal.activations.bend and unequal.activations.bend > 0
    assert "activation, log" in unequal.backdrop()
    x = unequal.activations(np.array([-1e4, -1.0, 0.0, 1.0, 1e4]))
    assert (np.diff(x) > 5).all()  # px: each is told from the next


@pytest.mark.parametrize(
    "one",
    [
        step(1e-12, 1e-3, 1e5),
        step(1e-2),
        step(*np.logspace(-20, 5, 40)),
        step(1.0, 1.0, names=["encoder.layers.0.self_attention.out_projection", "b"]),
        step(1e-30, 1e-25),
    ],
    ids=["both ends", "one layer", "forty", "long names", "all vanish"],
)
def test_no_words_leave_the_picture_or_lie_on_others(one):
    drawing = Waterfall([one])
    picture = ET.fromstring(drawing.svg("title", verdict(one)))
    width, boxes = float(picture.get("width")), []

    def walk(element, dx, dy):
        shift = re.match(r"translate\((\S+) (\S+)\)", element.get("transform", ""))
        dx, dy = (dx + float(shift[1]), dy + float(shift[2])) if shift else (dx, dy)
        if element.tag == TEXT:
            words, size = "".join(element.itertext()), float(element.get("font-size"))
            wide = text_width(words, size, "mono" in element.get("font-family"))
            anchor = element.get("text-anchor")
            x = dx + float(element.get("x")) - {"start": 0, "middle": 0.5, "end": 1}[anchor] * wide
            y = dy + float(element.get("y"))
            boxes.append((x, y - 0.72 * size, x + wide, y + 0.1 * size, words))
        for child in element:
            walk(child, dx, dy)

    walk(picture, 0.0, 0.0)
    for i, (left, top, right, bottom, words) in enumerate(boxes):
        assert left >= 0 and right <= width, words
        for u, v, w, h, other in boxes[:i]:
            assert not (left < w and u < right and top < h and v < bottom), (words, other)
