"""Run the tests in a place that gives little (Linux): the README's commands must do.

The path of the checkout has spaces and accents, there is no network but loopback, the home folder
cannot be written to, and the locale knows ASCII only. `make bare` installs a copy of the last
commit into build/bare and tests it there; TESTS=… names paths, instead of every test.
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
LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
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
    env = os.environ | LOCALE | {"HOME": str(home)}
    # Jupyter itself cannot start without a place for its connection files.
    env["JUPYTER_RUNTIME_DIR"] = str(PLACE.parent / "runtime")
    command = [".venv/bin/python", "-m", "pytest", "-q", "-n", "2", "--dist", "loadfile"]
    return subprocess.run([*command, *paths], cwd=PLACE, env=env).returncode


if __name__ == "__main__":
    if sys.argv[1:2] == ["--inside"]:
        sys.exit(test(sys.argv[2:]))
    install()
    apart = ["unshare", "--user", "--map-root-user", "--net", "--mount"]
    inside = [sys.executable, __file__, "--inside", *sys.argv[1:]]
    sys.exit(subprocess.run([*apart, *inside]).returncode)
