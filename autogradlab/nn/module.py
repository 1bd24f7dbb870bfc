"""`Module`: a network or a part of one, as a tree of parameters, buffers and submodules.

What is set as an attribute is sorted into `_parameters`, `_buffers`, `_modules` or the plain
attributes. Everything else walks that tree: names, modes, casts, state dicts, printing.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict, namedtuple
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from .. import dtypes
from ..autograd.grad_mode import no_grad
from ..hooks import RemovableHandle
from ..tensor import Tensor
from .module_hooks import call_with_hooks
from .parameter import Parameter

Named = Iterator[tuple[str, Any]]
REGISTRIES = {"parameter": "_parameters", "buffer": "_buffers", "module": "_modules"}


class IncompatibleKeys(namedtuple("_IncompatibleKeys", "missing_keys unexpected_keys")):
    """The keys in which a state dict and a module differ."""

    __slots__ = ()

    def __repr__(self) -> str:
        return super().__repr__() if any(self) else "<All keys matched successfully>"

    __str__ = __repr__


IncompatibleKeys.__name__ = "_IncompatibleKeys"


class Module:
    """The base of every network: set parameters and modules as attributes, write `forward`.

    >>> from autogradlab import nn, ones
    >>> class Net(nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.layer = nn.Linear(3, 1, bias=False)
    ...     def forward(self, x):
    ...         return self.layer(x).relu()
    >>> Net()
    Net(
      (layer): Linear(in_features=3, out_features=1, bias=False)
    )
    >>> [name for name, _ in Net().named_parameters()], Net()(ones(2, 3)).shape
    (['layer.weight'], torch.Size([2, 1]))
    """

    training: bool
    _version = 1  # of the layout of the state dict

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        name = f"{type(self).__name__}.__init__()"
        if kwargs:
            raise TypeError(f"{name} got an unexpected keyword argument '{next(iter(kwargs))}'")
        if args:
            raise TypeError(f"{name} takes 1 positional argument but {len(args) + 1} were given")
        registries = {registry: {} for registry in REGISTRIES.values()}
        kinds = ("forward_pre", "forward", "backward_pre", "backward")
        hooks = {f"_{kind}_hooks": {} for kind in kinds}
        self.__dict__.update(registries, training=True, _non_persistent_buffers_set=set(), **hooks)

    def forward(self, *inputs: Any) -> Any:
        """What the module computes; every subclass writes its own."""
        raise NotImplementedError(
            f'Module [{type(self).__name__}] is missing the required "forward" function'
        )

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if (
            self._forward_hooks or self._forward_pre_hooks
            or self._backward_hooks or self._backward_pre_hooks
        ):  # fmt: skip
            return call_with_hooks(self, args, kwargs)
        return self.forward(*args, **kwargs)

    # ------------------------------------------------------------------------------ attributes

    def __getattr__(self, name: str) -> Any:
        own = self.__dict__
        for registry in REGISTRIES.values():
            if registry in own and name in own[registry]:
                return own[registry][name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __setattr__(self, name: str, value: Any) -> None:
        own = self.__dict__
        parameters, modules = own.get("_parameters"), own.get("_modules")
        if isinstance(value, Parameter):
            if parameters is None:
                raise AttributeError("cannot assign parameters before Module.__init__() call")
            self._forget(name, keep="_parameters")
            self.register_parameter(name, value)
        elif parameters is not None and name in parameters:
            if value is not None:
                raise TypeError(
                    f"cannot assign '{typename(value)}' as parameter '{name}' "
                    "(torch.nn.Parameter or None expected)"
                )
            parameters[name] = None
        elif isinstance(value, Module):
            if modules is None:
                raise AttributeError("cannot assign module before Module.__init__() call")
            self._forget(name, keep="_modules")
            modules[name] = value
        elif modules is not None and name in modules:
            if value is not None:
                raise TypeError(
                    f"cannot assign '{typename(value)}' as child module '{name}' "
                    "(torch.nn.Module or None expected)"
                )
            modules[name] = None
        elif name in own.get("_buffers", ()):
            if not isinstance(value, Tensor | None):
                raise TypeError(
                    f"cannot assign '{typename(value)}' as buffer '{name}' "
                    "(torch.nn.Buffer, torch.Tensor or None expected)"
                )
            own["_buffers"][name] = value
        else:
            object.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        if any(name in self.__dict__[registry] for registry in REGISTRIES.values()):
            self._forget(name)
        else:
            object.__delattr__(self, name)

    def _forget(self, name: str, keep: str = "") -> None:
        """Take a name out of the attributes, and out of every registry but `keep`."""
        places = [self.__dict__[r] for r in REGISTRIES.values() if r != keep]
        for place in (self.__dict__, *places) if keep else places:
            place.pop(name, None)

    def __dir__(self) -> list[str]:
        names = {*super().__dir__(), *self._parameters, *self._modules, *self._buffers}
        return sorted(name for name in names if not name[:1].isdigit())

    def _register(self, kind: str, name: str, value: Any) -> None:
        registry = self.__dict__.get(REGISTRIES[kind])
        if registry is None:
            raise AttributeError(f"cannot assign {kind} before Module.__init__() call")
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {typename(name)}")
        if "." in name:
            got = f", got: {name}" if kind == "module" else ""
            raise KeyError(f'{kind} name can\'t contain "."{got}')
        if not name:
            raise KeyError(f'{kind} name can\'t be empty string ""')
        if hasattr(self, name) and name not in registry:
            raise KeyError(f"attribute '{name}' already exists")
        registry[name] = value

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter, or None: a name for one that is left out."""
        if not isinstance(param, Parameter | None):
            raise TypeError(
                f"cannot assign '{typename(param)}' object to parameter '{name}' "
                "(torch.nn.Parameter or None required)"
            )
        if param is not None and param.grad_fn is not None:
            raise ValueError(
                f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be "
                f"created explicitly. To express '{name}' as a function of another Tensor, compute "
                "the value in the forward() method."
            )
        self._register("parameter", name, param)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that is no parameter; the state dict has it if it is `persistent`."""
        if not isinstance(tensor, Tensor | None):
            raise TypeError(
                f"cannot assign '{typename(tensor)}' object to buffer '{name}' "
                "(torch Tensor or None required)"
            )
        self._register("buffer", name, tensor)
        getattr(self._non_persistent_buffers_set, "discard" if persistent else "add")(name)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a submodule."""
        if not isinstance(module, Module | None):
            raise TypeError(f"{typename(module)} is not a Module subclass")
        self._register("module", name, module)

    register_module = add_module

    # -------------------------------------------------------------------------------- the tree

    def named_modules(
        self, memo: set[Module] | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """This module, under the name `prefix`, and all below it, each once."""
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name, module in self._modules.items():
            if module is not None:
                path = f"{prefix}.{name}" if prefix else name
                yield from module.named_modules(memo, path, remove_duplicate)

    def modules(self, remove_duplicate: bool = True) -> Iterator[Module]:
        for _, module in self.named_modules(remove_duplicate=remove_duplicate):
            yield module

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The modules directly below, each once."""
        memo = set()
        for name, module in self._modules.items():
            if module is not None and module not in memo:
                memo.add(module)
                yield name, module

    def children(self) -> Iterator[Module]:
        for _, module in self.named_children():
            yield module

    def _named_tensors(
        self, registry: str, prefix: str, recurse: bool, remove_duplicate: bool
    ) -> Named:
        memo: set[Tensor] = set()
        modules = self.named_modules(prefix=prefix, remove_duplicate=remove_duplicate)
        for path, module in modules if recurse else [(prefix, self)]:
            for name, x in getattr(module, registry).items():
                if x is not None and x not in memo:
                    if remove_duplicate:
                        memo.add(x)
                    yield f"{path}.{name}" if path else name, x

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """The parameters of this module and (`recurse`) all below, with their paths."""
        return self._named_tensors("_parameters", prefix, recurse, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        for _, x in self.named_parameters(recurse=recurse):
            yield x

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """The buffers of this module and (`recurse`) all below, with their paths."""
        return self._named_tensors("_buffers", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        for _, x in self.named_buffers(recurse=recurse):
            yield x

    def _get(self, target: str) -> tuple[Module, str, Any]:
        """The module at the path, the last name, and what has that name."""
        path, _, name = target.rpartition(".")
        module = self.get_submodule(path)
        if not hasattr(module, name):
            raise AttributeError(f"{type(module).__name__} has no attribute `{name}`")
        return module, name, getattr(module, name)

    def get_submodule(self, target: str) -> Module:
        """The module at a path such as "encoder.0"; the empty path is this module."""
        if not target:
            return self
        _, name, module = self._get(target)
        if not isinstance(module, Module):
            raise AttributeError(f"`{name}` is not an nn.Module")
        return module

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a path such as "encoder.0.weight"."""
        _, name, x = self._get(target)
        if not isinstance(x, Parameter):
            raise AttributeError(f"`{name}` is not an nn.Parameter")
        return x

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at a path such as "norm.running_mean"."""
        module, name, x = self._get(target)
        if name not in module._buffers:
            raise AttributeError(f"`{name}` is not a buffer")
        return x

    # -------------------------------------------------------------------------- what is done to all

    def apply(self, fn: Callable[[Module], None]) -> Module:
        """Call `fn` on every module below, then on this one; returns the module."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    def train(self, mode: bool = True) -> Module:
        """Set `training`, here and below: dropout and batch norm act by it; returns the module."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self) -> Module:
        """`train(False)`."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Module:
        """Switch recording on or off for every parameter; returns the module."""
        for x in self.parameters():
            x.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients of the parameters, or fill them with zeros."""
        for x in self.parameters():
            if set_to_none:
                x.grad = None
            elif x.grad is not None:
                x.grad.detach_().zero_()

    def _apply(self, fn: Callable[[Tensor], Tensor]) -> Module:
        """Replace the data of every parameter, gradient and buffer by `fn` of it."""
        for module in self.children():
            module._apply(fn)
        with no_grad():
            for x in self.parameters(recurse=False):
                x.data = fn(x)
                if x._grad is not None:
                    x._grad.data = fn(x._grad)
        for name, x in self._buffers.items():
            self._buffers[name] = None if x is None else fn(x)
        return self

    def to(self, *args: Any, **kwargs: Any) -> Module:
        """Cast what is floating point to a dtype; the only device is "cpu"; returns the module."""
        for kind in (*args, *kwargs.values()):
            kind = kind.dtype if isinstance(kind, Tensor) else kind
            if isinstance(kind, dtypes.dtype) and not kind.is_floating_point:
                raise TypeError(
                    "nn.Module.to only accepts floating point or complex dtypes, but got desired "
                    f"dtype={kind}"
                )
        return self._apply(lambda x: x.to(*args, **kwargs) if x.is_floating_point() else x)

    def float(self) -> Module:
        return self.to(dtypes.float32)

    def double(self) -> Module:
        return self.to(dtypes.float64)

    def half(self) -> Module:
        return self.to(dtypes.float16)

    def cpu(self) -> Module:
        return self

    # ------------------------------------------------------------------------------- state dicts

    def _state(self) -> dict[str, Tensor]:
        """The parameters and persistent buffers of this module alone."""
        passing = self._non_persistent_buffers_set
        own = self._parameters | {k: x for k, x in self._buffers.items() if k not in passing}
        return {name: x for name, x in own.items() if x is not None}

    def _may_lack(self, name: str, version: int | None) -> bool:
        """Whether a state dict of that version of the layout may be without `name`."""
        return False

    def state_dict(self, *, prefix: str = "", keep_vars: bool = False) -> dict[str, Tensor]:
        """Parameters and persistent buffers by path, sharing memory with the module's own."""
        out = OrderedDict()
        out._metadata = OrderedDict()
        for path, module in self.named_modules(remove_duplicate=False):
            start = f"{prefix}{path}." if path else prefix
            out._metadata[start[:-1]] = {"version": module._version}
            for name, x in module._state().items():
                out[start + name] = x if keep_vars else x.detach()
        return out

    def load_state_dict(
        self, state_dict: Mapping[str, Tensor], strict: bool = True, assign: bool = False
    ) -> IncompatibleKeys:
        """Copy tensors into the parameters and buffers of the same paths and shapes.

        Everything is checked before anything is copied, so that after an error the module is as it
        was (in torch, what fits has been copied).

        Args:
            strict: missing and unexpected keys are an error; else they are only returned.
            assign: take the tensors themselves, with their dtypes, instead of copying.

        Raises:
            RuntimeError: keys (if `strict`) or shapes do not fit.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        keys = IncompatibleKeys([], [])
        pairs = list(self._matched(state_dict, keys))
        problems = [
            f"{what} key(s) in state_dict: {', '.join(map(quoted, names))}. "
            for what, names in zip(("Missing", "Unexpected"), keys, strict=True)
            if names and strict
        ]
        problems += filter(None, (misfit(key, x, given) for key, _, _, x, given in pairs))
        if problems:
            listed = "\n\t".join(problems)
            raise RuntimeError(
                f"Error(s) in loading state_dict for {type(self).__name__}:\n\t{listed}"
            )
        for _, module, name, x, given in pairs:
            load_tensor(module, name, x, given, assign)
        return keys

    def _matched(self, state_dict: Mapping[str, Any], keys: IncompatibleKeys) -> Iterator[Any]:
        """For each tensor that is in the state dict: its key, module, name, itself and the value
        there. The keys that only one side has are collected in `keys`."""
        metadata = getattr(state_dict, "_metadata", {})
        for path, module in self.named_modules(remove_duplicate=False):
            start, own = f"{path}." if path else "", module._state()
            for name, x in own.items():
                if (key := start + name) in state_dict:
                    yield key, module, name, x, state_dict[key]
                elif not module._may_lack(name, metadata.get(path, {}).get("version")):
                    keys.missing_keys.append(key)
            for key in state_dict:
                if key.startswith(start):
                    name, dot, _ = key[len(start) :].partition(".")
                    if name not in (module._modules if dot else own):
                        keys.unexpected_keys.append(key)

    def _own_tensors(self) -> dict[str, Tensor]:
        """All parameters and buffers by path; one that has two paths is there twice."""
        return dict(self.named_parameters(remove_duplicate=False)) | dict(
            self.named_buffers(remove_duplicate=False)
        )

    @contextlib.contextmanager
    def _using(
        self, tensors: dict[str, Tensor], *, tie_weights: bool, strict: bool
    ) -> Iterator[None]:
        """Other tensors in place of parameters and buffers, by path, for a while."""
        wanted = with_ties(self._own_tensors(), tensors) if tie_weights else tensors
        if strict:
            own = self._own_tensors()
            problems = [
                f"{what} key(s): {', '.join(map(repr, sorted(keys)))}."
                for what, keys in (
                    ("Unexpected", wanted.keys() - own.keys()),
                    ("Missing", own.keys() - wanted.keys()),
                )
                if keys
            ]
            if problems:
                listed = "\n\t".join(problems)
                raise RuntimeError(
                    f"Error(s) in reparametrizing for {type(self).__name__}:\n\t{listed}"
                )
        before: list[tuple[str, dict[str, Any], str, Any]] = []
        try:
            for path, x in wanted.items():
                parent, _, name = path.rpartition(".")
                module = self.get_submodule(parent)
                place = module._parameters if name in module._parameters else module._buffers
                before.append((path, place, name, place.get(name, before)))
                place[name] = x
            yield
        finally:
            for path, place, name, x in before:
                if path in tensors:
                    tensors[path] = place[name]
                if x is before:  # there was none
                    del place[name]
                else:
                    place[name] = x

    # ------------------------------------------------------------------------------------ hooks

    def _add_hook(self, kind: str, entry: Any, prepend: bool) -> RemovableHandle:
        hooks = getattr(self, f"_{kind}_hooks")
        handle = RemovableHandle(hooks)
        later = dict(hooks) if prepend else {}
        for key in later:
            del hooks[key]
        hooks[handle.id] = entry
        hooks.update(later)
        return handle

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, args)` before `forward`; what it returns replaces the arguments.

        With `with_kwargs` it is `hook(module, args, kwargs)`, and it returns both or None.
        """
        return self._add_hook("forward_pre", (hook, with_kwargs), prepend)

    def register_forward_hook(
        self,
        hook: Callable[..., Any],
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:
        """Call `hook(module, args, output)` after `forward`; what it returns replaces the output.

        With `with_kwargs` it is `hook(module, args, kwargs, output)`; with `always_call` it also
        runs when `forward` has raised an exception.
        """
        return self._add_hook("forward", (hook, with_kwargs, always_call), prepend)

    def register_full_backward_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, grad_output)` before the gradients go through the module."""
        return self._add_hook("backward_pre", hook, prepend)

    def register_full_backward_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(module, grad_input, grad_output)` once the gradients have gone through."""
        return self._add_hook("backward", hook, prepend)

    # ----------------------------------------------------------------------------------- printing

    def extra_repr(self) -> str:
        """What stands between the parentheses besides the submodules."""
        return ""

    def _get_name(self) -> str:
        return type(self).__name__

    def _child_lines(self) -> Iterable[str]:
        return (f"({name}): {module!r}" for name, module in self._modules.items())

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = [indented(line) for line in self._child_lines()]
        if not lines and "\n" not in extra:
            return f"{self._get_name()}({extra})"
        body = "\n  ".join([*extra.splitlines(), *lines])
        return f"{self._get_name()}(\n  {body}\n)"


def indented(text: str) -> str:
    """Every line but the first two spaces to the right."""
    return "\n".join(f"  {line}" if i and line else line for i, line in enumerate(text.split("\n")))


def typename(x: Any) -> str:
    """The name of the type of `x`, as torch's errors say it."""
    if isinstance(x, Tensor):
        return dtypes.type_name(x.array.dtype)
    kind = type(x)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def quoted(text: str) -> str:
    return f'"{text}"'


def with_ties(own: dict[str, Tensor], given: dict[str, Tensor]) -> dict[str, Tensor]:
    """The given tensors under every name of the parameter they stand for."""
    names: dict[Tensor, set[str]] = {}
    for name, x in own.items():
        names.setdefault(x, set()).add(name)
    out = dict(given)
    for name in given.keys() & own.keys():
        tied = names[own[name]]
        if len({id(given[other]) for other in tied & given.keys()}) > 1:
            raise ValueError(
                f"functional_call got multiple values for keys {sorted(tied)}, which are tied. "
                "Consider using tie_weights=False"
            )
        out.update(dict.fromkeys(tied, given[name]))
    return out


def misfit(key: str, x: Tensor, given: Any) -> str | None:
    """Why a value of a state dict cannot be loaded into `x`."""
    if not isinstance(given, Tensor):
        return (
            f'While copying the parameter named "{key}", expected torch.Tensor or Tensor-like '
            f"object from checkpoint but received {type(given)}"
        )
    if given.shape != x.shape:
        return (
            f"size mismatch for {key}: copying a param with shape {given.shape} from checkpoint, "
            f"the shape in current model is {x.shape}."
        )
    return None


@no_grad()
def load_tensor(module: Module, name: str, x: Tensor, given: Tensor, assign: bool) -> None:
    if not assign:
        x.copy_(given)
        return
    if isinstance(x, Parameter):
        given = given if isinstance(given, Parameter) else Parameter(given, x.requires_grad)
        given.requires_grad_(x.requires_grad)
    setattr(module, name, given)
