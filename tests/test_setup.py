"""How the project is installed: environment.yml, Binder, workflows, the packages of a release."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from repo2docker.app import Repo2Docker

from tools import dist, profiles

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
POST_BUILD = ROOT / "binder/postBuild"


def load(path: Path) -> dict:
    return yaml.safe_load(path.read_text("utf-8"))


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


def python_of(dependencies: list) -> str:
    (python,) = (each for each in dependencies if str(each).startswith("python="))
    return python.partition("=")[2]


def test_every_requirement_allows_its_pin():
    extras = PROJECT["optional-dependencies"]
    for text in [*PROJECT["dependencies"], *(each for extra in extras.values() for each in extra)]:
        requirement = Requirement(text)
        if requirement.name != PROJECT["name"]:
            assert requirement.specifier.contains(pins()[canonicalize_name(requirement.name)]), text


@pytest.mark.parametrize("name", ["environment.yml", "binder/environment.yml"])
def test_conda_brings_python_and_pip_the_rest(name: str):
    environment = load(ROOT / name)
    assert environment["name"] == PROJECT["name"]
    assert environment["channels"] == ["conda-forge"]
    dependencies = environment["dependencies"]
    python = python_of(dependencies)
    assert python == python_of(load(ROOT / "environment.yml")["dependencies"])
    assert f">={python}" == PROJECT["requires-python"]
    # No name or bound a second time: those of pyproject.toml and constraints.txt hold.
    by_conda = [each.partition("=")[0] for each in dependencies if isinstance(each, str)]
    assert by_conda == ["python", "pip"]
    for by_pip in (each["pip"] for each in dependencies if isinstance(each, dict)):
        assert [each for each in by_pip if not each.startswith("--")] == []


def test_conda_and_binder_install_the_same():
    *_, last = load(ROOT / "environment.yml")["dependencies"]
    by_pip = last["pip"]
    binder = POST_BUILD.read_text("utf-8").replace("\\\n", " ")
    command = re.search(r"pip install (.*)", binder)[1].replace("'", "")
    words = " ".join(by_pip).replace("--editable ", "").split()
    assert sorted(words) == sorted(command.replace("--no-cache-dir ", "").split())
    assert words[-1] == ".[lab]" and "constraints.txt" in words


def test_binder_builds_what_is_meant(monkeypatch):
    monkeypatch.chdir(ROOT)
    app = Repo2Docker()
    packs = (pack(base_image=app.base_image) for pack in app.buildpacks)
    pack = next(pack for pack in packs if pack.detect())
    pack.platform = "linux/amd64"
    dockerfile = pack.render({})
    assert pack.python_version == python_of(load(ROOT / "environment.yml")["dependencies"])
    assert 'env update -p ${NB_PYTHON_PREFIX} --file "binder/environment.yml"' in dockerfile
    assert dockerfile.index("COPY --chown=1000:1000 src/ ") < dockerfile.index("./binder/postBuild")
    assert POST_BUILD.read_text("utf-8").splitlines()[1].startswith("set -e")
    assert subprocess.run(["bash", "-n", POST_BUILD]).returncode == 0


def commands(workflow: Path) -> list[str]:
    """What the steps of a workflow run, once for each entry of its matrix."""
    found = []
    for job in load(workflow)["jobs"].values():
        matrix = job.get("strategy", {}).get("matrix", {})
        entries = matrix.get("include") or [
            {name: value} for name, values in matrix.items() for value in values
        ]
        for entry in entries or [{}]:
            for step in job["steps"]:
                fill = lambda m, entry=entry: str(entry.get(m[1], m[0]))  # noqa: E731
                found.append(re.sub(r"\$\{\{ matrix\.(\w+) \}\}", fill, step.get("run", "")))
    return found


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_what_a_workflow_makes_can_be_made(workflow: Path):
    targets = set(re.findall(r"^\.PHONY: ((?:.*\\\n)*.*)", MAKEFILE, re.MULTILINE)[0].split())
    variables = set(re.findall(r"^(\w+) \?=", MAKEFILE, re.MULTILINE))
    calls = [each for each in commands(workflow) if each.startswith("make ")]
    assert calls
    assert {call.split()[1] for call in calls} <= targets
    assert {name for call in calls for name in re.findall(r"\b([A-Z_]+)=", call)} <= variables


def test_every_target_says_in_the_makefile_what_it_does():
    targets = set(re.findall(r"^([a-z ]+):(?!=)", MAKEFILE, re.MULTILINE))
    head = MAKEFILE.partition("\n\n")[0]
    missing = {name for line in targets for name in line.split() if name not in head}
    assert missing == {"clean"}


@pytest.mark.parametrize("torch", ["2.6.0", "newest"])
def test_another_torch_changes_nothing_else(torch: str):
    first, *rest = profiles.requirements("torch", torch)
    assert first == {"2.6.0": "torch==2.6.0", "newest": "torch"}[torch]
    assert rest and all(pins()[each.split("==")[0]] == each.split("==")[1] for each in rest)


@pytest.mark.parametrize("profile", ["oldest", "newest"])
def test_no_profile_asks_for_two_versions_of_one_package(profile: str):
    names = [Requirement(each).name for each in profiles.requirements(profile)]
    assert len(names) == len({*names})


@pytest.mark.parametrize("tag", ["v9.9.9", "0.1.0"])
def test_a_tag_must_be_the_version(tag: str):
    with pytest.raises(SystemExit, match="The tag is"):
        dist.check_tag(tag)


def test_packages_hold_what_they_should_and_work_alone(tmp_path):
    command = [sys.executable, ROOT / "tools/dist.py", "--tag", f"v{dist.version()}"]
    done = subprocess.run([*command, "--out", tmp_path], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "works where nothing else is installed" in done.stdout
    sdist = set(dist.names(next(tmp_path.glob("*.tar.gz"))))
    assert {"CHANGELOG.md", "Makefile", "constraints.txt", "binder/postBuild"} <= sdist
    assert "notebooks/00_start_here.ipynb" in sdist
