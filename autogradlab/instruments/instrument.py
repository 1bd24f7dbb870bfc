"""What every instrument is: a plain object with a sentence, a still picture and a live widget. Its
state can be taken as text and pasted back.

A new instrument makes an `SvgView` in `self.view` and gives `summary`, `svg` and `title`; what of
its own a reader can change it names in `STATE`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..graphs.export import write
from .svg_view import SvgView

VIEW = "application/vnd.jupyter.widget-view+json"
LONGEST = 100_000  # characters of a pasted state


def texts(x: Any) -> bool:
    """Whether this is a list of texts."""
    return isinstance(x, list) and all(isinstance(each, str) for each in x)


class Instrument:
    """The parts that all instruments have in common.

    Attributes:
        view: the widget; None where its picture cannot be made, and `trouble` says why.
        controls: widgets of ipywidgets that stand above it.
        CONTROLS: what a teacher can leave out with `controls=[…]`.
        STATE: what a reader can change, and for each a test of a pasted value.
    """

    title = "Instrument"
    CONTROLS: tuple[str, ...] = ()
    STATE: Mapping[str, Callable[[Any], bool]] = {
        "step": lambda x: isinstance(x, int) and not isinstance(x, bool) and x >= 0,
        "selected": lambda x: isinstance(x, str),
        "breakpoints": texts,
    }
    view: SvgView | None = None
    controls: tuple[Any, ...] = ()
    trouble = ""
    _box: Any = None

    @property
    def summary(self) -> str:
        """What the picture says, in words."""
        raise NotImplementedError

    def svg(self) -> str:
        """The still picture."""
        raise NotImplementedError

    def save(self, path: str) -> Path:
        """Write the still picture into a file that ends in ".svg"; it appears whole or not at all.

        Raises:
            ValueError: another ending; OSError: no such folder.
        """
        if Path(path).suffix != ".svg":
            raise ValueError(f"{Path(path).name!r} does not end in .svg")
        return write(Path(path), self.svg().encode())

    # ---------------------------------------------------------------------------------- state

    def state(self) -> dict[str, Any]:
        """What the reader has chosen, as data that fits in JSON; see `from_state`."""
        values = {name: self._get(name) for name in self.STATE}
        return {"instrument": type(self).__name__, **values}

    @classmethod
    def from_state(cls, state: str | Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        """The instrument for the same arguments as ever, put in a state that `state()` gave.

        Args:
            state: a dictionary, or JSON text of one. It is read as data and checked.

        Raises:
            ValueError: this is no state of this instrument, or not one that fits its arguments.
        """
        values = checked(state, cls)
        made = cls(*args, **kwargs)
        for name in cls.STATE:
            if name in values:
                made._set(name, values[name])
        return made

    def _get(self, name: str) -> Any:
        return getattr(self.view, name) if self.view else getattr(self, f"_{name}")

    def _set(self, name: str, value: Any) -> None:
        """Put one part of a state in place, or raise ValueError if it does not fit."""
        if self.view is None:
            setattr(self, f"_{name}", value)
            return
        if name == "step" and value >= len(self.view.frames):
            last = len(self.view.frames) - 1
            raise ValueError(f"this state does not fit: step {value} of {last}")
        known = {target[0] for target in self.view.targets} | {""}
        for key in value if isinstance(value, list) else [value] if name == "selected" else ():
            if key not in known:
                raise ValueError(f"this state does not fit: there is no node {key[:40]!r}")
        setattr(self.view, name, value)

    # --------------------------------------------------------------------------------- output

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.title}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """The live widget, the still picture, and the sentence, in one bundle."""
        if self.view is None:
            return {"text/plain": f"{self.summary}\n{self.trouble}"}
        live = self.view._repr_mimebundle_() or {}  # tells Colab, too, that widgets will come
        live = live[0] if isinstance(live, tuple) else live
        if self.controls and VIEW in live:
            live = {**live, VIEW: {**live[VIEW], "model_id": self.with_controls().model_id}}
        return {**live, "image/svg+xml": self.svg(), "text/plain": self.summary}

    def with_controls(self) -> Any:
        """The widget with its controls above it, in rows that wrap."""
        if self._box is None:
            from ipywidgets import HBox, Layout, VBox

            row = HBox(self.controls, layout=Layout(flex_flow="row wrap"))
            self._box = VBox([row, self.view])
        return self._box


def checked(state: str | Mapping[str, Any], kind: type[Instrument]) -> Mapping[str, Any]:
    """A pasted state as data, or ValueError in plain words.

    >>> checked('{"instrument": "Instrument", "step": -1}', Instrument)
    Traceback (most recent call last):
        ...
    ValueError: this state does not fit: step is -1
    """
    if isinstance(state, str):
        if len(state) > LONGEST:
            raise ValueError(f"this state is longer than {LONGEST:,} characters")
        try:
            state = json.loads(state)
        except (json.JSONDecodeError, RecursionError) as error:
            raise ValueError(f"this state is not JSON: {error}") from None
    if not isinstance(state, Mapping):
        raise ValueError("a state is a dictionary, or JSON text of one")
    if state.get("instrument") != kind.__name__:
        whose = str(state.get("instrument"))[:40]
        raise ValueError(f"this is a state of {whose}, not of {kind.__name__}")
    for name, value in state.items():
        if name != "instrument" and not (name in kind.STATE and kind.STATE[name](value)):
            raise ValueError(f"this state does not fit: {str(name)[:40]} is {str(value)[:40]}")
    return state


def stop_number(stops: Sequence[str], to: int | str) -> int:
    """The number of a stop of the timeline, given by its number from 0 or by its name.

    >>> stop_number(["start", "step"], "step")
    1
    """
    if isinstance(to, str) and to not in stops:
        raise ValueError(f"there is no stop {to!r}; there are {', '.join(stops)}")
    step = stops.index(to) if isinstance(to, str) else to
    if not 0 <= step < len(stops):
        raise ValueError(f"there is no stop {step}: there are 0 to {len(stops) - 1}")
    return step


def notice() -> Any:
    """An empty line beside the controls, for what they cannot do: it wraps where it is long.

    >>> notice().value
    ''
    """
    from ipywidgets import Label

    made = Label("")
    made.add_class("agl-notice")
    return made


def chosen(controls: Iterable[str] | None, kind: type[Instrument]) -> tuple[str, ...]:
    """The controls that are to be shown; None for all.

    Raises:
        ValueError: an instrument has no such control.
    """
    wanted = kind.CONTROLS if controls is None else tuple(controls)
    for name in wanted:
        if name not in kind.CONTROLS:
            every = ", ".join(kind.CONTROLS) or "none"
            raise ValueError(f"{kind.__name__} has no control {name!r}; it has {every}")
    return tuple(name for name in kind.CONTROLS if name in wanted)
