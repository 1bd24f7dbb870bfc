"""Run the tests in a place that gives little (Linux): the README's commands must do.

There is no network but loopback, and the home folder cannot be written to. `make bare` runs the
tests there twice: in a copy of the last commit, newly installed in a folder whose path has spaces
and an accent, and in the checkout itself, in a locale that knows ASCII only (in which Python 3.11
finds no editable install below an accent). The test that installs a release is left out: it asks
the registry. TESTS=… names paths, instead of every test.
"""

import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PLACE = ROOT / "build/bare/Élodie’s own lessons"
ONLINE = "--deselect=tests/test_setup.py::test_packages_hold_what_they_should_and_work_alone"
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 0x1


def install() -> None:
    """A fresh clone with all it needs, made where there still is a network."""
    shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["git", "clone", "--quiet", ROOT, PLACE], check=True)
    subprocess.run(["make", "--silent", ".venv/test-installed"], cwd=PLACE, check=True)


def loopback() -> None:
    """Switch on the one interface of this network namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(link, SIOCGIFFLAGS, request))[1]
        fcntl.ioctl(link, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | IFF_UP))


def test(paths: list[str]) -> int:
    """In namespaces of its own: what no test can undo for the system outside."""
    loopback()
    home = PLACE.parent / "home"
    home.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "none", home], check=True)
    try:
        (home / "new").touch()
    except OSError as error:
        print(f"home: {error}")
    # Jupyter itself cannot start without a place for its connection files.
    env = os.environ | {"HOME": str(home), "JUPYTER_RUNTIME_DIR": str(PLACE.parent / "runtime")}
    command = [".venv/bin/python", "-m", "pytest", "-q", "-n", "4", "--dist", "loadfile"]
    command += ["--no-loadscope-reorder", ONLINE, *paths]
    codes = [
        subprocess.run(command, cwd=place, env=env | locale).returncode
        for place, locale in ((PLACE, {}), (ROOT, ASCII))
    ]
    return max(codes)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        sys.exit(test(sys.argv[2:]))
    install()
    apart = ["unshare", "--user", "--map-root-user", "--net", "--mount"]
    inside = [sys.executable, __file__, "--inside", *sys.argv[1:]]
    sys.exit(subprocess.run([*apart, *inside]).returncode)
