"""Devices: there is one, the CPU. Others can be named, but hold no tensor."""

from __future__ import annotations

from typing import Any

TYPES = (
    "cpu, cuda, ipu, xpu, mkldnn, opengl, opencl, ideep, hip, ve, fpga, maia, xla, lazy, vulkan, "
    "mps, meta, hpu, mtia, privateuseone"
)


class device:
    """Where a tensor lives, by name: `device("cpu")`, `device("cuda:0")`, `device("cuda", 0)`.

    >>> device("cpu"), device("cuda:1").type, device("cuda:1").index
    (device(type='cpu'), 'cuda', 1)
    """

    __slots__ = ("index", "type")

    def __init__(self, type: str | device, index: int | None = None) -> None:
        self.type, colon, number = str(type).partition(":")
        if self.type not in TYPES.split(", "):
            raise RuntimeError(
                f"Expected one of {TYPES} device type at start of device string: {self.type}"
            )
        if colon and not number.isdecimal():
            raise RuntimeError(f"Invalid device string: '{type}'")
        self.index = int(number) if colon else index

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __repr__(self) -> str:
        index = "" if self.index is None else f", index={self.index}"
        return f"device(type='{self.type}'{index})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))


cpu = device("cpu")


def set_default_device(device: Any) -> None:
    """Where tensors are made that do not say: on the CPU, or an error."""
    check(device)


def get_default_device() -> device:
    return cpu


def check(place: Any) -> None:
    """Raise an error unless `place`, what a user passed as `device=`, is None or the CPU."""
    if place is None or place is cpu:
        return
    kind = device(place).type
    if kind == "cuda":
        raise AssertionError("Torch not compiled with CUDA enabled")
    if kind != "cpu":
        raise NotImplementedError(f"autogradlab computes on the CPU only, not on {kind!r}")
