"""Builds the image of deploy/container and runs it as docs/guide/deploy.md says: does it serve, and is it shut in?

Needs podman (4 or newer, with catatonit) and a base image: what the Containerfile names, or with BASE=ROOT.TAR the root
of a Debian with `python3 python3-venv python-is-python3 ca-certificates` (mmdebstrap makes one). Everything is kept in
a folder of its own, and removed in the end. No part of `make test`: it takes minutes, and root or user namespaces.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import shlex
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
IMAGE, NAME, VOLUME = "localhost/autopilot-check", "autopilot-check", "autopilot-check"
READY_SECONDS = 120.0
STOP_SECONDS = 20


class Podman:
    """podman with a store of its own."""

    def __init__(self, store: Path, options: list[str]) -> None:
        places = ["--root", str(store / "store"), "--runroot", str(store / "run"), "--storage-driver", "vfs"]
        self._command = ["podman", *places, *options]

    def __call__(self, *words: str, check: bool = True) -> str:
        """What it says; what went wrong is said as it is."""
        done = subprocess.run([*self._command, *words], check=False, capture_output=True, text=True)
        if check and done.returncode != 0:
            sys.exit(f"podman {shlex.join(words)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def succeeds(self, *words: str) -> bool:
        """Whether it ends with 0."""
        return subprocess.run([*self._command, *words], check=False, capture_output=True).returncode == 0


def build(podman: Podman, base: Path | None, options: list[str]) -> None:
    """The image. In docker's format: the other one has no health check."""
    chosen: list[str] = []
    if base is not None:
        podman("import", str(base), f"{IMAGE}-base")
        chosen = ["--build-arg", f"BASE={IMAGE}-base", "--pull=never"]
    podman("build", "--format", "docker", *chosen, *options, "-t", IMAGE, "-f", "deploy/container/Containerfile", ".")


@contextlib.contextmanager
def started(podman: Podman, port: int) -> Iterator[None]:
    """Run as the guide says, but on the host's network: a bridge needs more than is everywhere."""
    files = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 65536)
    podman(
        *("run", "-d", "--name", NAME, "--init", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "all"),  # noqa: S108 - in it
        *("--security-opt", "no-new-privileges", "--ulimit", f"nofile={files}:{files}", "--ulimit", "nproc=4096:4096"),
        *("--stop-timeout", str(STOP_SECONDS), "--network", "host", "-v", f"{VOLUME}:/var/lib/autopilot"),
        *(IMAGE, "up", "--no-companion", "--port", str(port)),
    )
    try:
        until_ready(podman, port)
        yield
    finally:
        podman("rm", "-f", "-t", "0", NAME)


def until_ready(podman: Podman, port: int) -> None:
    """Wait until it serves."""
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
            return
        time.sleep(0.5)
    sys.exit(f"not ready within {READY_SECONDS:.0f} s:\n{podman('logs', NAME)}")


def inside(podman: Podman) -> Iterator[tuple[str, bool]]:
    """What must hold while it runs."""
    status = podman("exec", NAME, "cat", "/proc/1/status")
    yield "runs as uid 10001", "\nUid:\t10001\t10001" in status
    yield "has no capability, and gains none", "CapBnd:\t0000000000000000" in status and "NoNewPrivs:\t1" in status
    for place in ("/", "/opt/autopilot", "/etc"):
        yield f"can't write to {place}", not podman.succeeds("exec", NAME, "touch", f"{place}/x")
    yield "can write to its volume", podman.succeeds("exec", NAME, "touch", "/var/lib/autopilot/kept")
    told = podman("logs", NAME) + podman("inspect", NAME)
    secrets = podman("exec", NAME, "sh", "-c", "cat /var/lib/autopilot/secrets/*").split()
    yield "keys are in no log and no process list", not any(key in told for key in secrets if len(key) > len("BEGIN"))
    yield "has a health check", "readyz" in podman("inspect", "--format", "{{.Config.Healthcheck}}", NAME)


def checks(podman: Podman, port: int) -> Iterator[tuple[str, bool]]:
    """Everything that is held, as it is found out."""
    with started(podman, port):
        yield "serves", True
        yield from inside(podman)
        began = time.monotonic()
        podman("stop", NAME)
        ended = podman("inspect", "--format", "{{.State.ExitCode}}", NAME).strip()
        yield "ends by itself at SIGTERM", ended == "0" and time.monotonic() - began < STOP_SECONDS
    with started(podman, port):
        yield "goes on with its volume", podman.succeeds("exec", NAME, "test", "-e", "/var/lib/autopilot/kept")


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]


def main() -> None:
    """Exit code 1 where something does not hold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, help="the root of a Debian with Python, as a tar")
    parser.add_argument("--podman", default="", help="options for every call, such as '--runtime runc'")
    parser.add_argument(
        "--build", default="", help="options for the build, such as '--network host -v /etc/pip.conf:…'"
    )
    choice = parser.parse_args()
    base = choice.base and choice.base.resolve()
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory(prefix="autopilot-container-", ignore_cleanup_errors=True) as store:
        podman = Podman(Path(store), shlex.split(choice.podman))
        build(podman, base, shlex.split(choice.build))
        held = True
        for what, holds in checks(podman, free_port()):
            sys.stdout.write(f"{'ok  ' if holds else 'NOT '} {what}\n")
            sys.stdout.flush()
            held = held and holds
        podman("rmi", "-a", "-f", check=False)
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    main()
