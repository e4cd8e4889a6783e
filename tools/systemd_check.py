"""Runs deploy/systemd/autopilot.service under a real systemd: does it serve, is it shut in, does it come back and end?

systemd boots as process 1 of namespaces of its own, on an overlay of this machine's root that is thrown away in the
end: nothing here is written to, and no systemd need run here. Needs root, Linux 5.11 or newer, systemd (252 or newer,
installed), Python as /usr/bin/python3 with venv, and util-linux. No part of `make test`: it takes a minute, and root.
"""

from __future__ import annotations

import contextlib
import os
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
UNIT = ROOT / "deploy/systemd/autopilot.service"
READY_SECONDS, BOOT_SECONDS, STOP_SECONDS = 120.0, 60.0, 20.0
MOST_EXPOSED = 1.6
"""What `systemd-analyze security` may say at most (0: shut in, 10: open)."""

PREPARE = r"""
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs {top}
mkdir {top}/upper {top}/work {top}/root
mount -t overlay -o lowerdir=/,upperdir={top}/upper,workdir={top}/work overlay {top}/root
cd {top}/root
mkdir -p .{checkout}
mount --bind {checkout} .{checkout}
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/pts dev/shm
for node in null:3 zero:5 full:7 random:8 urandom:9; do mknod -m 666 dev/${{node%:*}} c 1 ${{node#*:}}; done
mknod -m 666 dev/tty c 5 0
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t tmpfs -o mode=755 tmpfs run
mount -t tmpfs -o mode=1777 tmpfs tmp
rm -rf etc/systemd/system/*.wants opt/autopilot var/lib/autopilot etc/autopilot
cp {unit} etc/systemd/system/
chroot . useradd --system --home-dir /var/lib/autopilot --shell /usr/sbin/nologin autopilot
mkdir etc/autopilot
echo AUTOPILOT_PORT={port} >etc/autopilot/autopilot.env
chmod 600 etc/autopilot/autopilot.env
chroot . /usr/bin/python3 -m venv --without-pip /opt/autopilot
cd {checkout}
export UV_LINK_MODE=copy
chroot {top}/root {uv} pip sync --quiet --require-hashes --python /opt/autopilot/bin/python {checkout}/requirements.lock
chroot {top}/root {uv} pip install --quiet --no-deps --python /opt/autopilot/bin/python {checkout}
exec chroot {top}/root env -i container=autopilot-check PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    /usr/lib/systemd/systemd --system --unit=basic.target
"""


class Booted:
    """A systemd that runs as process 1 of its own namespaces."""

    def __init__(self, pid: int) -> None:
        self._enter = ["nsenter", "-t", str(pid), "--mount", "--pid", "--uts", "--ipc", "--cgroup", "--root", "--wd"]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """One command in it."""
        return subprocess.run([*self._enter, *words], check=False, capture_output=True, text=True)

    def says(self, *words: str) -> str:
        """What a command in it prints."""
        return self.run(*words).stdout.strip()

    def shown(self, name: str) -> str:
        """A property of the unit."""
        return self.says("systemctl", "show", "--property", name, "--value", "autopilot")


