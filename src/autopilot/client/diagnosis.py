"""Facts about an app's connections and what it keeps, for whoever looks why something does not work.

A value of what is known at one moment; never a token, a message, a command or a diff. Words are in
presenters/diagnosis.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from autopilot import __version__
from autopilot.client.app_core import AppCore
from autopilot.client.connection import ConnectionState
from autopilot.client.offline_cache import CacheFacts
from autopilot.contract import VERSION, HealthFact


@dataclass(frozen=True, slots=True)
class StreamFacts:
    """One connection that is kept open."""

    name: str
    """`everything`, or a worker's id."""
    connection: ConnectionState
    place: str | None
    """How far it was read: a worker's seq, the beginning of the opaque cursor of everything; None: nothing yet."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One moment of all of it."""

    at: datetime
    version: str
    contract: str
    server: str
    user_id: int | None
    device_id: str
    phase: str
    is_online: bool | None
    api: HealthFact
    streams: tuple[StreamFacts, ...]
    cache: CacheFacts | None
    """None: there is none."""
    server_ahead_seconds: float | None
    lines: tuple[Mapping[str, Any], ...]
    """The local log, the oldest first."""
    failures: tuple[Mapping[str, Any], ...]
    """Of these what failed, the latest first."""


PLACE_CHARACTERS = 16


def diagnosis(core: AppCore, cache: CacheFacts | None) -> Diagnosis:
    """What is known now; `cache`: as `core.cache_facts` said."""
    view = core.view
    everything = StreamFacts("everything", core.standing.connection, _short(core.resume_at))
    workers = [
        StreamFacts(name, detail.store.connection, str(detail.store.view.seq)) for name, detail in core.opened.items()
    ]
    return Diagnosis(
        at=core.client.clock.now(),
        version=__version__,
        contract=VERSION,
        server=core.client.base_url,
        user_id=view.session.user_id,
        device_id=core.names.device or "",
        phase=view.phase,
        is_online=view.is_online,
        api=view.overview.api,
        streams=(everything, *workers),
        cache=cache,
        server_ahead_seconds=core.client.server_ahead_seconds,
        lines=core.recent.lines,
        failures=core.recent.failures,
    )


def _short(cursor: str | None) -> str | None:
    return cursor if cursor is None or len(cursor) <= PLACE_CHARACTERS else f"{cursor[:PLACE_CHARACTERS]}…"
