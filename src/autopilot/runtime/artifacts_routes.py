"""The routes of artifacts: list, read (whole or a range of it), store.

Reads stream chunk by chunk and hold no connection in between. Who may read a worker may read its artifacts. What is not
there says why: never announced, not yet whole, or pruned.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable
from typing import Any, NamedTuple

import asyncpg
import msgspec

from autopilot.contract import Artifact, StoreArtifacts, encode
from autopilot.contract.errors import InvalidRequest, NotFound, Unavailable, Unprocessable
from autopilot.contract.port import Claims, RuntimeRequest, RuntimeResponse
from autopilot.runtime import permissions, strict_json
from autopilot.runtime.artifacts_events import ARTIFACT_ID, MAX_INTEGER, SQL
from autopilot.runtime.artifacts_store import AWAITED, LOST, PENDING, STORED, ArtifactStore
from autopilot.runtime.ledger_rows import instant
from autopilot.runtime.router import Match, Route, data_response, integer_of, json_response, query_of
from autopilot.runtime.settings import RuntimeSettings
from autopilot.runtime.workers_ids import find_worker, worker_id_of

MAX_PAGE, DEFAULT_PAGE = 200, 50
MAX_PARTS = 64
TEXT = "text/plain; charset=utf-8"
"""Whatever it is: nothing that an artifact says is ever to be taken for a page or a program."""

_MISSING = {
    PENDING: "not all of it has arrived yet",
    LOST: "not all of it arrived, and nobody is known who could still bring the rest",
    "pruned": "retention has taken it",
}
_RANGE = re.compile(r"bytes=(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))")
_NUMBER = re.compile(r"[0-9]{1,18}")


class _Content(NamedTuple):
    """What is stored of an artifact, as it was when it was looked at."""

    number: int
    attempt: int
    size: int
    """In bytes."""


class ArtifactRoutes:
    """Artifacts of single workers."""

    def __init__(self, store: ArtifactStore, pool: asyncpg.Pool, settings: RuntimeSettings) -> None:
        self._store = store
        self._pool = pool
        self._settings = settings

    def routes(self) -> Iterable[Route]:
        """Its three routes."""
        return [
            Route("GET", "/workers/{worker_id}/artifacts", self.list),
            Route("POST", "/workers/{worker_id}/artifacts", self.store),
            Route("GET", "/workers/{worker_id}/artifacts/{artifact_id}", self.read),
        ]

    async def list(self, request: RuntimeRequest, match: Match) -> RuntimeResponse:
        """200 and a page of what is known of them, those announced last first."""
        query = query_of(request)
        worker_id = worker_id_of(match)
        limit = integer_of(query, "limit", low=1, high=MAX_PAGE, default=DEFAULT_PAGE)
        assert limit is not None
        before = query.get("before")
        if before is not None and _NUMBER.fullmatch(before) is None:
            raise Unprocessable("before is not a page's next", reason_code="invalid_value", field="before")
        worker = await find_worker(self._pool, worker_id)
        permissions.observe(request.claims, worker)
        rows = await self._pool.fetch(SQL.page, worker.worker_no, None if before is None else int(before), limit + 1)
        page = [encode(artifact_of(row)) for row in rows[:limit]]
        following = str(rows[limit - 1]["artifact_no"]) if len(rows) > limit else None
        return json_response(200, {"data": page, "next": following})

    async def store(self, request: RuntimeRequest, match: Match) -> RuntimeResponse:
        """200 and what became of each piece."""
        worker_id = worker_id_of(match)
        results = await self._store.store(request.claims, worker_id, _body(request, self._settings))
        return data_response(200, [encode(one) for one in results])

    async def read(self, request: RuntimeRequest, match: Match) -> RuntimeResponse:
        """200 and the content, 206 and a range of it, 304 where the caller has it, 416 where the range is beyond it.

        `incomplete=true`: also what has arrived of one that is not whole.
        """
        worker_id, artifact_id = worker_id_of(match), match["artifact_id"]
        if ARTIFACT_ID.fullmatch(artifact_id) is None:
            raise Unprocessable(
                "artifact_id must be 32 hexadecimal digits", reason_code="invalid_value", field="artifact_id"
            )
        worker = await find_worker(self._pool, worker_id)
        permissions.observe(request.claims, worker)
        row = await self._pool.fetchrow(SQL.find, worker.worker_no, artifact_id)
        content, headers = _readable(row, incomplete=_flag(query_of(request).get("incomplete")))
        if request.headers.get("if-none-match") in {headers["etag"], "*"}:
            return RuntimeResponse(304, headers, b"")
        first, end, status = _wanted(request, headers["etag"], content.size)
        if status == 416:  # noqa: PLR2004 - the status itself
            return RuntimeResponse(416, {**headers, "content-range": f"bytes */{content.size}"}, b"")
        if status == 206:  # noqa: PLR2004 - the status itself
            headers["content-range"] = f"bytes {first}-{end - 1}/{content.size}"
        headers["content-length"] = str(end - first)
        lent = None if permissions.owns(request.claims, worker) else request.claims
        return RuntimeResponse(status, headers, self._content(content, first, end, worker_id, lent))

    async def _content(
        self, content: _Content, first: int, end: int, worker_id: str, lent: Claims | None
    ) -> AsyncIterator[bytes]:
        """Piece by piece, of one attempt; to whom the worker is but `lent`, each only while they may still read it."""
        while first < end:
            if lent is not None:
                permissions.observe(lent, await find_worker(self._pool, worker_id))
            chunk = await self._pool.fetchrow(SQL.chunk, content.number, first, content.attempt)
            piece = b"" if chunk is None else chunk["content"][first - chunk["start_byte"] :][: end - first]
            if not piece:
                raise Unavailable("the artifact was pruned, or began again, meanwhile", reason_code="artifact_pruned")
            yield piece
            first += len(piece)


def artifact_of(row: asyncpg.Record) -> Artifact:
    """A row of `artifact`, as the contract has it."""
    is_pending = row["state"] == PENDING
    stored_at, digest = row["stored_at"], row["stored_sha256"]
    return Artifact(
        artifact_id=row["artifact_id"],
        state=row["state"],
        seq=row["last_seq"],
        path=row["path"],
        media_type=row["media_type"],
        bytes=row["bytes"],
        sha256=row["sha256"].hex(),
        received_bytes=row["received_bytes"],
        stored_bytes=0 if is_pending else row["stored_bytes"],
        lost_reason=row["lost_reason"],
        stored_sha256=None if digest is None else digest.hex(),
        redacted=row["redacted"],
        truncated=row["truncated"],
        announced_at=instant(row["announced_at"]),
        stored_at=None if stored_at is None else instant(stored_at),
    )


def _readable(row: asyncpg.Record | None, *, incomplete: bool) -> tuple[_Content, dict[str, str]]:
    """What can be read, and its headers.

    Raises:
        NotFound: `no_such_artifact`, `artifact_pending`, `artifact_lost` or `artifact_pruned`.
    """
    if row is None:
        raise NotFound("no such artifact", reason_code="no_such_artifact")
    is_part = row["state"] in AWAITED
    if row["state"] != STORED and not (is_part and incomplete):
        facts: dict[str, Any] = {name: row[name] for name in ("artifact_id", "bytes", "received_bytes", "lost_reason")}
        reason = f"artifact_{row['state']}"
        raise NotFound(_MISSING[row["state"]], reason_code=reason, **facts, sha256=row["sha256"].hex())
    # Of a part that grows: within an attempt what came before stays, so its size says which it is.
    part = f"{row['sha256'].hex()}-{row['attempt']}-{row['stored_bytes']}"
    digest = part if is_part else row["stored_sha256"].hex()
    headers = {
        "content-type": TEXT,
        "etag": f'"{digest}"',
        "accept-ranges": "bytes",
        "x-autopilot-truncated": str(row["truncated"]).lower(),
        "x-autopilot-redacted": str(row["redacted"]).lower(),
        "x-autopilot-incomplete": str(is_part).lower(),
    }
    return _Content(row["artifact_no"], row["attempt"], row["stored_bytes"]), headers


def _flag(text: str | None) -> bool:
    """A choice in a query.

    Raises:
        Unprocessable: it is neither.
    """
    if text not in {None, "true", "false"}:
        raise Unprocessable("incomplete is true or false", reason_code="invalid_value", field="incomplete")
    return text == "true"


def _wanted(request: RuntimeRequest, etag: str, size: int) -> tuple[int, int, int]:
    """First byte, end and status. What is no single range of bytes means all of it (RFC 9110, 14.2)."""
    found = _RANGE.fullmatch(request.headers.get("range", ""))
    if found is None or request.headers.get("if-range", etag) != etag:
        return 0, size, 200
    first, last, suffix = found.groups()
    if suffix is not None:
        begin, end = max(0, size - int(suffix)), size
    else:
        begin, end = int(first), min(size, int(last) + 1) if last else size
        if last and int(last) < begin:
            return 0, size, 200
    return (begin, end, 206) if begin < end else (0, 0, 416)


def _body(request: RuntimeRequest, settings: RuntimeSettings) -> StoreArtifacts:
    """The pieces.

    Raises:
        InvalidRequest, PayloadTooLarge, UnsupportedMediaType: as strict_json; no pieces.
        Unprocessable: a value out of its set, range or charset.
    """
    value = strict_json.body_of(request, max_bytes=settings.max_body_bytes)
    if "artifacts" not in value:
        raise InvalidRequest("artifacts is missing", reason_code="artifacts_missing", field="artifacts")
    try:
        body = msgspec.convert(value, StoreArtifacts)
    except msgspec.ValidationError as error:
        raise Unprocessable(str(error).replace("`", ""), reason_code="invalid_value", field="artifacts") from None
    if not 1 <= len(body.artifacts) <= MAX_PARTS:
        raise _refused("artifacts", f"must be 1 to {MAX_PARTS}")
    if body.generation is not None and not 1 <= body.generation <= MAX_INTEGER:
        raise _refused("generation", "must be a positive integer")
    for index, part in enumerate(body.artifacts):
        if ARTIFACT_ID.fullmatch(part.artifact_id) is None:
            raise _refused(f"artifacts[{index}].artifact_id", "must be 32 hexadecimal digits")
        if not 0 <= part.offset <= MAX_INTEGER:
            raise _refused(f"artifacts[{index}].offset", "must not be negative")
    return body


def _refused(field: str, message: str) -> Unprocessable:
    return Unprocessable(f"{field} {message}", reason_code="invalid_value", field=field)