@contextlib.contextmanager
def booted(port: int) -> Iterator[Booted]:
    """Boot, and end everything in the end."""
    cgroups = next(line.split()[1] for line in Path("/proc/mounts").read_text().splitlines() if " cgroup2 " in line)
    group = Path(cgroups, f"autopilot-check-{os.getpid()}")
    with tempfile.TemporaryDirectory(prefix="autopilot-systemd-") as folder:
        log, script, top = Path(folder, "log"), Path(folder, "prepare"), Path(folder, "top")
        top.mkdir()
        words = {"top": top, "checkout": ROOT, "unit": UNIT, "port": port, "uv": ROOT / ".venv/bin/uv"}
        script.write_text(PREPARE.format(**{name: shlex.quote(str(word)) for name, word in words.items()}))
        group.mkdir()
        inside = ("unshare", "--cgroup", "--pid", "--mount", "--uts", "--ipc", "--fork", "--kill-child", "bash")
        joined = f'echo $$ >{shlex.quote(str(group))}/cgroup.procs && exec "$@"'
        with log.open("wb") as out:
            outer = subprocess.Popen(
                ["bash", "-c", joined, "bash", *inside, str(script)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        try:
            yield Booted(_first_process(outer, log))
        finally:
            outer.kill()
            outer.wait()
            _forget(group)


def _first_process(outer: subprocess.Popen[bytes], log: Path) -> int:
    """The process id of systemd, once it manages units."""
    end = time.monotonic() + BOOT_SECONDS + READY_SECONDS  # the installation is in it
    while time.monotonic() < end and outer.poll() is None:
        children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text().split()
        if children and Path(f"/proc/{children[0]}/comm").read_text().strip() == "systemd":
            state = Booted(int(children[0])).says("systemctl", "is-system-running")
            if state in {"running", "degraded"}:
                return int(children[0])
        time.sleep(0.2)
    sys.exit(f"systemd did not come up:\n{log.read_text()[-3000:]}")


def _forget(group: Path) -> None:
    """Remove the control groups that it made, once their processes are gone."""
    end = time.monotonic() + STOP_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(OSError):
            for path in sorted(group.rglob("*/"), reverse=True):
                path.rmdir()
            group.rmdir()
            return
        time.sleep(0.2)


def is_ready(port: int) -> bool:
    """Whether it serves, waited for."""
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
            return True
        time.sleep(0.2)
    return False


def shut_in(systemd: Booted) -> Iterator[tuple[str, bool]]:
    """What must hold while it runs."""
    pid = systemd.shown("MainPID")
    status = systemd.says("cat", f"/proc/{pid}/status")
    user = systemd.says("id", "-u", "autopilot")
    yield "runs as the user autopilot", f"\nUid:\t{user}\t{user}\t{user}" in status
    yield "has no capability, and gains none", "CapBnd:\t0000000000000000" in status and "NoNewPrivs:\t1" in status
    yield "may make only the system calls of a service", "\nSeccomp:\t2" in status
    enter = ("nsenter", "-t", pid, "--mount", "--root", "--wd", "--")
    look = (*enter, "setpriv", "--reuid=autopilot", "--regid=autopilot", "--clear-groups", "--")
    yield "looks about as the user that it is", systemd.says(*look, "id", "-u") == user
    for place in ("/", "/etc", "/opt/autopilot", "/usr"):
        yield f"can't write to {place}", systemd.run(*look, "touch", f"{place}/x").returncode != 0
    yield "can write to its folder", systemd.run(*look, "touch", "/var/lib/autopilot/kept").returncode == 0
    yield "sees no home", systemd.says(*look, "ls", "/home", "/root") in {"", "/home:\n\n/root:"}
    journal = systemd.says("journalctl", "--unit", "autopilot", "--output", "cat")
    secrets = systemd.says("sh", "-c", "cat /var/lib/autopilot/secrets/*").split()
    keys = [word for word in secrets if len(word) > len("BEGIN")]
    yield "tells the journal how it is, and no key", bool(journal and keys) and not any(key in journal for key in keys)


def checks(systemd: Booted, port: int) -> Iterator[tuple[str, bool]]:
    """Everything that is held, as it is found out."""
    verified = systemd.run("systemd-analyze", "verify", "autopilot.service")
    yield "is a unit without faults", verified.returncode == 0 and "autopilot.service" not in verified.stderr
    yield "starts", systemd.run("systemctl", "start", "autopilot").returncode == 0
    yield "serves", is_ready(port)
    exposed = systemd.says("systemd-analyze", "security", "autopilot.service").splitlines()[-1]
    sys.stdout.write(f"     {exposed.lstrip('→ ')}\n")
    score = float(exposed.split(":")[1].split()[0])
    yield f"is exposed no more than {MOST_EXPOSED} of 10", score <= MOST_EXPOSED
    yield from shut_in(systemd)
    first = systemd.shown("MainPID")
    systemd.run("systemctl", "kill", "--signal=KILL", "autopilot")
    end = time.monotonic() + READY_SECONDS
    while systemd.shown("MainPID") in {first, "0"} and time.monotonic() < end:
        time.sleep(0.2)
    yield "is started again when it was killed", systemd.shown("NRestarts") == "1" and is_ready(port)
    began = time.monotonic()
    systemd.run("systemctl", "stop", "autopilot")
    took, result = time.monotonic() - began, systemd.shown("Result")
    yield f"ends by itself when it is stopped ({took:.1f} s)", result == "success" and took < STOP_SECONDS
    left = systemd.run("pgrep", "--uid", "autopilot").stdout
    yield "leaves no process behind", not left
    systemd.run("systemctl", "start", "autopilot")
    yield (
        "goes on with what it had",
        is_ready(port) and systemd.run("test", "-e", "/var/lib/autopilot/kept").returncode == 0,
    )


def free_port() -> int:
    """One that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def main() -> None:
    """Exit code 1 where something does not hold."""
    if os.geteuid() != 0:
        sys.exit("systemd_check: namespaces with a systemd in them take root")
    port, held = free_port(), True
    with booted(port) as systemd:
        for what, holds in checks(systemd, port):
            sys.stdout.write(f"{'ok  ' if holds else 'NOT '} {what}\n")
            sys.stdout.flush()
            held = held and holds
        if not held:
            sys.stdout.write(systemd.says("journalctl", "--unit", "autopilot", "--lines", "60") + "\n")
    sys.exit(0 if held else 1)


if __name__ == "__main__":
    main()
