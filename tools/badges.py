"""Let the badges and install lines of a fork point to the fork: `make badges REPO=owner/name`.

The repository is `[project.urls]` in pyproject.toml, the tag is the package's version. Both are
written into every page and lesson that links to them; without REPO, those that stand there already.
"""

import re
import sys
import tomllib
from pathlib import Path

REPO = re.compile(r"[A-Za-z0-9-]+/[\w.-]+")
PAGES = ("README.md", "CONTRIBUTING.md", "docs/*.md", "notebooks/*.md", "notebooks/*.py",
         "notebooks/*.ipynb", "binder/*", "autogradlab/lessons/*.py")  # fmt: skip


def addresses(old: str, repo: str, tag: str) -> dict[str, str]:
    """By the pattern of an address what it becomes."""
    name = r"[A-Za-z0-9-]+/[\w.-]+?"
    return {
        rf"(colab\.research\.google\.com/github/){name}/blob/[^/]+": rf"\g<1>{repo}/blob/{tag}",
        rf"(mybinder\.org/v2/gh/){name}/[\w.-]+": rf"\g<1>{repo}/{tag}",
        rf"(git\+https://github\.com/){name}@[\w.-]+": rf"\g<1>{repo}@{tag}",
        rf"(github\.com/){re.escape(old)}/(tree|blob)/[\w.-]+": rf"\g<1>{repo}/\g<2>/{tag}",
    }


def stamp(root: Path, repo: str | None = None) -> list[Path]:
    """Write repository and tag wherever they stand; the files that changed.

    Raises:
        ValueError: `repo` is not of the form owner/name.
    """
    settings = root / "pyproject.toml"
    text = settings.read_text("utf-8")
    url = tomllib.loads(text)["project"]["urls"]["Repository"]
    old = url.removeprefix("https://github.com/")
    repo = repo or old
    if not REPO.fullmatch(repo):
        raise ValueError(f"expected REPO=owner/name, not {repo!r}")
    init = (root / "autogradlab/__init__.py").read_text("utf-8")
    tag = "v" + re.search(r'^__version__ = "(.*)"', init, re.MULTILINE)[1]
    new = {settings: text.replace(f'"{url}"', f'"https://github.com/{repo}"')}
    for path in sorted(path for page in PAGES for path in root.glob(page)):
        new[path] = path.read_text("utf-8")
        for pattern, address in addresses(old, repo, tag).items():
            new[path] = re.sub(pattern, address, new[path])
    changed = []
    for path, text in new.items():
        if text != path.read_text("utf-8"):
            path.write_text(text, "utf-8")
            changed.append(path)
    return changed


if __name__ == "__main__":
    root = Path(__file__).parents[1]
    try:
        changed = stamp(root, next(iter(sys.argv[1:]), None))
    except ValueError as error:
        sys.exit(str(error))
    print("\n".join(str(path.relative_to(root)) for path in changed) or "nothing to change")
