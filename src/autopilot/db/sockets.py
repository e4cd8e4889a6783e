"""The private folder of the server's unix socket, with a path short enough for the kernel.

A socket's path may have 107 bytes (103 on macOS), and a comma in it would be read as a list of hosts. Where the path of
AUTOPILOT_HOME is not fit for that, the socket lives in a short folder
with a random name that only we may enter, and `run/postgres-socket` is a symbolic link that tells where.
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from autopilot.db.errors import ClusterRefused

PORT = 5432
"""Only a part of the socket's name: there is no TCP."""
MAX_PATH_BYTES = 103
LINK = "postgres-socket"
PRIVATE = 0o700


def private_dir(path: Path) -> Path:
    """Make `path` a folder of ours with mode 0700 and return it.

    Raises:
        ClusterRefused: somebody else owns it.
    """
    path.mkdir(mode=PRIVATE, parents=True, exist_ok=True)
    if path.stat().st_uid != os.geteuid():
        raise ClusterRefused(f"{path} belongs to another user: set AUTOPILOT_HOME to a folder of your own.")
    path.chmod(PRIVATE)
    return path


def socket_dir(run_dir: Path) -> Path:
    """The folder for the socket: `run_dir` itself, or the short one behind its link, made anew when it is not sound."""
    if fits(run_dir):
        return run_dir
    link = run_dir / LINK
    known = linked_dir(link)
    if known is not None:
        return known
    for parent in _short_parents():
        made = Path(tempfile.mkdtemp(prefix="autopilot-", dir=parent))
        if fits(made):
            link.unlink(missing_ok=True)
            link.symlink_to(made)
            return made
        made.rmdir()
    raise ClusterRefused(f"The path {run_dir} does not do for a unix socket, and neither does any temporary folder.")


def fits(folder: Path) -> bool:
    """Whether a socket in `folder` has a path that the kernel and the drivers take."""
    return "," not in str(folder) and len(os.fsencode(folder / f".s.PGSQL.{PORT}.lock")) <= MAX_PATH_BYTES


def linked_dir(link: Path) -> Path | None:
    """Where `link` leads, if that is a real folder which is ours alone."""
    try:
        folder = link.readlink()
        facts = folder.lstat()
    except OSError:
        return None
    is_ours = stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.geteuid() and stat.S_IMODE(facts.st_mode) == PRIVATE
    return folder if is_ours and fits(folder) else None


def _short_parents() -> list[Path]:
    named = [os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp"]  # noqa: S108 - mkdtemp makes it private
    return [Path(name) for name in named if name and Path(name).is_dir()]
