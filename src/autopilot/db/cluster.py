"""The data folder of the embedded server: made whole or not at all, recognized by version, set up for a desktop.

Owns `<home>/postgres` and the two password files in `<home>/secrets`. Never starts the server (embedded.py does).
"""

from __future__ import annotations

import asyncio
import os
import pwd
import secrets
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from autopilot.db import launch, leftovers
from autopilot.db.errors import ClusterFailed, ClusterRefused

ADMIN = "autopilot_admin"
REMOVALS, BETWEEN_SECONDS = 40, 0.05
"""Tries to clear away what an initdb that is dying still writes."""
"""The cluster's superuser: makes roles and databases, and nothing else."""

SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "wal_level": "minimal",  # no replicas of an embedded server; crash safety is the same
    "max_wal_senders": "0",
    "max_wal_size": "512MB",
    "checkpoint_timeout": "15min",
    "log_checkpoints": "off",
    "random_page_cost": "1.1",
    "jit": "off",  # our queries are short: compiling them costs more than it saves
    "autovacuum_vacuum_scale_factor": "0.05",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
"""Given at every start, so that a newer Autopilot tunes an old cluster too. fsync and synchronous_commit stay on."""


def command(program: Path, *arguments: str) -> list[str]:
    """The command line that runs `program` as somebody who is not root, for no longer than this process's thread."""
    user = ["--user", str(_inner_uid())] if os.geteuid() == 0 else []
    script = str(Path(launch.__file__).resolve())
    return [sys.executable, "-I", "-S", script, *user, "--parent", str(os.getpid()), "--", str(program), *arguments]


def _inner_uid() -> int:
    """An id with a name in the user database: initdb asks for it, whatever it is."""
    return next(entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid != 0)


def check_version(data: Path, ours: int) -> None:
    """Refuse a folder of another major version.

    Raises:
        ClusterRefused: with what to do.
    """
    try:
        theirs = (data / "PG_VERSION").read_text(encoding="ascii").strip()
    except OSError as error:
        raise ClusterRefused(f"{data} is not a database folder (no readable PG_VERSION): move it away.") from error
    if theirs != str(ours):
        raise ClusterRefused(
            f"The database in {data} was made by Postgres {theirs}, these programs are Postgres {ours}: "
            f"run it with Postgres {theirs} (PG_BIN), take a backup with Autopilot's command `backup`, "
            "move the folder away, and bring the data back with its command `restore`."
        )


def password(secrets_dir: Path, name: str) -> str:
    """The password in `secrets_dir/name`, made on first use; mode 0600, never half-written."""
    path = secrets_dir / name
    if not path.exists():
        descriptor, made = tempfile.mkstemp(dir=secrets_dir, prefix=f".{name}-")
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(24))
            file.flush()
            os.fsync(file.fileno())
        _publish(Path(made), path)
    return path.read_text(encoding="ascii")


async def remove_half_made(data: Path) -> None:
    """Clear away what a `create` that was killed left, also while its initdb is still dying."""
    for left in data.parent.glob(f"{data.name}.new-*"):
        for _try in range(REMOVALS):  # initdb may be removing it too, or have begun one more process meanwhile
            await leftovers.end_processes(left, leftovers.AT_ONCE)
            shutil.rmtree(left, ignore_errors=True)
            if not left.exists():
                break
            await asyncio.sleep(BETWEEN_SECONDS)


async def create(data: Path, bin_dir: Path, admin_password_file: Path, *, durable: bool = True) -> None:
    """Make a new cluster in `data`: beside it first, then renamed, so that half a cluster never has its name.

    Raises:
        ClusterFailed: initdb said no; its words are in the message.
    """
    made = Path(tempfile.mkdtemp(prefix=f"{data.name}.new-", dir=data.parent))
    process = await asyncio.create_subprocess_exec(
        *command(bin_dir / "initdb", f"--pgdata={made}", f"--username={ADMIN}", f"--pwfile={admin_password_file}"),
        *("--encoding=UTF8", "--locale=C", "--locale-provider=libc", "--data-checksums"),
        *("--auth-local=scram-sha-256", "--auth-host=scram-sha-256"),
        *([] if durable else ["--no-sync"]),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=environment(),
        cwd=made,  # by which leftovers.py finds an initdb that lost its owner
        start_new_session=True,
    )
    try:
        said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        shutil.rmtree(made)
        raise ClusterFailed(f"initdb failed: {_explain(said.decode(errors='replace'))}")
    _publish(made, data)


def environment() -> dict[str, str]:
    """The environment of Postgres programs: nothing of ours, no PG* variables that would bend them."""
    return {"LC_ALL": "C", "TZ": "UTC", "PATH": os.defpath}


def _explain(said: str) -> str:
    if "unshare" in said:
        return (
            "this is root, Postgres refuses to be, and user namespaces are switched off here: run Autopilot as an "
            f"ordinary user, or set DATABASE_URL. ({said.strip().splitlines()[-1]})"
        )
    return said.strip()[-2000:]


def _publish(made: Path, data: Path) -> None:
    """Give it its name for good: also a power cut leaves both, or neither.

    The folder that a password opens must not outlive the password.
    """
    made.rename(data)
    descriptor = os.open(data.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
