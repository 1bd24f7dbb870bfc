"""GradientDetective as a Python object: guesses, the reveal, steps, state, output, no trace."""

import json
import xml.etree.ElementTree as ET

import pytest
import torch

import autogradlab
from autogradlab.graphs.numbers import number
from autogradlab.graphs.suspects import SUSPECTS
from autogradlab.instruments import GradientDetective
from autogradlab.instruments.gradient_detective import Case
from autogradlab.lessons.bug_hunt import CASES

ENGINES = pytest.mark.parametrize("engine", [autogradlab, torch], ids=["ours", "torch"])


def training(engine, names=("first", "second"), width=3):
    engine.manual_seed(0)
    layers = [engine.nn.Linear(2, width), engine.nn.Linear(width, 1)]
    model = engine.nn.ModuleDict(dict(zip(names, layers, strict=True)))
    optimizer = engine.optim.SGD(model.parameters(), lr=0.1)
    x = engine.ones(4, 2)

    def step():
        loss = (layers[1](layers[0](x).tanh()) - 1).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return model, step


def texts(made):
    tag = "{http://www.w3.org/2000/svg}text"
    return ["".join(e.itertext()) for e in ET.fromstring(made.svg()).iter(tag)]


@ENGINES
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_every_wrong_guess_is_cleared_by_evidence_and_the_right_one_shows_the_line(case, engine):
    detective = GradientDetective(case, steps=6, engine=engine)
    assert detective.diff() == [] and detective.verdict == ""
    for suspect in SUSPECTS:
        if suspect == case.culprit:
            continue
        said = detective.guess(suspect)
        assert said.startswith("Not yet. ") and len(said) > 60 and not detective.revealed
        assert detective.diff() == [] and case.wrong.strip() not in detective.svg()
    said = detective.guess(case.culprit)
    assert said.startswith(f"✓ Right: {SUSPECTS[case.culprit]}.")
    lines = [line[2:] for line in detective.diff()]
    assert lines and all(
        line in case.source or line in case.mended_source for line in lines
    )
    assert [line for line in texts(detective) if line[:2] in ("− ", "+ ")] == detective.diff()


def test_reveal_shows_the_line_without_a_guess():
    said = GradientDetective(CASES[1]).reveal()
    assert said.startswith("It is this: zero_grad is missing.")
    assert said.endswith("\n+ optimizer.zero_grad()")


@ENGINES
def test_a_model_of_ones_own_gets_hints_and_no_solution(engine):
    model, step = training(engine)
    detective = GradientDetective(model, step)
    assert detective.hints() == []
    assert detective.reveal().startswith("Nothing looks wrong in 12 steps")
    assert detective.guess("frozen").startswith("It does not fit. ")
    layers = list(model.values())
    head = engine.optim.SGD(layers[1].parameters(), lr=0.1)

    def half():
        loss = (layers[1](layers[0](engine.ones(4, 2)).tanh()) - 1).square().mean()
        head.zero_grad()
        loss.backward()
        head.step()
        return loss

    detective = GradientDetective(model, half)
    assert [found.suspect for found in detective.hints()] == ["frozen"]
    assert detective.guess("frozen").startswith("It would fit: some parameters are frozen.")
    assert "would fit: some parameters are frozen." in detective.reveal()
    assert detective.diff() == []


