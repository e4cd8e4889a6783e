"""The folder of one installation: what lies where, who has it open, and how a second terminal finds it.

Owns the layout of AUTOPILOT_HOME and the file `run/installation.json` that a running `autopilot up` leaves for
commands on the same machine. Everything in it is for its owner only (0700). Never starts anything.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import autopilot
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.ops.settings import default_home

PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What a running installation says about itself."""

    url: str
    """Where this machine reaches it."""
    pid: int
    """Of the supervisor."""
    database_url: str
    owner_email: str
    started_at: str
    version: str
    shown_url: str = ""
    """Where other devices reach it, if they can; else as `url`."""


@dataclass(frozen=True, slots=True)
class Home:
    """The data folder of an installation."""

    path: Path

    @property
    def run(self) -> Path:
        """Sockets, locks, and what the running installation says about itself."""
        return self.path / "run"

    @property
    def secrets(self) -> Path:
        """Keys of this installation, each in a file of its own."""
        return self.path / "secrets"

    @property
    def companion(self) -> Path:
        """The companion's outbox, credentials and machine id."""
        return self.path / "companion"

    @property
    def logs(self) -> Path:
        """One file of JSON lines for each process."""
        return self.path / "logs"

    @property
    def postgres(self) -> Path:
        """The embedded database's cluster."""
        return self.path / "postgres"

    @property
    def cli(self) -> Path:
        """What commands on this machine keep: their short-lived token, their own log."""
        return self.path / "cli"

    def make(self) -> Home:
        """Create the folders, for the owner's eyes only."""
        for folder in (self.path, self.run, self.secrets, self.companion, self.logs, self.cli):
            folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
            folder.chmod(PRIVATE_FOLDER)
        return self

    @property
    def _installation(self) -> Path:
        return self.run / "installation.json"

    @property
    def _lock(self) -> Path:
        return self.run / "up.lock"

    def announce(self, running: Running) -> None:
        """Let other terminals find this installation."""
        write_private(self._installation, json.dumps(asdict(running), indent=2) + "\n")

    def withdraw(self) -> None:
        """Stop announcing."""
        self._installation.unlink(missing_ok=True)

    def announced(self) -> Running | None:
        """What the installation said about itself, if it is still running."""
        if not self.is_running():
            return None
        try:
            return Running(**json.loads(self._installation.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def is_running(self) -> bool:
        """Whether an `autopilot up` holds this home."""
        try:
            with self._lock.open(encoding="utf-8") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    @contextmanager
    def held(self) -> Iterator[None]:
        """Be the one `autopilot up` of this home; the kernel lets go of it however the process ends.

        Raises:
            CommandFailed: another one has it.
        """
        with open(os.open(self._lock, os.O_RDWR | os.O_CREAT, PRIVATE_FILE), "r+", encoding="utf-8") as file:  # noqa: PTH123  a descriptor, not a path: the mode matters
            if not _lock_soon(file.fileno()):
                raise self._already_running()
            self.withdraw()
            try:
                yield
            finally:
                self.withdraw()

    def _already_running(self) -> CommandFailed:
        running = self.announced()
        where = f" at {running.url} (process {running.pid})" if running else ", and is still starting or stopping"
        return CommandFailed(f"Autopilot already runs from {self.path}{where}.", Exit.CANNOT_START)


def _lock_soon(descriptor: int) -> bool:
    """Take the lock; tried for a moment, because a command that looks whether we run shares it for an instant."""
    for _ in range(10):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.02)
        else:
            return True
    return False


def write_private(path: Path, text: str) -> None:
    """Replace `path` by `text` in one step; nobody but the owner can read it at any moment."""
    path.parent.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, PRIVATE_FILE), "w", encoding="utf-8") as file:  # noqa: PTH123  as above
        file.write(text)
    draft.replace(path)


def checkout() -> Path | None:
    """The source checkout this program runs from, if it runs from one: `make run` keeps its data there."""
    root = Path(autopilot.__file__).resolve().parents[2]
    return root if (root / "pyproject.toml").is_file() else None


def homes(environ: Mapping[str, str]) -> list[Home]:
    """Where an installation of this user may live, most wanted first."""
    if chosen := environ.get("AUTOPILOT_HOME"):
        return [Home(Path(chosen).expanduser().absolute())]
    default = Home(default_home())
    root = checkout()
    return [Home(root / ".autopilot"), default] if root else [default]


def home_for_up(environ: Mapping[str, str]) -> Home:
    """The home that `autopilot up` and `restore` use: the one named, else the checkout's own, else the user's."""
    return homes(environ)[0]


def running_home(environ: Mapping[str, str]) -> tuple[Home, Running] | None:
    """The running installation that commands of this user mean when they name none."""
    for home in homes(environ):
        if running := home.announced():
            return home, running
    return None
