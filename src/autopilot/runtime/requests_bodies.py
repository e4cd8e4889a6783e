"""Bodies of calls about machines, leases and requests, read into the contract's messages and checked.

Owns the checks that the messages' types don't make: charsets, lengths, ranges. Pure. A wrong value is 422, a detail for
each field; a body that is not what was asked for at all is 400 (strict_json.py).
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from autopilot.contract import (
    ApprovalKind,
    ClaimLease,
    DecideApproval,
    FeedAck,
    MachineHeartbeat,
    ReceiptReports,
    RegisterMachine,
    ReleaseLease,
    SetMachineTeam,
    SetPolicy,
    SetPrices,
    TestApproval,
    TestPolicy,
)
from autopilot.contract.errors import InvalidRequest, PayloadTooLarge, Unprocessable
from autopilot.contract.port import RuntimeRequest
from autopilot.runtime import strict_json
from autopilot.runtime.approvals_answer import Answer
from autopilot.runtime.leases import DEFAULT_TTL_MS, MAX_TTL_MS, MIN_TTL_MS
from autopilot.runtime.receipts_states import REPORTABLE
from autopilot.runtime.settings import RuntimeSettings

Message = TypeVar("Message")

MAX_HEARTBEAT_WORKERS = 1000
MAX_REPORTS = 1000
MAX_PATHS = 1000
MAX_OPTION_ID = 255
MAX_GENERATION = 2**53 - 1

_ID = re.compile(r"[A-Za-z0-9._:~-]{1,160}")
_AT = re.compile(r" - at `\$\.?(?P<field>[^`]*)`$")
_MACHINE_LENGTHS = {
    "name": 255,
    "platform": 255,
    "companion_version": 120,
    "codex_version": 120,
    "desktop_session_id": 160,
}
_DIGEST = re.compile(r"[0-9a-f]{64}")
_METHOD = re.compile(r"[!-~]{1,255}")
_MAX_REASON = 255


@dataclass(frozen=True, slots=True)
class Call:
    """What is asked."""

    request_id: str
    method: str
    params: dict[str, Any]
    params_text: str
    """The same, as the JSON text that was sent, on one line."""


class _CallText(msgspec.Struct):
    params: msgspec.Raw = msgspec.Raw(b"{}")


class _BodyText(msgspec.Struct):
    request: _CallText


class _AnswerText(msgspec.Struct):
    content: msgspec.Raw = msgspec.Raw(b"null")


class Bodies:
    """Reads bodies within the runtime's limits."""

    def __init__(self, settings: RuntimeSettings) -> None:
        self._settings = settings

    def call(self, request: RuntimeRequest) -> Call:
        """A request to a worker or machine.

        Raises:
            InvalidRequest: no JSON object, or no method in it.
            Unprocessable: an id, method or params that is none.
            PayloadTooLarge: the body, or the params, which become part of an event.
        """
        asked = self._object(request).get("request")
        method = asked.get("method") if isinstance(asked, dict) else None
        if not isinstance(asked, dict) or method is None:
            raise InvalidRequest("request.method is missing", reason_code="method_missing", field="request.method")
        if not isinstance(method, str) or _METHOD.fullmatch(method) is None:
            raise _refused("request.method", "must be 1 to 255 printable ASCII characters without spaces")
        request_id = asked.get("request_id")
        if request_id is None:
            request_id = uuid.uuid4().hex
        identifier(request_id, "request.request_id")
        params = asked.get("params")
        if params is not None and not isinstance(params, dict):
            raise _refused("request.params", "must be an object")
        text = "{}"
        if params:
            raw = msgspec.json.decode(request.body, type=_BodyText).request.params
            text = strict_json.one_line(bytes(raw))
        if len(text) > self._settings.max_event_bytes:
            raise PayloadTooLarge(
                "the params are too large for an event",
                reason_code="event_too_large",
                limit=self._settings.max_event_bytes,
            )
        return Call(request_id, method, params or {}, text)

    def register(self, request: RuntimeRequest) -> RegisterMachine:
        """A machine's registration. Raises as `_read`."""
        said = self._read(RegisterMachine, request)
        identifier(said.machine_id, "machine_id")
        faults = [
            _fault(name, f"must have at most {longest} characters")
            for name, longest in _MACHINE_LENGTHS.items()
            if (value := getattr(said, name)) is not None and (len(value) > longest or "\x00" in value)
        ]
        if faults:
            raise Unprocessable("some values are too long", details=faults)
        return said

    def team(self, request: RuntimeRequest) -> str | None:
        """The team that a machine is put into; None: into none. Raises as `_read`."""
        if "team_id" not in self._object(request):
            raise _refused("team_id", "must be there: a team's id, or null")
        team_id = self._read(SetMachineTeam, request).team_id
        return None if team_id is None else identifier(team_id, "team_id")

    def heartbeat(self, request: RuntimeRequest) -> MachineHeartbeat:
        """A machine's heartbeat. Raises as `_read`."""
        beat = self._read(MachineHeartbeat, request)
        if len(beat.workers) > MAX_HEARTBEAT_WORKERS:
            raise _refused("workers", f"must be at most {MAX_HEARTBEAT_WORKERS}")
        if beat.desktop_session_id is not None and (
            len(beat.desktop_session_id) > _MACHINE_LENGTHS["desktop_session_id"] or "\x00" in beat.desktop_session_id
        ):
            raise _refused("desktop_session_id", "is too long")
        for index, worker in enumerate(beat.workers):
            identifier(worker.worker_id, f"workers[{index}].worker_id")
            within(worker.generation, f"workers[{index}].generation", 1, MAX_GENERATION)
        if beat.kept_seal is not None:
            within(beat.kept_seal.seal_no, "kept_seal.seal_no", 1, MAX_GENERATION)
            if _DIGEST.fullmatch(beat.kept_seal.digest) is None:
                raise _refused("kept_seal.digest", "must be 64 digits of hex, in lower case")
        return beat

    def claim(self, request: RuntimeRequest) -> tuple[str, int]:
        """Machine and time to live, in milliseconds, of a claim. Raises as `_read`."""
        claim = self._read(ClaimLease, request)
        identifier(claim.machine_id, "machine_id")
        if claim.ttl_ms is None:
            return claim.machine_id, DEFAULT_TTL_MS
        within(claim.ttl_ms, "ttl_ms", MIN_TTL_MS, MAX_TTL_MS)
        return claim.machine_id, claim.ttl_ms

    def release(self, request: RuntimeRequest) -> ReleaseLease:
        """The release of a lease. Raises as `_read`."""
        release = self._read(ReleaseLease, request)
        identifier(release.machine_id, "machine_id")
        within(release.generation, "generation", 1, MAX_GENERATION)
        return release

    def ack(self, request: RuntimeRequest) -> int:
        """The cursor of a feed's acknowledgement. Raises as `_read`."""
        ack = self._read(FeedAck, request)
        within(ack.cursor, "cursor", 0, MAX_GENERATION)
        return ack.cursor

    def reports(self, request: RuntimeRequest) -> ReceiptReports:
        """An executor's report of steps. Raises as `_read`."""
        reports = self._read(ReceiptReports, request)
        if len(reports.receipts) > MAX_REPORTS:
            raise _refused("receipts", f"must be at most {MAX_REPORTS}")
        for index, report in enumerate(reports.receipts):
            if report.worker_id is not None:
                identifier(report.worker_id, f"receipts[{index}].worker_id")
            identifier(report.request_id, f"receipts[{index}].request_id")
            if report.state not in REPORTABLE:
                raise _refused(f"receipts[{index}].state", f"must be one of {', '.join(sorted(REPORTABLE))}")
        return reports

    def answer(self, request: RuntimeRequest) -> Answer:
        """A person's answer to an approval. Raises as `_read`."""
        said = self._read(DecideApproval, request)
        if not 1 <= len(said.option_id) <= MAX_OPTION_ID:
            raise _refused("option_id", f"must have 1 to {MAX_OPTION_ID} characters")
        if len(request.body) > self._settings.max_event_bytes:
            raise PayloadTooLarge(
                "the answer is too large for an event",
                reason_code="event_too_large",
                limit=self._settings.max_event_bytes,
            )
        return Answer(said, strict_json.one_line(bytes(msgspec.json.decode(request.body, type=_AnswerText).content)))

    def policy(self, request: RuntimeRequest) -> SetPolicy:
        """A new version of a policy document. Raises as `_read`."""
        return self._read(SetPolicy, request)

    def prices(self, request: RuntimeRequest) -> SetPrices:
        """A new version of the price table. Raises as `_read`."""
        return self._read(SetPrices, request)

    def policy_question(self, request: RuntimeRequest) -> TestPolicy:
        """A question to policies. Raises as `_read`."""
        asked = self._read(TestPolicy, request)
        if _METHOD.fullmatch(asked.method) is None:
            raise _refused("method", "must be 1 to 255 printable ASCII characters without spaces")
        _check_place(asked)
        return asked

    def approval_question(self, request: RuntimeRequest) -> TestApproval:
        """A question of Codex to be tried. Raises as `_read`."""
        asked = self._read(TestApproval, request)
        if asked.kind not in [*ApprovalKind]:
            raise _refused("kind", f"must be one of {', '.join(ApprovalKind)}")
        if len(asked.paths) > MAX_PATHS:
            raise _refused("paths", f"must be at most {MAX_PATHS}")
        _check_place(asked)
        return asked

    def stop(self, request: RuntimeRequest) -> tuple[str | None, bool]:
        """Reason, and whether by force. Raises as `_read`."""
        body = self._object(request)
        reason, force = body.get("reason"), body.get("force")
        if reason is not None and (not isinstance(reason, str) or len(reason) > _MAX_REASON or "\x00" in reason):
            raise _refused("reason", f"must be text of at most {_MAX_REASON} characters")
        if force is not None and not isinstance(force, bool):
            raise _refused("force", "must be true or false")
        return reason, bool(force)

    def _object(self, request: RuntimeRequest) -> dict[str, Any]:
        return strict_json.body_of(request, max_bytes=self._settings.max_body_bytes, max_depth=self._settings.max_depth)

    def _read(self, kind: type[Message], request: RuntimeRequest) -> Message:
        """The body as this message.

        Raises:
            InvalidRequest: no JSON object.
            Unprocessable: a field is missing, of another type, or out of its set or range.
            PayloadTooLarge, UnsupportedMediaType: as their names say.
        """
        try:
            return msgspec.convert(self._object(request), kind)
        except msgspec.ValidationError as error:
            found = _AT.search(str(error))
            message = str(error)[: found.start()] if found else str(error)
            raise _refused(found["field"] if found else "", message) from None


def identifier(value: object, field: str) -> str:
    """An id of a worker, machine or request.

    Raises:
        Unprocessable: it has another form.
    """
    if not isinstance(value, str) or not is_identifier(value):
        raise _refused(field, "must be 1 to 160 characters of A-Z a-z 0-9 . _ : ~ -")
    return value


def is_identifier(value: str) -> bool:
    """Whether it has the form of an id."""
    return _ID.fullmatch(value) is not None


def _check_place(asked: TestPolicy | TestApproval) -> None:
    """Where a question that is tried would go.

    Raises:
        Unprocessable: an id has another form.
    """
    for field in ("worker_id", "team_id"):
        if (value := getattr(asked, field)) is not None:
            identifier(value, field)


def within(value: int, field: str, low: int, high: int) -> None:
    """A number in its range.

    Raises:
        Unprocessable: it is not.
    """
    if not low <= value <= high:
        raise _refused(field, f"must be from {low} to {high}")


def _fault(field: str, what: str) -> dict[str, Any]:
    return {"reason_code": "invalid_value", "field": field, "message": f"{field or 'the body'} {what}"}


def _refused(field: str, what: str) -> Unprocessable:
    fault = _fault(field, what)
    return Unprocessable(fault["message"], details=[fault])