@ENGINES
def test_a_run_changes_nothing(engine):
    model, step = training(engine)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    state = engine.get_rng_state().clone()
    GradientDetective(model, step).svg()
    assert all(engine.equal(v, before[k]) for k, v in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert engine.equal(engine.get_rng_state(), state)
    type_before = engine.get_default_dtype()
    GradientDetective(CASES[3], engine=engine)
    assert engine.get_default_dtype() is type_before


@ENGINES
def test_ones_own_loop_is_watched_and_left_alone(engine):
    model, step = training(engine)
    detective = GradientDetective(model)
    assert detective.view is None and "No training step" in repr(detective._repr_mimebundle_())
    for _ in range(3):
        with detective.step() as now:
            now.loss = step()
    same, again = training(engine)
    losses = [again().item() for _ in range(3)]
    assert detective.evidence.losses == pytest.approx(losses)
    assert all(
        engine.equal(p, q) for p, q in zip(model.parameters(), same.parameters(), strict=True)
    )
    view = detective.view
    assert len(view.frames) == 3 and detective.view is view
    with detective.step():  # a loss that is not told is not known
        step()
    assert len(detective.view.frames) == 4 and "The loss is not known" in detective.jump(3)


@ENGINES
def test_a_step_that_stops_is_shown(engine):
    model, _ = training(engine)

    def stops():
        raise ZeroDivisionError("<no> & nothing")

    detective = GradientDetective(model, stops)
    assert detective.sentence == "Step 0. It stops with ZeroDivisionError: <no> & nothing."
    assert len(detective.evidence.steps) == 1
    ET.fromstring(detective.svg())


def test_steps_go_on_and_back():
    detective = GradientDetective(CASES[0])
    assert detective.sentence.startswith("Step 1. ")
    assert detective.forward().startswith("Step 2. ")
    assert detective.forward(99).startswith("Step 11. ")
    assert detective.back(99).startswith("Step 0. ")
    detective.view.step = 5
    assert detective.sentence.startswith("Step 5. ")
    with pytest.raises(ValueError, match="there is no stop 12"):
        detective.jump(12)


@ENGINES
def test_the_picture_shows_the_numbers_of_its_step(engine):
    model, step = training(engine)
    detective = GradientDetective(model, step)
    detective.jump(4)
    shown = texts(detective)
    for name in detective.evidence.names:
        assert name in shown
    seen = detective.evidence.steps[4]
    for x in seen.parameters:
        assert number(x.came, 3) in shown
    assert number(seen.promised, 3) in shown and "4 of 4" in shown


def test_the_picture_is_the_same_twice_and_names_are_escaped():
    model, step = training(autogradlab, ("<b>&", '"x"'))
    one = GradientDetective(model, step)
    two = GradientDetective(model, step)
    assert one.svg() == two.svg()
    markup = json.dumps([one.view.variants, one.view.targets[0][0]])
    assert "<b>" not in markup and "&lt;b&gt;&amp;" in markup
    assert one.guess("detach") and "<b>&" not in one.view.panels[0].replace("<b>It does", "")


def test_many_parameters_stand_in_one_row():
    model = torch.nn.TransformerEncoder(
        torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 3
    )
    optimizer = torch.optim.Adam(model.parameters())

    def step():
        loss = model(torch.ones(2, 3, 8)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    detective = GradientDetective(model, step, steps=3)
    names = [words for words in texts(detective) if words.endswith(".*")]
    assert len(names) == 3 and "12 parameters" in detective.view.targets[0][1]


def test_a_stack_of_many_layers_is_shown_in_twelve_rows_at_most():
    layers = [autogradlab.nn.Linear(2, 2) for _ in range(30)]
    model = autogradlab.nn.ModuleDict({"stack": autogradlab.nn.Sequential(*layers)})

    def step():
        loss = model["stack"](autogradlab.ones(2, 2)).mean()
        loss.backward()
        return loss

    detective = GradientDetective(model, step, steps=2)
    assert [about.partition(" ·")[0] for _, about, *_ in detective.view.targets] == [
        f"stack.{i}–stack.{i + 2}" for i in range(0, 30, 3)
    ]


def test_check_is_spoken_to_after_each_choice(monkeypatch):
    """So that the kernel hears both in one thread, and a choice before the press after it."""
    menu, check, _ = GradientDetective(CASES[0]).controls
    sent = []
    monkeypatch.setattr(type(check), "send_state", lambda self, key=None: sent.append((self, key)))
    menu.value = menu.options[1][1]
    assert sent == [(check, "description")]


@pytest.mark.parametrize("moves", [True, False])
def test_controls_and_their_names(moves):
    controls = ["suspects", "transport"] if moves else ["reveal"]
    detective = GradientDetective(CASES[0], controls=controls)
    kinds = [type(each).__name__ for each in detective.controls]
    assert kinds == (["Dropdown", "Button"] if moves else ["Button"])
    assert bool(detective.view.stops) is moves
    with pytest.raises(ValueError, match="has no control 'guess'"):
        GradientDetective(CASES[0], controls=["guess"])


def test_the_menu_and_the_buttons_do_what_the_methods_do():
    detective = GradientDetective(CASES[4])
    menu, check, reveal = detective.controls
    check.click()
    assert detective.verdict == "Choose a suspect first."
    menu.value = "exploding"
    check.click()
    assert detective.guessed == "exploding" and "Not yet." in detective.view.panels[0]
    reveal.click()
    assert detective.revealed and "reduction=&quot;mean&quot;" in detective.view.panels[0]


def test_state_is_taken_and_pasted_back():
    detective = GradientDetective(CASES[2])
    detective.guess("detach")
    detective.jump(7)
    state = json.dumps(detective.state())
    copy = GradientDetective.from_state(state, CASES[2])
    assert copy.state() == detective.state() and copy.svg() == detective.svg()
    detective.reveal()
    copy = GradientDetective.from_state(detective.state(), CASES[2])
    assert copy.revealed and copy.diff() == detective.diff()
    for wrong in ({"guessed": "nobody"}, {"revealed": 1}, {"step": 99}):
        with pytest.raises(ValueError, match="does not fit"):
            GradientDetective.from_state({"instrument": "GradientDetective", **wrong}, CASES[2])


def test_bad_input_is_told():
    model, step = training(autogradlab)
    with pytest.raises(TypeError, match="expected a model"):
        GradientDetective("model", step)
    with pytest.raises(TypeError, match="step is a function"):
        GradientDetective(model, 3)
    with pytest.raises(ValueError, match="steps is 1 to 100"):
        GradientDetective(model, step, steps=0)
    with pytest.raises(ValueError, match="there is no suspect"):
        GradientDetective(model, step).guess("gremlins")
    with pytest.raises(RuntimeError, match="No training step"):
        GradientDetective(model).svg()


def test_a_case_can_be_made_of_any_function():
    def halves(engine):
        return training(engine)

    case = Case(halves, "detach", "training(engine)", "training(engine)  # mended")
    assert case.title == "halves"
    assert GradientDetective(case, steps=2).reveal().endswith(
        "− return training(engine)\n+ return training(engine)  # mended"
    )


def test_the_bundle_has_all_three():
    bundle = GradientDetective(CASES[0])._repr_mimebundle_()
    assert {"image/svg+xml", "text/plain"} < set(bundle) and bundle["text/plain"]
    assert repr(GradientDetective(CASES[0])) == "<GradientDetective of network 1>"
