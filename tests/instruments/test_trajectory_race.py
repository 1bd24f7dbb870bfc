"""TrajectoryRace: every track is the optimizer's own, on both engines, and what it says is so."""

import json
import math
import re
import xml.etree.ElementTree as ET

import pytest
import torch

import autogradlab
from autogradlab.graphs.race import LANDSCAPES, on_grid, run
from autogradlab.instruments import TrajectoryRace
from autogradlab.instruments.trajectory_race import letters, within

ENGINES = pytest.mark.parametrize("engine", [autogradlab, torch], ids=["ours", "torch"])
TEXT = "{http://www.w3.org/2000/svg}text"
START = (-1.5, -1.0)
FUNCTIONS = {
    "bowl": lambda x, y: (x**2 + 20 * y**2) / 2,
    "valley": lambda x, y: (1 - x) ** 2 + 5 * (y - x**2) ** 2,
    "saddle": lambda x, y: x**2 / 2 - y**2 / 2 + y**4 / 8,
}


def optimizers(engine):
    optim = engine.optim
    return {
        "SGD": lambda p: optim.SGD(p, lr=0.02),
        "Nesterov": lambda p: optim.SGD(p, lr=0.01, momentum=0.8, nesterov=True),
        "RMSprop": lambda p: optim.RMSprop(p, lr=0.1, alpha=0.9),
        "Adam": lambda p: optim.Adam(p, lr=0.3),
        "AdamW": lambda p: optim.AdamW(p, lr=0.3, weight_decay=0.1),
    }


def start(engine, point=START):
    return engine.tensor(point, dtype=engine.float64)


def race(engine=autogradlab, f="valley", point=START, made=None, **options):
    return TrajectoryRace(f, start(engine, point), made or optimizers(engine), **options)


def texts(made):
    return ["".join(e.itertext()) for e in ET.fromstring(made.svg()).iter(TEXT)]


def by_torch(f, make, steps, point=START):
    """The same steps in a plain loop of PyTorch."""
    p = start(torch, point).requires_grad_()
    optimizer, points, heights = make([p]), [tuple(point)], [f(p[0], p[1]).item()]
    for _ in range(steps):
        optimizer.zero_grad()
        f(p[0], p[1]).backward()
        optimizer.step()
        points.append(tuple(p.tolist()))
        heights.append(f(p[0], p[1]).item())
    return points, heights


# --------------------------------------------------------------------------------- the tracks


@ENGINES
@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_track_is_that_of_a_plain_loop_of_torch(engine, name):
    # Later RMSprop leaps across the floor of the valley, and each leap magnifies a rounding.
    steps = 60 if name == "valley" else 100
    made = race(engine, name, steps=steps)
    for who, make in optimizers(torch).items():
        points, heights = by_torch(FUNCTIONS[name], make, steps)
        track = made.tracks[who]
        assert len(track.points) == steps + 1 and track.ended is None
        for mine, theirs in zip(track.points, points, strict=True):
            assert mine == pytest.approx(theirs, rel=0, abs=1e-12)
        assert track.values == pytest.approx(heights, rel=1e-9, abs=1e-12)


@ENGINES
def test_a_callable_and_its_expression_make_the_same_race(engine):
    typed, called = race(engine), race(engine, FUNCTIONS["valley"])
    assert typed.tracks == called.tracks and typed.heights == pytest.approx(called.heights)
    assert (typed.title, called.title) == (f"f(x, y) = {LANDSCAPES['valley'].expression}",
                                           "f(x, y)")  # fmt: skip
    assert typed.svg().replace(typed.title, "") == called.svg().replace(called.title, "")


@ENGINES
def test_a_function_that_takes_no_grid_is_asked_point_by_point(engine):
    A = engine.tensor([[2.0, 1.0], [1.0, 3.0]], dtype=engine.float64)

    def f(x, y):
        p = engine.stack([x, y])
        return p @ A @ p / 2 if x > -100 else x

    def same(x, y):
        return (2 * x**2 + 2 * x * y + 3 * y**2) / 2

    def sums(x, y):  # takes a grid, and means something else by it
        return (x * x).sum() + y

    box = ((-3.0, 3.0), (-2.4, 2.4))
    assert on_grid(f, start(engine), box) == pytest.approx(on_grid(same, start(engine), box))
    expected = on_grid(lambda x, y: x * x + y, start(engine), box)
    assert on_grid(sums, start(engine), box) == pytest.approx(expected)


def test_an_optimizer_that_needs_a_closure():
    lbfgs = {"LBFGS": lambda p: torch.optim.LBFGS(p, lr=0.5, max_iter=2)}
    made = race(torch, "valley", made=lbfgs, steps=30)
    assert made.tracks["LBFGS"].values[-1] < 1e-6


