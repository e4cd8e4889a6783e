"""Become a program of Postgres that is not root and does not outlive its parent.

Run as a script (`python -I -S launch.py [--user UID] --parent PID -- PROGRAM ARGS…`), so that nothing happens between
fork and exec in the parent. Stdlib only, imports nothing of ours. Afterwards this process *is* the program: same pid.

* `--user UID`: root enters a user namespace with exactly one id, in which it is UID. Postgres refuses to be root; there
  it is not, yet it owns root's files and passes root's 0700 folders. UID must have a name (initdb looks it up).
* Linux ends the program when the parent's thread ends (PR_SET_PDEATHSIG, set after the namespace, which would reset
  it). Elsewhere this process stays, as `keep` says.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path

_CLONE_NEWUSER = 0x10000000
_PR_SET_PDEATHSIG = 1
_KEEP_POLL_SECONDS = 0.25


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def enter_user_namespace(libc: ctypes.CDLL, uid: int) -> None:
    """Become `uid` in a namespace whose only id is that, standing for the present one outside."""
    outer_uid, outer_gid = os.geteuid(), os.getegid()
    _check(libc.unshare(_CLONE_NEWUSER), "unshare")
    Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
    Path("/proc/self/uid_map").write_text(f"{uid} {outer_uid} 1", encoding="ascii")
    Path("/proc/self/gid_map").write_text(f"{uid} {outer_gid} 1", encoding="ascii")


def die_with_parent(libc: ctypes.CDLL, parent: int) -> None:
    """Ask the kernel for SIGINT (Postgres' fast shutdown) at the parent's end; give up if that has come already."""
    _check(libc.prctl(_PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0), "prctl")
    if os.getppid() != parent:
        sys.exit("the parent has gone")


def keep(command: list[str], parent: int) -> int:
    """Run `command` as a child, pass signals on to it, and interrupt it when `parent` is no longer our parent."""
    with subprocess.Popen(command) as child:  # noqa: S603 - the caller's own command line
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT):
            signal.signal(number, lambda received, _frame: child.send_signal(received))
        while True:
            try:
                return child.wait(timeout=_KEEP_POLL_SECONDS)
            except subprocess.TimeoutExpired:
                if os.getppid() != parent:
                    child.send_signal(signal.SIGINT)


def main() -> int:
    """See the module's docstring."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--user", type=int)
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--keep", action="store_true", default=sys.platform != "linux")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    os.umask(0o077)
    libc = ctypes.CDLL(None, use_errno=True)
    if options.user is not None:
        enter_user_namespace(libc, options.user)
    if options.keep:
        return keep(command, options.parent)
    die_with_parent(libc, options.parent)
    return os.execv(command[0], command)  # noqa: S606 - becoming another program is the purpose


if __name__ == "__main__":
    sys.exit(main())
