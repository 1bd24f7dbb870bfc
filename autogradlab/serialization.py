"""`save` and `load`: tensors, state dicts, and the lists and dicts around them.

The file is a safetensors file. A dict of tensors is stored under its own keys, as other programs
expect it; anything else as numbered tensors and a JSON text that says how they are nested. Reading
never runs code: there is no pickle. Writing is atomic: a crash leaves the old file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from .tensor import Tensor, wrap

NESTING = "autogradlab"  # the key of the JSON text among the file's metadata
File = str | os.PathLike[str] | BinaryIO


def save(obj: Any, f: File) -> None:
    """Write tensors, numbers, texts, None, and lists, tuples and dicts of these.

    A tensor is saved by its values: loaded, it is a leaf that needs no gradient.

    Args:
        f: a path, which is replaced only once all is written, or a file open for writing bytes.

    Raises:
        TypeError: something else is in it, such as a whole module: save its `state_dict()`.
    """
    from safetensors.numpy import save as to_bytes

    if is_flat(obj):
        tensors, metadata = {name: contiguous(x) for name, x in obj.items()}, None
    else:
        tensors = {}
        metadata = {NESTING: json.dumps(described(obj, tensors))}
    data = to_bytes(tensors, metadata)
    if hasattr(f, "write"):
        f.write(data)
    else:
        replace(Path(f), data)


def load(f: File, map_location: Any = None, weights_only: bool = True) -> Any:
    """Read what `save` has written, or any safetensors file as a dict of tensors.

    Args:
        map_location: "cpu", the only device.
        weights_only: for code written for torch; nothing but data is ever read.

    Raises:
        RuntimeError: the file is not whole, or not a safetensors file.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load as from_bytes

    if map_location is not None and str(map_location) != "cpu":
        raise RuntimeError(f"autogradlab computes on the CPU only, not on {map_location!r}")
    data = f.read() if hasattr(f, "read") else Path(f).read_bytes()
    if data[:2] in (b"PK", b"\x80\x02"):
        raise RuntimeError(
            "this file is a pickle, whose reading would run code: load it in torch and save it "
            "with safetensors.torch.save_file"
        )
    try:
        arrays = from_bytes(data)
        length = int.from_bytes(data[:8], "little")
        notes = json.loads(data[8 : 8 + length]).get("__metadata__") or {}
        nesting = notes.get(NESTING)
        tensors = {name: wrap(x[()]) for name, x in arrays.items()}
        return tensors if nesting is None else rebuilt(json.loads(nesting), tensors)
    except (SafetensorError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise RuntimeError(f"not a whole safetensors file: {error}") from error


def is_flat(obj: Any) -> bool:
    """Whether this is a dict of tensors under texts, none of which the format keeps to itself."""
    return isinstance(obj, Mapping) and all(
        isinstance(name, str) and name != "__metadata__" and isinstance(x, Tensor)
        for name, x in obj.items()
    )


def contiguous(x: Tensor) -> np.ndarray:
    return np.ascontiguousarray(x.memory()).reshape(x.shape)


def described(obj: Any, tensors: dict[str, np.ndarray]) -> Any:
    """The nesting as lists that start with a word; the tensors are collected on the way."""
    if isinstance(obj, Tensor):
        name = str(len(tensors))
        tensors[name] = contiguous(obj)
        return ["tensor", name]
    if obj is None or type(obj) in (bool, int, float, str):
        return obj
    if isinstance(obj, Mapping):
        pairs = ([described(part, tensors) for part in pair] for pair in obj.items())
        return ["dict", *pairs]
    if type(obj) in (list, tuple):
        return [type(obj).__name__, *(described(part, tensors) for part in obj)]
    raise TypeError(
        f"cannot save {type(obj).__name__}: only tensors, numbers, texts, None, and lists, tuples "
        "and dicts of these; of a module save its state_dict()"
    )


def rebuilt(text: Any, tensors: dict[str, Tensor]) -> Any:
    """What `described` has described."""
    if not isinstance(text, list):
        return text
    kind, *parts = text
    if kind == "tensor":
        return tensors[parts[0]]
    if kind == "dict":
        return {rebuilt(k, tensors): rebuilt(v, tensors) for k, v in parts}
    return {"list": list, "tuple": tuple}[kind](rebuilt(part, tensors) for part in parts)


def replace(path: Path, data: bytes) -> None:
    """Write a file beside `path` and put it in its place."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(beside, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
