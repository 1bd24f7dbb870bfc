"""`make badges`: a fork's links point to the fork, all of them."""

import re
import shutil
from pathlib import Path

import pytest

from tools.badges import stamp

ROOT = Path(__file__).parents[1]


@pytest.fixture
def fork(tmp_path: Path) -> Path:
    for name in ("README.md", "CONTRIBUTING.md", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    for name in ("docs", "notebooks"):
        shutil.copytree(ROOT / name, tmp_path / name)
    (tmp_path / "autogradlab").mkdir()
    shutil.copy(ROOT / "autogradlab/__init__.py", tmp_path / "autogradlab")
    return tmp_path


def texts(folder: Path) -> dict[str, str]:
    found = [path for kind in ("md", "py", "ipynb", "toml") for path in folder.rglob(f"*.{kind}")]
    return {str(path.relative_to(folder)): path.read_text("utf-8") for path in found}


def test_every_address_is_stamped_and_can_be_stamped_back(fork: Path):
    before = texts(fork)
    changed = stamp(fork, "some-body/auto.grad_lab")
    after = texts(fork)
    assert len(changed) > 2 * 9
    assert [name for name, text in after.items() if "autogradlab/autogradlab" in text] == []
    back = {name: text.replace("some-body/auto.grad_lab", "autogradlab/autogradlab")
            for name, text in after.items()}  # fmt: skip
    assert back == before
    stamp(fork, "autogradlab/autogradlab")
    assert texts(fork) == before


def test_the_tag_follows_the_version(fork: Path):
    init = fork / "autogradlab/__init__.py"
    text = re.sub(r'__version__ = ".*"', '__version__ = "9.8.7"', init.read_text("utf-8"))
    init.write_text(text, "utf-8")
    stamp(fork)
    tags = {tag for t in texts(fork).values() for tag in re.findall(r"[@/]v(\d+\.\d+\.\d+)\b", t)}
    assert tags == {"9.8.7"}


def test_nothing_to_change_here():
    shown = texts(ROOT / "notebooks")
    assert stamp(ROOT) == []
    assert texts(ROOT / "notebooks") == shown


@pytest.mark.parametrize("repo", ["name", "a/b/c", "a b/c", "https://github.com/a/b", 'a/b"'])
def test_what_is_no_repository_is_refused(fork: Path, repo: str):
    before = texts(fork)
    with pytest.raises(ValueError, match="expected REPO=owner/name"):
        stamp(fork, repo)
    assert texts(fork) == before
