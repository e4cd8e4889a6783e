"""Where `autopilot login` keeps its sessions: the system's keyring, or a 0600 file; one for each server."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from autopilot.cli.home import home_for_up, write_private
from autopilot.client.keyring_store import KeyringTokenStore
from autopilot.client.session import Session
from autopilot.client.tokens import FileTokenStore


def store_of(url: str, environ: Mapping[str, str]) -> KeyringTokenStore:
    """The place for the credentials of one server."""
    name = hashlib.sha256(url.encode()).hexdigest()[:12]
    return KeyringTokenStore(FileTokenStore(home_for_up(environ).cli / f"login-{name}.json"), account=url)


def session_of(url: str, environ: Mapping[str, str]) -> Session:
    """This user's session with one server; an async context manager."""
    return Session(url, store_of(url, environ), surface="cli")


def remember(url: str, environ: Mapping[str, str]) -> None:
    """Make `url` the server that commands mean when they name none."""
    write_private(home_for_up(environ).cli / "last-login.json", json.dumps({"url": url}) + "\n")


def forget(environ: Mapping[str, str]) -> None:
    """No server any more."""
    (home_for_up(environ).cli / "last-login.json").unlink(missing_ok=True)


def last_login(environ: Mapping[str, str]) -> str | None:
    """The server signed in to last."""
    try:
        found = json.loads((home_for_up(environ).cli / "last-login.json").read_text(encoding="utf-8"))
        return str(found["url"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