@ENGINES
def test_an_optimizer_of_ones_own(engine):
    class Mine:
        def __init__(self, params):
            self.params = params

        def step(self):
            with engine.no_grad():
                for p in self.params:
                    p -= 0.02 * p.grad

    made = race(engine, made={"mine": Mine, "SGD": optimizers(engine)["SGD"]})
    for mine, theirs in zip(*(track.points for track in made.tracks.values()), strict=True):
        assert mine == pytest.approx(theirs, abs=1e-9)
    assert made.tracks["mine"].options == "" and made.speed(2.0)


@ENGINES
def test_diverging_is_told_with_its_step(engine):
    make = {"SGD": lambda p: engine.optim.SGD(p, lr=0.12)}
    made = race(engine, "bowl", made=make)
    points, _ = by_torch(FUNCTIONS["bowl"], lambda p: torch.optim.SGD(p, lr=0.12), 60)
    far = next(k for k, (_, y) in enumerate(points) if abs(y) > 10 * 4.8)
    assert made.tracks["SGD"].ended == far and made.tracks["SGD"].diverged
    assert made.go(far - 1) == (f"After {far - 1} steps SGD is at "
        f"{made.tracks['SGD'].values[far - 1]:.0f} (outside the picture).")  # fmt: skip
    assert made.go(far) == f"After {far} steps nobody is left. SGD diverged at step {far}."
    assert f"diverged at {far}" in texts(made)


def test_falling_without_end_is_not_diverging():
    make = {"SGD": lambda p: autogradlab.optim.SGD(p, lr=0.2)}
    made = race(f="x**2 - y**2", point=(1.0, 0.1), made=make)
    track = made.tracks["SGD"]
    assert track.ended and not track.diverged and track.values[-1] < track.values[0]
    assert made.summary.endswith(f"SGD left the picture at step {track.ended}.")


def test_not_finite_ends_a_track():
    make = {"SGD": lambda p: torch.optim.SGD(p, lr=1.0)}
    made = race(torch, "log(x) + 0*y", point=(0.5, 0.0), made=make)
    assert made.tracks["SGD"].ended and all(map(math.isfinite, made.tracks["SGD"].points[-1]))
    wild = race(torch, "exp(exp(x**2)) + y", point=(1.5, 0.0), made=make)
    assert wild.tracks["SGD"].diverged and "nan" not in wild.svg()


# ------------------------------------------------------------------------------ what it says


def test_sentences():
    made = race()
    assert made.sentence == "All 5 start at [−1.5, −1]. There f is 59.06."
    order = sorted(made.tracks.values(), key=lambda t: t.values[20])
    said = made.go(20)
    assert said.startswith(f"After 20 steps {order[0].name} is lowest, at ")
    assert [re.search(rf"\b{t.name} ", said).start() for t in order] == sorted(
        re.search(rf"\b{t.name} ", said).start() for t in order
    )
    assert made.summary == said == made.view.sentences[20]
    made.go(0)
    assert made.summary == made.view.sentences[60]  # the still picture is the whole race
    assert made.go(1).startswith("After 1 step ")
    alone = race(made={"SGD": optimizers(autogradlab)["SGD"]})
    assert alone.sentence.startswith("SGD starts at [−1.5, −1].")
    assert alone.go(3).startswith("After 3 steps SGD is at ")


def test_letters_marks_and_names_tell_the_tracks_apart():
    assert letters(["Adam", "adam", "AdamW", "a", "é", "1"]) == ["A", "D", "M", "4", "5", "6"]
    made = race()
    made.go(30)
    assert {"SGD", "Nesterov", "RMSprop", "Adam", "AdamW", "lr 0.01 · momentum 0.8"} <= set(
        texts(made)
    )
    for letter in "SNRAD":
        assert texts(made).count(letter) == 2  # in the legend and on the landscape
    dashes = re.findall(r'stroke-width="2(?:\.5)?"(?: stroke-dasharray="([^"]+)")?', made.svg())
    assert len(set(dashes)) >= 5


@ENGINES
def test_both_engines_draw_the_same(engine):
    made, other = race(engine), race(torch)
    assert made.svg() == other.svg() == made.svg() and made.sentence == other.sentence
    assert "var(" not in made.svg() and " id=" not in made.svg() and "nan" not in made.svg()
    bundle = made._repr_mimebundle_()
    assert bundle["text/plain"] == made.summary and bundle["image/svg+xml"] == made.svg()


