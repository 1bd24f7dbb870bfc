"""Recording: one backward pass of either engine, observed by hooks, as a list of events.

`record_backward` runs a pass of its own, with the graph retained, and leaves no trace: every
`.grad` is the same object with the same values as before, every buffer and the random state are put
back, no hook stays, also when something raises. `record` watches the passes of the user's own
training step and changes nothing.

Gradients of few elements are kept until the pass is over, to be shown in full and multiplied out.
Larger ones are summed up in the hook, as they come by, and not kept."""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np

from .data import Event, Factor, Recording, Summary
from .modules import engine_of_module, watch
from .numbers import numbers
from .protocol import SAMPLE, array_of, close, ends_of, is_leaf, summarize
from .read import FEW, Reading
from .words import LABEL, derivative, literal, substituted

SMALL = 600  # nodes of a graph whose small gradients are kept in full
MANY = 20_000  # nodes that `record` reads at most
Step = tuple[str, list[Any], list[Any]]  # key, gradients in by result, gradients out by slot


def record_backward(
    root: Any,
    gradient: Any = None,
    names: Mapping[str, Any] | None = None,
    limit: int = 2000,
    model: Any = None,
    watched: watch | None = None,
) -> Recording:
    """Run `root.backward(gradient)` once, on either engine, and write down every step.

    Args:
        root: a tensor with a graph that has not been freed.
        gradient: what to start from, a tensor or nested lists; may be left out for one element.
        names: what to call tensors, see `read_graph`.
        limit: the most nodes to read.
        model, watched: the module that computed it, see `read_graph`.

    Raises:
        what `root.backward(gradient)` and `read_graph` raise. If the pass has begun, the exception
        has the recording up to there as its attribute `recording`.

    >>> from autogradlab import tensor
    >>> a = tensor([2.0, 3.0], requires_grad=True)
    >>> recording = record_backward(a**3, [1.0, 1.0], {"a": a})
    >>> recording.events[0].factors[0].text, recording.events[0].factors[0].substituted
    ('d(a³)/da = 3a²', ('3·2²', '3·3²'))
    >>> recording.events[1].accumulated[1].values, a.grad
    ((12.0, 27.0), None)
    """
    reading = Reading(root, names, limit, model, watched)
    engine = reading.engine
    if gradient is not None and not engine.is_tensor(gradient):
        gradient = engine.tensor(gradient, dtype=root.dtype)
    observer = Observer(reading)

    def recording(error: str = "") -> Recording:
        with engine.no_grad():
            start = engine.ones_like(root) if gradient is None else gradient
            given = "" if gradient is None else f"gradient={numbers(summarize(start))}"
            call = f"{reading.root_name}.backward({given})"
            return Recording(reading.graph, observer.events(), summarize(start), call, error)

    try:
        with untouched(reading) as observer.before, hooked(reading, observer):
            engine.autograd.backward(root, gradient, retain_graph=True)
    except Exception as error:
        error.recording = recording(in_words(error))
        raise
    return recording()


def in_words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


