"""The one line that says how things stand: which layer is not well, the one that explains the others first, since when.

The words are those of the web's line (static/js/30-live.js). Pure: what is known and the time in, words out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from autopilot.client.connection import ConnectionState
from autopilot.client.presenters import standing
from autopilot.client.presenters.errors import trouble
from autopilot.client.presenters.labels import Tone
from autopilot.client.presenters.standing import Worker
from autopilot.client.presenters.times import ago
from autopilot.contract import HealthFact
from autopilot.contract.instants import instant

HEARTBEAT_SECONDS = 20.0
"""The server breaks every silence within 15 s; beyond this it is a silence worth telling."""


@dataclass(frozen=True, slots=True)
class StateLine:
    """One layer that is not well, or that all is."""

    layer: str
    """`live`, `session`, `network`, `server`, `stream`, `access`, or of the worker `machine`, `backend`, `codex`, …."""
    text: str
    tone: Tone
    since: str | None = None
    """Since when, RFC 3339; None: not known, or all is well."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of how things stand."""

    connection: ConnectionState
    api: HealthFact
    as_of: datetime | None = None
    """When what is shown was true last; None: it is now, or nothing is shown."""
    is_online: bool | None = None
    worker: Worker | None = None
    """The one on the screen."""


def state_line(known: Standing, now: datetime) -> StateLine:
    """What to say in one line."""
    return next(lines(known, now))


def lines(known: Standing, now: datetime) -> Iterator[StateLine]:
    """Every layer that is not well, the one that explains the others first; where all is, that it is `live`."""
    found = [*_connection(known, now)]
    if known.connection.kind in ("live", "catching_up"):
        found += [StateLine(one.layer, one.badge, one.tone, one.since) for one in _troubles(known.worker)]
    yield from found or [StateLine("live", "Live", "good")]


def _troubles(worker: Worker | None) -> tuple[standing.Trouble, ...]:
    return () if worker is None else standing.troubles(worker)


def _connection(known: Standing, now: datetime) -> Iterator[StateLine]:
    connection = known.connection
    since = instant(connection.since) if connection.since is not None else None
    if connection.kind == "signed_out":
        yield StateLine("session", "You are signed out", "bad", since)
    elif connection.kind == "refused":
        said = trouble(connection.error).sentence if connection.error is not None else "The server refuses this"
        yield StateLine("access", said, "bad", since)
    elif connection.kind not in ("live", "catching_up"):
        shown = f"what was known {ago(instant(known.as_of), now)}" if known.as_of is not None else "what was known"
        yield _unconnected(known, shown, since)
    else:
        if known.api.state == "unavailable":
            yield StateLine("server", "Server: the ledger can't be reached", "warn", _since(known.api) or since)
        heard_at = connection.heard_at
        if heard_at is not None and (now - heard_at).total_seconds() > HEARTBEAT_SECONDS:
            yield StateLine("stream", "Connection stalled", "warn", instant(heard_at))
        elif connection.kind == "catching_up":
            yield StateLine("stream", "Catching up…", "busy", since)


def _unconnected(known: Standing, shown: str, since: str | None) -> StateLine:
    connection = known.connection
    if known.is_online is False:
        return StateLine("network", f"Offline: showing {shown}", "warn", since)
    if connection.kind in ("idle", "closed"):
        return StateLine("stream", f"Not connected: showing {shown}", "quiet", since)
    if connection.kind == "connecting" and known.api.state != "unreachable":
        words = "Connecting…" if connection.heard_at is None else "Reconnecting…"
        return StateLine("stream", words, "busy", since)
    if known.api.state == "unavailable":
        return StateLine("server", f"Server: the ledger can't be reached; showing {shown}", "warn", _since(known.api))
    if known.api.state == "ok":
        return StateLine("stream", "Reconnecting…", "busy", since)
    unreached = _since(known.api) or since
    return StateLine("network", f"No connection to the server: showing {shown}", "warn", unreached)


def _since(fact: HealthFact) -> str | None:
    since = (fact.detail or {}).get("since")
    return since if isinstance(since, str) else None