def test_the_browser_scrubs_by_itself():
    made = race(steps=30)
    view = made.view
    assert len(view.frames) == len(view.sentences) == len(view.stops) == 31
    shown = []
    for frame in view.frames:
        shown.append(dict(shown[-1]) if shown else {})
        shown[-1].update({part: view.variants[part][form] for part, form in frame})
    for k, parts in enumerate(shown):
        trails = [bool(parts[step]) for step in range(1, 31)]
        assert trails == [step <= k for step in range(1, 31)]
    assert len({parts[31] for parts in shown}) == 31  # the marks move with each step
    assert len(json.dumps([view.variants, view.frames])) < 200_000


# -------------------------------------------------------------------------------- it is moved


def test_dragged_and_moved_by_keys():
    made = race(f="bowl")
    left, top, right, bottom = 40.0, 16.0, 460.0, 352.0
    before, revision = made.tracks, made.view.revision
    made._on_message({"drag": [(left + right) / 2, (top + bottom) / 2]})
    assert made.start.tolist() == [0, 0] and made.view.revision == revision + 1
    made._on_message({"drag": [left - 500, top - 500]})  # it stays in the picture
    assert made.start.tolist() == [-3, 2.4]
    for way, point in {"Left": [-3, 2.4], "Down": [-3, 2.3], "Right": [-2.9, 2.3]}.items():
        made._on_message({"arrow": way})
        assert made.start.tolist() == pytest.approx(point)
    assert made.tracks != before
    for nonsense in ({}, None, 3, {"drag": None}, {"drag": [math.inf, 1]}, {"arrow": "x"}):
        made._on_message(nonsense)
    assert made.start.tolist() == pytest.approx([-2.9, 2.3])


def test_all_learning_rates_at_once():
    made = race(made={"SGD": lambda p: autogradlab.optim.SGD(p, lr=0.01)})
    made.speed(2.0)
    assert made.tracks["SGD"].points == race().tracks["SGD"].points
    assert "lr 0.02" in texts(made)
    for bad in (0, -1, 21, math.nan, "x", True):
        with pytest.raises(ValueError, match="learning rates are multiplied by"):
            made.speed(bad)


def test_controls():
    made = race()
    landscape, field, x, y, faster = made.controls
    x.value = 0.5
    assert made.start.tolist() == [0.5, -1]
    faster.value = 0.5
    assert made.faster == 0.5
    field.value = "x**2 + y**2"
    assert made.title == "f(x, y) = x**2 + y**2" and landscape.value == "own"
    landscape.value = "saddle"
    assert made.start.tolist() == [-2.5, 0.01] and field.value == LANDSCAPES["saddle"].expression
    assert (x.value, y.value) == (-2.5, 0.01)
    field.value = "x.__class__"
    assert made.view.sentences[0].startswith('Not understood. "x.__class__"')
    assert made.expression == LANDSCAPES["saddle"].expression
    field.value = made.expression
    assert made.view.sentences[0] == made.sentence
    quiet = race(controls=["transport"])
    assert quiet.controls == () and "data-drag" not in str(quiet.view.variants)
    quiet._on_message({"arrow": "Left"})
    assert quiet.start.tolist() == list(START) and quiet.view.stops
    assert race(controls=[]).view.stops == []
    assert len(race(f=FUNCTIONS["bowl"]).controls) == 3  # no expression: no field
    with pytest.raises(ValueError, match="no control 'speed'"):
        race(controls=["speed"])


def test_the_state_can_be_pasted():
    made = race(f="bowl")
    made.write("x**2 + 3*y**2"), made.move(0.5, 1.5), made.speed(0.5), made.go(12)
    again = TrajectoryRace.from_state(
        json.dumps(made.state()), "valley", start(autogradlab), optimizers(autogradlab)
    )
    assert again.state() == made.state() and again.svg() == made.svg()
    for bad in ({"step": 61}, {"faster": 0}, {"start": [1]}, {"f": 3}, {"lr": 1}):
        with pytest.raises(ValueError, match="does not fit"):
            TrajectoryRace.from_state(
                {**made.state(), **bad}, "bowl", start(autogradlab), optimizers(autogradlab)
            )


# ------------------------------------------------------------------------------ it is careful


@ENGINES
def test_no_trace_is_left(engine):
    engine.manual_seed(3)
    weight = engine.tensor(2.0, dtype=engine.float64, requires_grad=True)
    point = start(engine).requires_grad_()
    state = engine.get_rng_state()

    def f(x, y):
        return weight * x**2 + y**2 + 0 * engine.randn(()).to(engine.float64)

    made = TrajectoryRace(f, point, {"SGD": optimizers(engine)["SGD"]})
    made.move(0.5, 0.5)
    assert weight.grad is None and point.grad is None and point.tolist() == list(START)
    assert engine.equal(engine.get_rng_state(), state)

    def fails(x, y):
        engine.randn(())
        if x.numel() == 1 and x.requires_grad:
            raise ZeroDivisionError
        return x * y

    with pytest.raises(ZeroDivisionError):
        TrajectoryRace(fails, point, {"SGD": optimizers(engine)["SGD"]})
    assert engine.equal(engine.get_rng_state(), state) and point.grad is None