class record:
    """Record the backward passes of a training step while it runs, and change nothing.

    A hook after the model's `forward` hangs hooks on the nodes that computed its outputs, so what
    is recorded is the pass through the model, from the gradient that arrives at its outputs on; the
    loss after it is the user's. The modules are seen exactly, as by `watch`. Every pass through
    every call of the model is one recording: 100 training steps are 100. Local derivatives, for
    which nodes would have to run again, are not recorded.

    Args:
        model: a module of autogradlab or PyTorch.
        names: what to call tensors besides its parameters, see `read_graph`.
        limit: the most nodes to read.

    Raises:
        TypeError: `model` is not a module.

    >>> from autogradlab import nn, ones
    >>> model = nn.Linear(2, 1)
    >>> with record(model) as seen:
    ...     model(ones(1, 2)).sum().backward()
    >>> [seen.recording.graph.nodes[event.key].label for event in seen.recording.events]
    ['addmm', 'bias', 'weightᵀ', 'weight']
    >>> model.weight.grad
    tensor([[1., 1.]])
    """

    def __init__(self, model: Any, names: Mapping[str, Any] | None = None, limit: int = MANY):
        self.engine = engine_of_module(model)
        self.model, self.names, self.limit = model, names, limit
        self.recordings: list[Recording] = []
        self._seen = watch(model)
        self._running: list[tuple[Observer, list[Any]]] = []
        self._refused: ValueError | None = None
        self._handle: Any = None

    @property
    def recording(self) -> Recording:
        """The last of the passes.

        Raises:
            RuntimeError: there was none.
            ValueError: the graph had more than `limit` nodes.
        """
        if self.recordings:
            return self.recordings[-1]
        if self._refused:
            raise self._refused
        raise RuntimeError(
            "no backward pass has gone through the model yet; recordings are there when the `with` "
            "block has ended"
        )

    def __enter__(self) -> record:
        self._seen.__enter__()
        self._handle = self.model.register_forward_hook(self._called)
        return self

    def __exit__(self, kind: Any = None, error: Any = None, traceback: Any = None) -> None:
        self._handle.remove()
        self._seen.__exit__()
        self._finish(self._running, in_words(error) if error is not None else "")
        self._running = []

    def _called(self, module: Any, args: Any, output: Any) -> None:
        """The model has run: be ready for a pass back from its outputs."""
        # The last pass may be under way: checkpointing calls the model again from within it.
        over = [each for each in self._running[:-1] if each[0].steps]
        self._finish(over)
        self._running = [each for each in self._running if not any(each is x for x in over)]
        outputs = [x for x in tensors_in(output, self.engine) if x.grad_fn is not None]
        if not outputs:
            return
        try:
            reading = Reading(
                *(outputs[0], self.names, self.limit),
                watched=self._seen,
                more=outputs[1:],
            )
        except ValueError as error:  # the training step goes on
            self._refused = error
            return
        observer = Observer(reading, live=True)
        handles: list[Any] = []
        self._running.append((observer, handles))
        hang(reading, observer, handles)
        reading.forget()

    def _finish(self, running: Sequence[tuple[Observer, list[Any]]], error: str = "") -> None:
        """Take the hooks away, and keep what was recorded."""
        for observer, handles in running:
            for handle in handles:
                handle.remove()
            passes = observer.passes()
            for i, events in enumerate(passes):
                last = observer is running[-1][0] and i == len(passes) - 1
                graph, stopped = observer.reading.graph, error if last else ""
                first = next(edge.source for edge in graph.edges if edge.target == graph.root)
                came = next((e.grad_in for e in events if e.key == first), None)
                self.recordings.append(Recording(graph, events, came, "backward()", stopped))


def tensors_in(value: Any, engine: Any) -> list[Any]:
    """The tensors of a nest of tuples, lists and dicts, each once."""
    found, stack = [], [value]
    while stack:
        x = stack.pop()
        if engine.is_tensor(x):
            found.append(x)
        elif isinstance(x, Mapping):
            stack += reversed(x.values())
        elif isinstance(x, tuple | list):
            stack += reversed(x)
    return list({id(x): x for x in found}.values())


# --------------------------------------------------------------------------------- leave no trace


@contextmanager
def untouched(reading: Reading) -> Iterator[dict[str, Any]]:
    """Empty every `.grad` the pass would fill, and put the very objects back afterwards, as well as
    the random state. A checkpointed module runs again within the pass, out of sight: the gradients
    of all parameters of the model, and its buffers, are put back too.

    Gives the `.grad` of each leaf by its key.
    """
    engine, leaves = reading.engine, {k: n.variable for n, k in reading.keys.items() if is_leaf(n)}
    more = [] if reading.model is None else list(reading.model.parameters())
    filled = [*leaves.values(), *retaining(reading), *more]
    before, state = [tensor.grad for tensor in filled], engine.get_rng_state()
    buffers = [array_of(x) for x in reading.model.buffers()] if reading.model is not None else []
    contents = [a.copy() for a in buffers]
    try:
        for tensor in filled:
            tensor.grad = None
        yield dict(zip(leaves, before, strict=False))
    finally:
        for tensor, grad in zip(filled, before, strict=True):  # one that is there twice had one
            tensor.grad = grad
        for buffer, content in zip(buffers, contents, strict=True):
            buffer[...] = content  # past the version counter: a node may have saved the buffer
        engine.set_rng_state(state)


def retaining(reading: Reading) -> list[Any]:
    """The intermediate results that keep their gradient. The graph does not know them, only they
    know their node: they are found among all living objects."""
    kinds, new = {reading.engine.Tensor}, [reading.engine.Tensor]
    while new:  # to look a type up is five times as fast as to ask each object
        new = [kind for each in new for kind in type.__subclasses__(each) if kind not in kinds]
        kinds.update(new)
    tensors = [x for x in gc.get_objects() if type(x) in kinds]
    return [t for t in tensors if t.grad_fn in reading.keys and t.retains_grad]


@contextmanager
def hooked(reading: Reading, observer: Observer) -> Iterator[None]:
    """While this holds, every node that runs is written down, in the engine's own order."""
    handles: list[Any] = []
    try:
        hang(reading, observer, handles)
        yield
    finally:
        for handle in handles:
            handle.remove()


