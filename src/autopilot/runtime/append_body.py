"""The body of `POST /workers/{id}/events`: from bytes to drafts.

Owns the shape of the body and what each of its values may be; redaction and the digest happen here, outside of any
transaction. Payload text that holds no secret is kept verbatim. Does no I/O and knows no worker.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
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
MAX_EVENT_ID = 255
EVENT_ID = re.compile(rf"[!-~]{{1,{MAX_EVENT_ID}}}")
MAX_INTEGER = 2**53 - 1
_OBJECTS, _OBJECTS_ALONE, _TEXTS_ALONE, _INTEGERS = frozenset({dict, type(None)}), {dict}, {str}, {int}


class _Event(msgspec.Struct, gc=False):
    """One event with the text of its payload, of which the value comes from the whole body's decoding."""

    event_type: Any = None
    payload: msgspec.Raw = msgspec.Raw(b"{}")
    event_id: Any = None
    producer_seq: Any = None
    late: Any = None


class _Body(msgspec.Struct):
    event: _Event | None = None
    events: list[_Event] | None = None


_BODY = msgspec.json.Decoder(_Body)


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
    events = _events(request.body, is_batch=is_batch)
    payloads = [item.get("payload") for item in items]
    problems = [] if _is_sound(events, payloads) else list(_problems(items, is_batch=is_batch))
    generation = body.get("generation")
    if generation is not None and not _is_integer(generation, 1):
        problems.append(_fault("generation", "must be a positive integer"))
    if problems:
        raise Unprocessable(f"{problems[0]['field']} {problems[0]['message']}", details=problems)
    drafts = _drafts(request, events, payloads, settings)
    _check_sizes(drafts, request.body, settings, is_batch=is_batch)
    if sieve.may_hold_secret(request.body):
        for draft in drafts:
            _redact(draft)
    return AppendBody(drafts, generation, is_batch)


def _items(body: dict[str, Any], settings: RuntimeSettings) -> tuple[list[dict[str, Any]], bool]:
    """The events as decoded, and whether they are a batch. As everywhere, null or empty means missing."""
    event, events = body.get("event"), body.get("events", [])
    if not isinstance(events, list):
        raise InvalidRequest("events must be a list", reason_code="not_a_list", field="events")
    if (event is None) == (not events):
        raise InvalidRequest("the body must have either event or events", reason_code="event_missing", field="event")
    items = events or [event]
    if set(map(type, items)) != _OBJECTS_ALONE:
        raise InvalidRequest("an event must be an object", reason_code="not_an_object", field="event")
    if len(items) > settings.max_batch_events:
        raise PayloadTooLarge(
            f"a batch has at most {settings.max_batch_events} events",
            reason_code="too_many_events",
            limit=settings.max_batch_events,
        )
    event_types = [item.get("event_type") for item in items]
    if set(map(type, event_types)) != _TEXTS_ALONE or not all(name.startswith("worker.") for name in set(event_types)):
        raise InvalidRequest("event_type must start with worker.", reason_code="event_type", field="event_type")
    return items, bool(events)


def _events(raw: bytes, *, is_batch: bool) -> list[_Event]:
    """The same events with the text of their payloads, on one line each."""
    body = _BODY.decode(strict_json.one_line(raw))
    return (body.events or []) if is_batch else [body.event or _Event()]


def _check_sizes(drafts: list[Draft], body: bytes, settings: RuntimeSettings, *, is_batch: bool) -> None:
    """Refuse a payload that is too large, or nested too deeply.

    Raises:
        PayloadTooLarge, InvalidRequest: as their names say.
    """
    if len(body) > settings.max_event_bytes:
        for index, draft in enumerate(drafts):
            if len(draft.payload.encode()) > settings.max_event_bytes:
                raise PayloadTooLarge(
                    f"a payload has at most {settings.max_event_bytes} bytes",
                    reason_code="event_too_large",
                    field=f"events[{index}]" if is_batch else "event",
                    limit=settings.max_event_bytes,
                )
    flat, flat_with_lists = strict_json.flat_characters(settings.max_depth)
    for draft in drafts:
        size = len(draft.payload)
        if size > flat_with_lists and (size > flat or "[" in draft.payload):
            strict_json.check_depth(draft.payload, draft.value, settings.max_depth)


def _drafts(
    request: RuntimeRequest, events: list[_Event], payloads: list[Any], settings: RuntimeSettings
) -> list[Draft]:
    """The events as they were sent; a payload that is null counts as missing."""
    executor = "execute" in request.claims.scopes
    digest, digests = (None, None) if executor else (AS_STORED, Digests.of(settings))
    actor = actor_of(request.claims)
    request_text = text_or_null(request.headers.get("x-request-id"))
    return [
        Draft(
            event.event_type,
            str(event.payload, "utf-8") if value else "{}",
            value or {},
            event.event_id or f"server:{uuid.uuid4().hex}",
            actor,
            request_text,
            digest,
            digests,
            None,
            event.producer_seq if executor else None,
            event.late is True,
        )
        for event, value in zip(events, payloads, strict=True)
    ]


def _redact(draft: Draft) -> None:
    """Take out of a draft what must not be kept; a digest of what it said is kept instead."""
    if not sieve.may_hold_secret(draft.payload.encode()):
        return
    redacted = redaction.redact(draft.value)
    if redacted is draft.value:
        return
    draft.written, draft.value, draft.payload = draft.value, redacted, msgspec.json.encode(redacted).decode()
    draft.digest = draft.made_digest()


def _is_sound(events: list[_Event], payloads: list[Any]) -> bool:
    """Whether nothing can be wrong with any event, which a look at whole columns tells for nearly all."""
    event_ids = [event.event_id for event in events]
    producer_seqs = [event.producer_seq for event in events]
    return (
        KNOWN_TYPES.issuperset([event.event_type for event in events])
        and set(map(type, payloads)) <= _OBJECTS
        and set(map(type, event_ids)) == _TEXTS_ALONE
        and _are_identities(event_ids)
        and (_is_empty(producer_seqs) or (set(map(type, producer_seqs)) == _INTEGERS and _are_positive(producer_seqs)))
        and _is_empty([event.late for event in events])
    )


def _is_empty(column: list[Any]) -> bool:
    return column.count(None) == len(column)


def _are_identities(event_ids: list[str]) -> bool:
    joined = "".join(event_ids)
    return (
        joined.isascii()
        and joined.isprintable()
        and " " not in joined
        and all(event_ids)
        and len(max(event_ids, key=len)) <= MAX_EVENT_ID
    )


def _are_positive(numbers: list[int]) -> bool:
    return min(numbers) >= 1 and max(numbers) <= MAX_INTEGER


def _problems(items: list[dict[str, Any]], *, is_batch: bool) -> Iterator[dict[str, Any]]:
    for index, item in enumerate(items):
        yield from _faults(item, f"events[{index}]" if is_batch else "event")


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