@ENGINES
def test_a_function_that_uses_one_variable_or_none(engine):
    made = race(engine, lambda x, y: x**2, made={"SGD": optimizers(engine)["SGD"]})
    assert {y for _, y in made.tracks["SGD"].points} == {-1.0}
    flat = race(engine, lambda x, y: engine.tensor(3.0), made={"SGD": optimizers(engine)["SGD"]})
    assert flat.summary == "After 60 steps SGD is at 3."


def test_names_are_escaped_and_shortened():
    evil = '<script>alert("1")</script>'
    made = race(made={evil: optimizers(autogradlab)["SGD"]})
    made.go(5)
    assert "<script" not in made.svg() + str(made.view.variants) and "&lt;script" in made.svg()
    assert evil in made.sentence  # set as text in the browser


@ENGINES
def test_bad_input(engine):
    sgd = {"SGD": optimizers(engine)["SGD"]}
    for bad, words in {
        "z + x": 'no tensor called "z"', "x +": "not a complete expression",
        "x.grad": "not allowed", "x" + "+x" * 100: "200 characters",
    }.items():  # fmt: skip
        with pytest.raises(ValueError, match=re.escape(words)):
            race(engine, bad, made=sgd)
    with pytest.raises(TypeError, match="f returns a tensor with one number, not float"):
        race(engine, lambda x, y: 1.0, made=sgd)
    with pytest.raises(ValueError, match="f returns one number; this one returned 2"):
        race(engine, lambda x, y: engine.stack([x, y]), made=sgd)
    with pytest.raises(TypeError, match="'SGD' is to make an optimizer"):
        race(engine, made={"SGD": lambda p: None})
    with pytest.raises(ValueError, match="1 to 6 optimizers race, not 7"):
        race(engine, made={str(i): sgd["SGD"] for i in range(7)})
    with pytest.raises(ValueError, match="a race has 1 to 400 steps, not 0"):
        race(engine, steps=0)
    with pytest.raises(ValueError, match=r"x from −3 to 3 and y from −2\.4 to 2\.4"):
        race(engine, point=(4.0, 0.0))
    with pytest.raises(TypeError, match="expected a tensor"):
        TrajectoryRace("bowl", [1.0, 2.0])
    with pytest.raises(TypeError, match="start is float32 or float64, not int64"):
        TrajectoryRace("bowl", engine.tensor([1, 2]))
    with pytest.raises(ValueError, match="this tensor has 3"):
        TrajectoryRace("bowl", engine.ones(3))
    made = race(engine, made=sgd)
    for bad in (-1, 61):
        with pytest.raises(ValueError, match="there are 0 to 60"):
            made.go(bad)
    tracks = made.tracks
    with pytest.raises(ValueError, match="x from"):
        made.move(math.nan, 0.0)
    with pytest.raises(ValueError, match="not allowed"):
        made.write("x.grad")
    assert made.tracks is tracks and made.title.endswith(LANDSCAPES["valley"].expression)


def test_a_piece_of_line_is_cut_at_the_plot():
    assert within((100.0, 100.0), (200.0, 100.0)) == ((100, 100), (200, 100))
    (x, y), (u, v) = within((0.0, 0.0), (500.0, 368.0))
    assert x >= 40 and y >= 16 and u <= 460 and v <= 352 and y / x == pytest.approx(368 / 500)
    assert within((0.0, 0.0), (30.0, 400.0)) is None
    assert within((470.0, 10.0), (480.0, 5.0)) is None


@ENGINES
def test_four_of_the_engine_race_where_none_are_named(engine):
    made = TrajectoryRace("bowl", start(engine))
    assert list(made.tracks) == ["SGD", "momentum", "RMSprop", "Adam"]
    assert not any(track.ended for track in made.tracks.values())
    assert made.view.tag == {"torch": "PyTorch"}.get(engine.__name__, "autogradlab") + " · float64"


def test_a_run_by_itself():
    sgd, box = optimizers(torch)["SGD"], ((-3, 3), (-3, 3))
    made = run(FUNCTIONS["bowl"], start(torch), "SGD", sgd, 5, box)
    assert len(made.points) == 6 and made.options == "lr 0.02"
