"""Where tensors are: on the CPU. Programs ask, and pass on the answer."""

from __future__ import annotations

KINDS = (
    "cpu, cuda, ipu, xpu, mkldnn, opengl, opencl, ideep, hip, ve, fpga, maia, xla, lazy, vulkan, "
    "mps, meta, hpu, mtia, privateuseone"
)


class device:
    """A device by its type and, if there are several, its index. Only "cpu" holds tensors here.

    >>> device("cpu"), str(device("cuda", 1))
    (device(type='cpu'), 'cuda:1')
    """

    __slots__ = ("index", "type")

    def __init__(self, type: str | device, index: int | None = None) -> None:
        kind, colon, number = str(type).partition(":")
        if kind not in KINDS.split(", "):
            raise RuntimeError(
                f"Expected one of {KINDS} device type at start of device string: {kind}"
            )
        if colon and not number.isdecimal():
            raise RuntimeError(f"Invalid device string: '{type}'")
        self.type, self.index = kind, int(number) if colon else index

    def __repr__(self) -> str:
        index = "" if self.index is None else f", index={self.index}"
        return f"device(type={self.type!r}{index})"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, device) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))


cpu = device("cpu")


def on_cpu(where: str | device | None) -> None:
    """RuntimeError for a device that is not here."""
    if where is not None and device(where).type != "cpu":
        raise RuntimeError(f"autogradlab computes on the CPU only, not on {str(where)!r}")