def hang(reading: Reading, observer: Observer, handles: list[Any]) -> None:
    """Hang the observer's hooks on every node."""
    for node, key in reading.keys.items():
        if observer.live and is_leaf(node):
            handles.append(node.register_prehook(observer.before_leaf(key, node)))
        handles.append(node.register_hook(observer.after_node(key, node)))


def place(g: Any) -> Any:
    """Where a gradient is in memory, and how it is read; as long as it lives, only it is there."""
    return None if g is None else (g.data_ptr(), tuple(g.shape), g.stride(), g.dtype)


def copy(g: Any) -> Any:
    return None if g is None else g.detach().clone()


def alike(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether a copy that nobody has written to is one of `b`, told by evenly strided elements."""
    if a.flags.c_contiguous and b.flags.c_contiguous and a.shape == b.shape:
        step = -(-a.size // SAMPLE) or 1
        a, b = a.ravel()[::step], b.ravel()[::step]
    return np.array_equal(a, b)


# -------------------------------------------------------------------------------- while it runs


class Observer:
    """What the hooks have seen: for a node with small gradients these themselves, for any other the
    event, ready but for the memory that is still held.

    Args:
        live: the pass is the user's: `.grad` is filled, and nothing is kept but numbers.
    """

    def __init__(self, reading: Reading, live: bool = False) -> None:
        self.reading, self.live = reading, live
        self.whole = not live and len(reading.order) <= SMALL
        self.targets = {
            key: [None if p is None else reading.port(p, k) for p, k in reading.order[node]]
            for node, key in reading.keys.items()
        }
        self.before: dict[str, Any] = {}  # the `.grad` of each leaf
        self.steps: list[Step | Event] = []  # empty until the pass has come here
        self._sent: dict[str, Any] = {}  # by port, what was sent there alone and has not arrived

    def before_leaf(self, key: str, node: Any) -> Any:
        def look(came: Any) -> None:
            self.before[key] = summarize(node.variable.grad)

        return look

    def after_node(self, key: str, node: Any) -> Any:
        def look(sent: Any, came: Any) -> None:
            if self.live and is_leaf(node) and key not in self._sent:
                return  # a leaf is in the graphs of other steps too: their pass, not this one
            if self.whole and all(g is None or g.numel() <= FEW for g in (*sent, *came)):
                self.steps.append((key, [copy(g) for g in came], [copy(g) for g in sent]))
            else:
                self.steps.append(self.summarized(key, node, came, sent))

        return look

    def summarized(self, key: str, node: Any, came: Any, sent: Any) -> Event:
        """A step whose gradients are too large to keep."""
        grads_in = tuple(self.arrived(self.reading.port(node, k), g) for k, g in enumerate(came))
        if is_leaf(node):
            return Event(key, grads_in, {}, (), self.accumulated(key, node, came, grads_in), 0, 0)
        sums = self.summed(key, sent)
        # What is sent on as it came, as by an addition, is summed up once.
        seen = {place(g): known for g, known in zip(came, grads_in, strict=True)}
        grads_out = {}
        for target, g in sums.items():
            if place(g) not in seen:
                seen[place(g)] = summarize(g)
            grads_out[target] = seen[place(g)]
            alone = g is not None and target not in self._sent
            self._sent[target] = (g.data_ptr(), g._version, grads_out[target]) if alone else None
        return Event(key, grads_in, grads_out, (), None, 0, 0)

    def summed(self, key: str, sent: Any) -> dict[str, Any]:
        """What a node sends, by port."""
        sums: dict[str, Any] = {}
        for target, g in zip(self.targets[key], sent, strict=True):
            if target is not None:
                with self.reading.engine.no_grad() if target in sums else nullcontext():
                    sums[target] = plus(sums.get(target), g)
        return sums

    def accumulated(
        self, key: str, node: Any, came: Any, grads_in: tuple[Summary | None, ...]
    ) -> tuple[Summary | None, Summary | None]:
        """The `.grad` of a leaf before and after."""
        old, (new,), now = self.before.get(key), grads_in, node.variable.grad
        if not self.live:
            if old is None:
                return None, new
            with self.reading.engine.no_grad():
                return summarize(old), summarize(plus(old, came[0]))
        if now is None:  # emptied again by a hook
            return old, new
        same = now.data_ptr() == came[0].data_ptr() or (
            not now._version and alike(array_of(now), array_of(came[0]))
        )
        return old, new if old is None and same else summarize(now)

    def arrived(self, port: str, g: Any) -> Summary | None:
        """A gradient that came, in numbers: those it was sent with, if it is still the same."""
        sent = self._sent.pop(port, None)
        if g is None or sent is None or sent[:2] != (g.data_ptr(), g._version):
            return summarize(g)
        summary = sent[2]
        if summary.shape != tuple(g.shape) or summary.ends != ends_of(array_of(g)):
            return summarize(g)  # a hook has put another in its place
        return summary

    # ------------------------------------------------------------------------------ afterwards

    def passes(self) -> list[tuple[Event, ...]]:
        """The events of each pass: a node that runs again begins a new one."""
        found: list[list[Event | Step]] = []
        ran: set[str] = set()
        for step in self.steps:
            key = step.key if isinstance(step, Event) else step[0]
            if not found or key in ran:
                found.append([])
                ran = set()
            ran.add(key)
            found[-1].append(step)
        return [self.events(steps) for steps in found]

    def events(self, steps: Sequence[Step | Event] | None = None) -> tuple[Event, ...]:
        """Every step as plain data."""
        steps = self.steps if steps is None else steps
        made = [s if isinstance(s, Event) else event(self.reading, s, self.before) for s in steps]
        total, held = bytes_held(self.reading, [each.key for each in made])
        pairs = zip(made, held, strict=True)
        return tuple(replace(each, bytes_held=n, bytes_total=total) for each, n in pairs)


# -------------------------------------------------------------------------------------- one step


def bytes_held(reading: Reading, ran: list[str]) -> tuple[int, list[int]]:
    """The bytes of all saved tensors, and after each step of those that are still needed.

    Memory that several nodes have saved is counted once.
    """
    memory = reading.memory
    users = Counter(where for own in memory.values() for where in own)
    held = total = sum({at: n for own in memory.values() for at, n in own.items()}.values())
    found = []
    for key in ran:
        own = memory.get(key, {})
        users.subtract(own.keys())
        held -= sum(n for where, n in own.items() if not users[where])
        found.append(held)
    return total, found


def event(reading: Reading, step: Step, before: dict[str, Any]) -> Event:
    """One step, as plain data; what memory is held is not known yet."""
    key, came, sent = step
    grads_out: dict[str, Summary | None] = {}
    accumulated, factors = None, ()
    if key in before:
        old = before[key]
        new = plus(old, came[0])
        accumulated = summarize(old), summarize(new)
    else:
        inputs = reading.order[reading.nodes[key]]
        targets = [None if parent is None else reading.port(parent, k) for parent, k in inputs]
        sums: dict[str, Any] = {}
        for target, g in zip(targets, sent, strict=True):
            if target is not None:
                sums[target] = plus(sums.get(target), g)
        grads_out = {target: summarize(g) for target, g in sums.items()}
        factors = factors_of(reading, step, targets)
    grads_in = tuple(summarize(g) for g in came)
    return Event(key, grads_in, grads_out, factors, accumulated, 0, 0)


def plus(a: Any, b: Any) -> Any:
    """A sum in which None is nothing."""
    return a if b is None else b if a is None else a + b


def factors_of(reading: Reading, step: Step, targets: list[str | None]) -> tuple[Factor, ...]:
    """For each input, the local derivative, where the node multiplied the gradient by it element
    by element: what the node makes of a gradient of ones."""
    key, (came, *others), sent = step
    operands, call = reading.operands[key], reading.calls[key]
    phrases = [o.phrase if len(o.phrase.text) <= LABEL else o.short for o in operands]
    texts = [derivative(call, slot, phrases) if t else "" for slot, t in enumerate(targets)]
    if came is None or others or not any(texts):
        return ()
    with np.errstate(all="ignore"):
        slopes = reading.nodes[key](reading.engine.ones_like(came))
    slopes = slopes if isinstance(slopes, tuple) else (slopes,)
    found = []
    for slot, (target, text, slope, out) in enumerate(
        zip(targets, texts, slopes, sent, strict=True)
    ):
        if text and slope is not None and out is not None and slope.shape == came.shape:
            with np.errstate(all="ignore"):
                if close(array_of(came) * array_of(slope), array_of(out)):
                    live = with_numbers(reading, key, slot, array_of(slope))
                    found.append(Factor(target, text, live, summarize(slope)))
    return tuple(found)


def with_numbers(
    reading: Reading, key: str, slot: int, slope: np.ndarray
) -> tuple[str, ...] | None:
    """The derivative with live numbers, per element; None if that only repeats the result."""
    values = [operand.value for operand in reading.operands[key]]
    if slope.size > 64 or any(v is None for v in values):
        return None
    columns = [np.broadcast_to(v, slope.shape).ravel().tolist() for v in values]
    rows = zip(*columns, strict=True) if columns else ()
    texts = tuple(substituted(reading.calls[key], slot, row) for row in rows)
    return None if texts == tuple(literal(x).text for x in slope.ravel().tolist()) else texts
