"""save and load: what comes back, what other programs read, and what happens to broken files."""

import io
import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch as real_torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

import autogradlab as torch
from autogradlab import nn

KINDS = ["float16", "float32", "float64", "bool", "uint8", "int8", "int16", "int32", "int64"]


def net() -> nn.Module:
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3))


def same(a: Any, b: Any) -> bool:
    """Equal values, dtypes, nesting and order."""
    if isinstance(a, torch.Tensor):
        return a.dtype is b.dtype and np.array_equal(a.detach().numpy(), b.numpy(), equal_nan=True)
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and repr(a) == repr(b)


numbers = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
tensors = st.builds(
    lambda kind, shape: torch.randn(shape).mul(3).to(getattr(torch, kind)),
    st.sampled_from(KINDS),
    st.lists(st.integers(0, 3), max_size=3),
)
nested = st.recursive(
    numbers | tensors,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(nested)
def test_what_is_saved_comes_back(obj: Any) -> None:
    buffer = io.BytesIO()
    torch.save(obj, buffer)
    buffer.seek(0)
    assert same(obj, torch.load(buffer, map_location="cpu", weights_only=True))


def test_a_checkpoint(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, path = net(), tmp_path / "checkpoint"
    model(torch.randn(4, 1, 4, 4)).sum().backward()
    torch.save({"epoch": 3, "model": model.state_dict(), "lr": [0.1, (1, 2)]}, path)
    torch.manual_seed(1)
    again, checkpoint = net(), torch.load(path)
    assert str(again.load_state_dict(checkpoint["model"])) == "<All keys matched successfully>"
    assert checkpoint["epoch"] == 3 and checkpoint["lr"] == [0.1, (1, 2)]
    x = torch.randn(2, 1, 4, 4)
    assert same(model.eval()(x).detach(), again.eval()(x).detach())


def test_a_name_the_format_keeps_to_itself(tmp_path: Path) -> None:
    torch.save({"__metadata__": torch.ones(1)}, tmp_path / "file")
    assert same({"__metadata__": torch.ones(1)}, torch.load(tmp_path / "file"))


def test_views_and_parameters_are_saved_by_value(tmp_path: Path) -> None:
    w = nn.Parameter(torch.arange(6.0).view(2, 3))
    torch.save([w, w.t(), w[:, 1]], tmp_path / "views")
    back = torch.load(tmp_path / "views")
    assert all(map(same, [w, w.t(), w[:, 1]], back))
    assert not any(x.requires_grad for x in back)
    back[0].mul_(2)  # memory of its own, that can be written


def test_state_dicts_go_to_pytorch_and_back(tmp_path: Path) -> None:
    names = real_torch.nn
    theirs = names.Sequential(
        names.Conv2d(1, 2, 3), names.BatchNorm2d(2), names.Flatten(), names.Linear(8, 3)
    )
    torch.save(net().state_dict(), tmp_path / "ours.safetensors")
    keys = theirs.load_state_dict(load_file(tmp_path / "ours.safetensors"))
    assert not keys.missing_keys and not keys.unexpected_keys
    save_file(theirs.state_dict(), tmp_path / "theirs.safetensors")
    ours = net()
    ours.load_state_dict(torch.load(tmp_path / "theirs.safetensors"))
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert np.array_equal(a.detach().numpy(), b.detach().numpy())


# ------------------------------------------------------------------------------------ broken files


@pytest.mark.parametrize("keep", [0, 1, 7, 8, 9, 60, 200, -1])
def test_a_truncated_file_is_refused(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "model"
    torch.save({"model": net().state_dict()}, path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(RuntimeError, match="not a whole safetensors file"):
        torch.load(path)


@given(st.binary(max_size=64))
def test_noise_is_refused(noise: bytes) -> None:
    with pytest.raises(RuntimeError, match=r"not a whole safetensors file|pickle"):
        torch.load(io.BytesIO(noise))


@pytest.mark.parametrize("nesting", ['["what"]', '["tensor", "7"]', "[", "[[]]", "[" * 9999])
def test_a_nesting_that_makes_no_sense_is_refused(nesting: str) -> None:
    from safetensors.numpy import save

    data = save({"0": np.ones(2)}, {"autogradlab": nesting})
    with pytest.raises(RuntimeError, match="not a whole safetensors file"):
        torch.load(io.BytesIO(data))


def test_a_pickle_is_not_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "trapped"),)

    (tmp_path / "trap").write_bytes(pickle.dumps(Trap(), protocol=2))
    real_torch.save({"w": real_torch.ones(2)}, tmp_path / "zip")
    for name in ("trap", "zip"):
        with pytest.raises(RuntimeError, match="pickle"):
            torch.load(tmp_path / name)
    assert not (tmp_path / "trapped").exists()


def test_a_device_there_is_not(tmp_path: Path) -> None:
    torch.save({}, tmp_path / "empty")
    with pytest.raises(RuntimeError, match="CPU only"):
        torch.load(tmp_path / "empty", map_location="cuda")


@pytest.mark.parametrize("change", ["missing", "wrong shape", "unexpected"])
def test_a_state_dict_that_does_not_fit_leaves_the_module_alone(
    tmp_path: Path, change: str
) -> None:
    torch.manual_seed(0)
    state = {name: x + 1 for name, x in net().state_dict().items()}
    if change == "missing":
        del state["3.bias"]
    elif change == "wrong shape":
        state["3.bias"] = torch.ones(7)
    else:
        state["4.bias"] = torch.ones(7)
    torch.save(state, tmp_path / "state")
    model = net()
    before = {name: x.clone() for name, x in model.state_dict().items()}
    with pytest.raises(RuntimeError, match=r"Error\(s\) in loading state_dict for Sequential"):
        model.load_state_dict(torch.load(tmp_path / "state"))
    assert same(before, dict(model.state_dict()))


# ---------------------------------------------------------------------------------------- writing


@pytest.mark.parametrize("obj", [net(), [object()], {"a": {1, 2}}, np.ones(2), lambda: 0])
def test_what_is_no_data_is_not_saved(tmp_path: Path, obj: Any) -> None:
    path = tmp_path / "file"
    torch.save(torch.ones(1), path)
    before = path.read_bytes()
    with pytest.raises(TypeError, match="cannot save"):
        torch.save(obj, path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["file"]


def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "file"
    torch.save(torch.ones(1), path)
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space left"):
        torch.save(torch.zeros(100), path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["file"]


def test_the_file_has_the_usual_rights(tmp_path: Path) -> None:
    torch.save(torch.ones(1), tmp_path / "a")
    (tmp_path / "b").write_bytes(b"")
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_safetensors_is_imported_when_it_is_needed() -> None:
    code = "import sys, autogradlab; print([m for m in sys.modules if m.startswith('safetensors')])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
