"""Print constraints.txt: the exact versions, in this environment, of all that autogradlab needs.

What torch itself pins (its CUDA libraries) is left to torch. Run it in an environment whose tests
are green: `python tools/pins.py > constraints.txt`.
"""

from importlib.metadata import distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version


def closure(name: str, extras: set[str], seen: dict[str, str]) -> dict[str, str]:
    """Add to `seen` the version of `name`, of all it requires here, and of all they require."""
    dist = distribution(name)
    seen[canonicalize_name(name)] = Version(dist.version).public
    for requirement in map(Requirement, dist.requires or ()):
        environments = [{"extra": extra} for extra in extras or {""}]
        wanted = not requirement.marker or any(map(requirement.marker.evaluate, environments))
        known = canonicalize_name(requirement.name) in seen and not requirement.extras
        if wanted and not known:
            closure(requirement.name, requirement.extras, seen)
    return seen


if __name__ == "__main__":
    print("# The one set of versions `make lab` and `make test` install; written by tools/pins.py.")
    pins = closure("autogradlab", {"test", "benchmark"}, {})
    del pins["autogradlab"]
    cuda = ("nvidia-", "cuda-", "triton")
    lines = [f"{name}=={version}" for name, version in pins.items() if not name.startswith(cuda)]
    print("\n".join(sorted(lines)))
