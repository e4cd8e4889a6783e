"""The body of `POST /workers/{id}/events`: from bytes to drafts.

Owns the shape of the body and what each of its values may be; redaction and the digest happen here, outside of any
transaction. Payload text that holds no secret is kept verbatim. Does no I/O and knows no worker.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import Any

import msgspec

from autopilot.contract import EventType, redaction
from autopilot.contract.errors import Details, InvalidRequest, PayloadTooLarge, Unprocessable
from autopilot.contract.port import RuntimeRequest
from autopilot.ops import sieve
from autopilot.runtime import strict_json
from autopilot.runtime.append_identity import AS_STORED, Digests
from autopilot.runtime.append_plan import STOPPED
from autopilot.runtime.ledger_rows import Draft, actor_of, text_or_null
from autopilot.runtime.settings import RuntimeSettings

KNOWN_TYPES = frozenset(EventType)
EVENT_TYPE = re.compile(r"worker\.[a-z0-9_]+(?:\.[a-z0-9_]+)*")
MAX_EVENT_TYPE = 120
EVENT_ID = re.compile(r"[!-~]{1,255}")
MAX_INTEGER = 2**53 - 1


class _Event(msgspec.Struct, gc=False):
    """One event, as far as its text is needed: the values come from the whole body's decoding."""

    payload: msgspec.Raw = msgspec.Raw(b"{}")


class _Body(msgspec.Struct):
    event: _Event | None = None
    events: list[_Event] | None = None


_TEXTS = msgspec.json.Decoder(_Body)


@dataclass(frozen=True, slots=True)
class AppendBody:
    """What was asked: the drafts, and whether they came as a batch."""

    drafts: list[Draft]
    generation: int | None
    is_batch: bool


def read(request: RuntimeRequest, settings: RuntimeSettings) -> AppendBody:
    """The drafts of an append.

    Raises:
        InvalidRequest: malformed JSON, no event, an `event_type` that doesn't start with `worker.`.
        PayloadTooLarge: the body, or one payload.
        Unprocessable: a value out of its set, range or charset; one detail per field.
        UnsupportedMediaType: not JSON by its own account.
    """
    strict_json.check_media(request, max_bytes=settings.max_body_bytes)
    body = strict_json.parse(request.body)
    items, is_batch = _items(body, settings)
    texts = _texts(request.body, is_batch=is_batch)
    problems: Details = []
    executor = "execute" in request.claims.scopes
    digests = None if executor else Digests.of(settings)
    may_redact = sieve.may_hold_secret(request.body)
    actor = actor_of(request.claims)
    request_text = text_or_null(request.headers.get("x-request-id"))
    drafts = []
    for index, (item, raw) in enumerate(zip(items, texts, strict=True)):
        place = f"events[{index}]" if is_batch else "event"
        faults = _faults(item, place)
        if faults:
            problems += faults
            continue
        event_type, written = item["event_type"], item.get("payload") or {}
        payload, value = _payload(written, raw, place, settings, may_redact=may_redact)
        altered = value is not written
        digest = None
        if digests is not None:
            digest = digests.make(event_type, written) if altered else AS_STORED
        drafts.append(
            Draft(
                event_type,
                payload,
                value,
                item.get("event_id") or f"server:{uuid.uuid4().hex}",
                actor,
                request_text,
                digest,
                digests,
                written if altered else None,
                item.get("producer_seq") if executor else None,
                item.get("late") is True,
            )
        )
    generation = body.get("generation")
    if generation is not None and not _is_integer(generation, 1):
        problems.append(_fault("generation", "must be a positive integer"))
    if problems:
        raise Unprocessable(f"{problems[0]['field']} {problems[0]['message']}", details=problems)
    return AppendBody(drafts, generation, is_batch)


def _items(body: dict[str, Any], settings: RuntimeSettings) -> tuple[list[dict[str, Any]], bool]:
    """The events as decoded, and whether they are a batch. As everywhere, null or empty means missing."""
    event, events = body.get("event"), body.get("events", [])
    if not isinstance(events, list):
        raise InvalidRequest("events must be a list", reason_code="not_a_list", field="events")
    if (event is None) == (not events):
        raise InvalidRequest("the body must have either event or events", reason_code="event_missing", field="event")
    items = events or [event]
    if not all(isinstance(item, dict) for item in items):
        raise InvalidRequest("an event must be an object", reason_code="not_an_object", field="event")
    if len(items) > settings.max_batch_events:
        raise PayloadTooLarge(
            f"a batch has at most {settings.max_batch_events} events",
            reason_code="too_many_events",
            limit=settings.max_batch_events,
        )
    for item in items:
        event_type = item.get("event_type")
        if not isinstance(event_type, str) or not event_type.startswith("worker."):
            raise InvalidRequest("event_type must start with worker.", reason_code="event_type", field="event_type")
    return items, bool(events)


def _texts(raw: bytes, *, is_batch: bool) -> list[msgspec.Raw]:
    """The payloads' raw text on one line, in order; a payload that is null counts as missing."""
    body = _TEXTS.decode(strict_json.one_line(raw))
    events = (body.events or []) if is_batch else [body.event or _Event()]
    return [event.payload for event in events]


def _payload(
    value: dict[str, Any], text: msgspec.Raw, place: str, settings: RuntimeSettings, *, may_redact: bool
) -> tuple[str, dict[str, Any]]:
    """The payload as it will be stored, as text and decoded. `may_redact`: its body may hold a secret.

    Raises:
        PayloadTooLarge, InvalidRequest: too large, or too deep.
    """
    if not value:
        return "{}", value
    raw = bytes(text)
    if len(raw) > settings.max_event_bytes:
        raise PayloadTooLarge(
            f"a payload has at most {settings.max_event_bytes} bytes",
            reason_code="event_too_large",
            field=place,
            limit=settings.max_event_bytes,
        )
    strict_json.check_depth(raw, value, settings.max_depth)
    if may_redact and sieve.may_hold_secret(raw):
        redacted = redaction.redact(value)
        if redacted is not value:
            return msgspec.json.encode(redacted).decode(), redacted
    return raw.decode(), value


def _faults(item: dict[str, Any], place: str) -> Details:
    """What is wrong with one event's own fields."""
    found = []
    event_type = item["event_type"]
    if event_type not in KNOWN_TYPES and (len(event_type) > MAX_EVENT_TYPE or not EVENT_TYPE.fullmatch(event_type)):
        found.append(_fault(f"{place}.event_type", "must be worker. and lower-case words with dots"))
    if not isinstance(item.get("payload"), (dict, type(None))):
        found.append(_fault(f"{place}.payload", "must be an object"))
    if (event_id := item.get("event_id")) is not None and not _is_identity(event_id):
        found.append(_fault(f"{place}.event_id", "must be 1 to 255 printable ASCII characters without spaces"))
    if (producer_seq := item.get("producer_seq")) is not None and not _is_integer(producer_seq, 1):
        found.append(_fault(f"{place}.producer_seq", "must be a positive integer"))
    if (late := item.get("late")) is not None:
        if not isinstance(late, bool):
            found.append(_fault(f"{place}.late", "must be true or false"))
        elif late and event_type == STOPPED:
            found.append(_fault(f"{place}.late", "must not be set on worker.stopped: it would end the present span"))
    return found


def _fault(field: str, message: str) -> dict[str, Any]:
    return {"reason_code": "invalid_value", "field": field, "message": message}


def _is_identity(value: object) -> bool:
    return isinstance(value, str) and EVENT_ID.fullmatch(value) is not None


def _is_integer(value: object, low: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= MAX_INTEGER
