"""How things stand, for whoever looks why something does not work: facts in words, and all of it as text to send on.

Pure. Of what is exported every line goes through the redaction of credentials once more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from autopilot.client.connection import ConnectionState
from autopilot.client.diagnosis import Diagnosis, StreamFacts
from autopilot.client.presenters.labels import Label, sentence, spelled
from autopilot.client.presenters.people import short
from autopilot.client.presenters.times import ago, exact, size
from autopilot.contract.instants import instant
from autopilot.contract.redaction import redact, redact_text

CLOSE_SECONDS = 2.0
"""A difference of clocks that is not worth telling: a server says its time to the second."""
FAR_SECONDS = 60.0
"""From here on words like `3 min ago` mislead."""
NOTHING_FAILED = "Nothing failed since the app was opened."
EXPORT_TITLE = "Autopilot diagnostics"
ABOUT_EXPORT = "Connections, versions and the last log lines: no message, command, diff or key."
KINDS = {
    "idle": Label("Not asked for yet"),
    "connecting": Label("Connecting", "busy"),
    "catching_up": Label("Catching up", "busy"),
    "live": Label("Live", "good"),
    "waiting": Label("Waits to try again", "warn"),
    "signed_out": Label("Signed out", "bad"),
    "stale": Label("Read anew", "warn"),
    "refused": Label("Refused", "bad"),
    "closed": Label("Closed"),
}
EVENTS = {
    "client.call_failed": "A call failed",
    "follower.ended": "A stream ended",
    "screen.failed": "A screen failed",
    "act.not_answered": "An act was not answered",
    "handshake.timed_out": "A handshake timed out",
    "session.refresh_postponed": "The session could not be renewed yet",
    "keychain.failed": "The Keychain failed",
}
Facts = tuple[tuple[str, str], ...]


def stream_name(stream: StreamFacts) -> str:
    """What a stream is of."""
    return "Everything" if stream.name == "everything" else f"Session {short(stream.name)}"


def stream_state(stream: StreamFacts) -> Label:
    """How it stands."""
    return KINDS.get(stream.connection.kind) or Label(sentence(spelled(stream.connection.kind)))


def stream_facts(stream: StreamFacts, now: datetime) -> Facts:
    """All that is known of it; names and values."""
    connection = stream.connection
    return _said(
        ("Delivery", "Long polls: something on the way holds streams back" if _polls(connection) else "Stream"),
        ("Since", _moment(connection.since, now)),
        ("Last heard", _moment(connection.heard_at, now) or "Never"),
        ("Cursor" if stream.name == "everything" else "Seq", stream.place or "Nothing read yet"),
        ("End of the log", "" if connection.latest_seq is None else str(connection.latest_seq)),
        ("Reconnections", str(max(0, connection.openings - 1))),
        ("Failures in a row", str(connection.attempt) if connection.attempt else ""),
        ("Next try", _moment(connection.retry_at, now, ahead=True) if connection.retry_at else ""),
        ("Last failure", "" if connection.error is None else _failure(connection)),
    )


def about(known: Diagnosis) -> Facts:
    """Versions, the server, the network, clocks, what is kept."""
    network = {True: "There is one", False: "None"}.get(known.is_online) if known.is_online is not None else None
    cache = known.cache
    kept = "" if cache is None or cache.saved_at is None else f", kept {ago(cache.saved_at, known.at)}"
    return _said(
        ("App", known.version),
        ("Contract", known.contract),
        ("Server", known.server),
        ("API", sentence(spelled(known.api.state))),
        ("Network", network or "Not told"),
        ("Server's clock", clock_words(known.server_ahead_seconds).text),
        ("Offline cache", "None" if cache is None else f"{size(cache.size_bytes)}{kept}"),
        ("Device", known.device_id),
    )


def clock_words(ahead_seconds: float | None) -> Label:
    """How the server's clock stands to this phone's."""
    if ahead_seconds is None:
        return Label("Not known yet")
    if abs(ahead_seconds) <= CLOSE_SECONDS:
        return Label("The same as this phone's", "good")
    way = "ahead of" if ahead_seconds > 0 else "behind"
    tone = "warn" if abs(ahead_seconds) >= FAR_SECONDS else "quiet"
    return Label(f"{abs(ahead_seconds):.0f} s {way} this phone's", tone)


def failure_words(line: Mapping[str, Any]) -> str:
    """What failed: `A call failed: workers.list`."""
    event = str(line.get("event", ""))
    name = EVENTS.get(event) or sentence(spelled(event))
    what = line.get("operation") or line.get("screen") or line.get("what") or line.get("follower")
    return f"{name}: {what}" if what else name


def failure_detail(line: Mapping[str, Any]) -> str:
    """When, how, and the request id to look it up by."""
    how = [line.get("status"), line.get("reason_code") or line.get("code") or line.get("error")]
    request = line.get("x_request_id")
    parts = [
        exact(str(line.get("ts", ""))),
        " ".join(str(one) for one in how if one),
        f"request {request}" if request else "",
    ]
    return " · ".join(part for part in parts if part)


def text(known: Diagnosis) -> str:
    """All of it, to be sent on."""
    lines = [EXPORT_TITLE, exact(instant(known.at)), "", *(f"{name}: {value}" for name, value in about(known)), ""]
    for stream in known.streams:
        lines.append(f"{stream.name}: {stream_state(stream).text}")
        lines += [f"  {name}: {value}" for name, value in stream_facts(stream, known.at)]
    lines += ["", f"Log, the last {len(known.lines)} lines:"]
    lines += [json.dumps(redact(dict(line)), ensure_ascii=False, default=str) for line in known.lines]
    return "\n".join(redact_text(line) for line in lines) + "\n"


def _said(*facts: tuple[str, str]) -> Facts:
    return tuple((name, value) for name, value in facts if value)


def _polls(connection: ConnectionState) -> bool:
    return connection.delivery == "long_poll"


def _moment(moment: datetime | None, now: datetime, *, ahead: bool = False) -> str:
    if moment is None:
        return ""
    said = instant(moment)
    return exact(said) if ahead else f"{ago(said, now)} ({exact(said)})"


def _failure(connection: ConnectionState) -> str:
    error = connection.error
    assert error is not None
    reason = error.reason_code or error.code
    return f"{reason}, request {error.request_id}" if error.request_id else f"{reason}"
