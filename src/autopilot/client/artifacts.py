"""The calls about artifacts: what is too large for an event (docs/protocol.md, "Artifacts")."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import AsyncGenerator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from autopilot.client.answers import AnswerTooLarge
from autopilot.client.backoff import Backoff, is_transient
from autopilot.client.calls import Calls, many, path_of
from autopilot.client.http import ATTEMPTS, RETRY_POLICY, ByteStream
from autopilot.contract import (
    Artifact,
    ArtifactMedia,
    ArtifactPart,
    ArtifactRef,
    Receipt,
    RequestOutcome,
    StoreArtifacts,
    StoredPart,
    encode,
)
from autopilot.contract.errors import AutopilotError, NetworkError, NotFound, UnknownError, Unprocessable

MEDIA_TYPE = "text/plain"
PARTIAL, BEYOND = 206, 416
ARRIVES_WITHIN_SECONDS = 30.0
"""A machine stores what an answer leaves out right after the answer."""
ARRIVING_SECONDS = 0.2
WHOLE_RESPONSE_BYTES = 128 * 1024 * 1024
"""Put together at most: twice what Codex may say at once."""
WHOLE_TEXT_SECONDS = 900.0
"""Of one of its parts, however it drips."""


@dataclass(frozen=True, slots=True)
class ArtifactPage:
    """One page of the list, those announced last first."""

    artifacts: Sequence[Artifact]
    next: str | None
    """`before` of the following page."""


class ArtifactCalls(Calls):
    """What one may do with artifacts, and how an executor stores them."""

    async def artifacts(self, worker_id: str, *, limit: int | None = None, before: str | None = None) -> ArtifactPage:
        """A page of what is known of a worker's artifacts."""
        query = {"limit": limit, "before": before}
        reply = await self._http.call("artifacts.list", "GET", path_of("workers", worker_id, "artifacts"), query=query)
        return ArtifactPage(many(Artifact, reply), reply.body.get("next"))

    async def read_artifact(
        self, worker_id: str, artifact_id: str, *, first: int = 0, last: int | None = None, incomplete: bool = False
    ) -> AsyncGenerator[bytes]:
        """The bytes from `first` to `last`, both included, as they come; negative `first`: so many at the end.

        `incomplete`: of one that is not whole, what has arrived.

        Goes on where a connection broke. Whoever stops early closes the iterator (`contextlib.aclosing`).

        Raises:
            NotFound: `no_such_artifact`, `artifact_pending` (not all of it has arrived), `artifact_lost` (nor is
                expected to) or `artifact_pruned`.
            Unprocessable: the range begins beyond its end.
        """
        backoff = Backoff(RETRY_POLICY, rng=self._http.rng)
        etag: str | None = None
        while True:
            try:
                stream = await self._open(worker_id, artifact_id, first, last, etag, incomplete=incomplete)
                etag, first = stream.headers.get("etag"), _first(stream, first)
                try:
                    while (chunk := await stream.read()) is not None:
                        first += len(chunk)
                        backoff.reset()
                        yield chunk
                finally:
                    await stream.aclose()
            except AutopilotError as error:
                if not is_transient(error) or backoff.attempt + 1 >= ATTEMPTS:
                    raise
                delay = backoff.next_delay(error.retry_after_seconds)
            else:
                return
            await self._http.clock.sleep(delay)

    async def whole_response(
        self, outcome: RequestOutcome | Receipt, *, within_seconds: float = ARRIVES_WITHIN_SECONDS
    ) -> Any:
        """What was answered, with everything in its place that was too large for the receipt.

        What was left out arrives a moment after the receipt's end: it is waited for.

        Raises:
            NotFound: `artifact_pending` after so long, or another reason why it can't be read.
            AnswerTooLarge: it is larger than anything that Codex says, or a part larger than it was said to be.
            NetworkError: a part did not end in a quarter of an hour.
        """
        if sum(ref.bytes for ref in outcome.artifacts) > WHOLE_RESPONSE_BYTES:
            raise _too_large(WHOLE_RESPONSE_BYTES)
        whole: dict[str, Any] = {"response": copy.deepcopy(outcome.response)}
        for ref in outcome.artifacts:
            text = await self._text(str(outcome.worker_id), ref, within_seconds)
            _put(whole, ref, json.loads(text) if ref.media_type == ArtifactMedia.JSON else text)
        return whole["response"]

    async def _text(self, worker_id: str, ref: ArtifactRef, within_seconds: float) -> str:
        give_up_at = self._http.clock.monotonic() + within_seconds
        while True:
            try:
                async with contextlib.aclosing(self.read_artifact(worker_id, ref.artifact_id)) as chunks:
                    return (await self._whole(chunks, ref.bytes)).decode()
            except NotFound as missing:
                if missing.reason_code != "artifact_pending" or self._http.clock.monotonic() >= give_up_at:
                    raise
            await self._http.clock.sleep(ARRIVING_SECONDS)

    async def _whole(self, chunks: AsyncGenerator[bytes], most_bytes: int) -> bytes:
        give_up_at = self._http.clock.monotonic() + WHOLE_TEXT_SECONDS
        held = bytearray()
        async for chunk in chunks:  # each of them comes in time, or is an error
            held += chunk
            if len(held) > most_bytes:
                raise _too_large(most_bytes)
            if self._http.clock.monotonic() > give_up_at:
                raise NetworkError("an artifact did not end in time", reason_code="timeout")
        return bytes(held)

    async def store_artifacts(
        self, worker_id: str, parts: Iterable[ArtifactPart], *, generation: int | None = None
    ) -> list[StoredPart]:
        """Store pieces of what a worker's events refer to: an executor's call, under its lease.

        Raises:
            Conflict: `fenced`; `different_content`: what arrived is not what the event says.
        """
        body = encode(StoreArtifacts(artifacts=tuple(parts), generation=generation))
        path = path_of("workers", worker_id, "artifacts")
        return many(StoredPart, await self._http.call("artifacts.store", "POST", path, body=body))

    async def _open(
        self,
        worker_id: str,
        artifact_id: str,
        first: int,
        last: int | None,
        etag: str | None,
        *,
        incomplete: bool,
    ) -> ByteStream:
        headers = {}
        if first or last is not None:
            headers["range"] = f"bytes={first}" if first < 0 else f"bytes={first}-{'' if last is None else last}"
        if headers and etag is not None:
            headers["if-range"] = etag
        path = path_of("workers", worker_id, "artifacts", artifact_id)
        try:
            stream = await self._http.open(
                "artifacts.read",
                path,
                query={"incomplete": "true" if incomplete else None},
                headers=headers,
                media_type=MEDIA_TYPE,
            )
        except UnknownError as error:
            if error.status != BEYOND:
                raise
            raise Unprocessable(
                "the range begins beyond the artifact's end", reason_code="out_of_range", request_id=error.request_id
            ) from None
        if bool(headers) != (stream.status == PARTIAL):
            await stream.aclose()
            raise UnknownError("the answer is not the range asked for", request_id=stream.request_id)
        return stream


def _too_large(most_bytes: int) -> AnswerTooLarge:
    return AnswerTooLarge(f"more than {most_bytes} bytes", reason_code="answer_too_large", limit_bytes=most_bytes)


def _put(whole: dict[str, Any], ref: ArtifactRef, value: Any) -> None:
    """Put what was left out where its pointer says.

    Raises:
        UnknownError: there is no such place.
    """
    *way, last = [name.replace("~1", "/").replace("~0", "~") for name in ref.path.split("/")[1:]]
    place: Any = whole
    try:
        for name in way:
            place = place[int(name) if isinstance(place, list) else name]
        place[int(last) if isinstance(place, list) else last] = value
    except (KeyError, IndexError, ValueError, TypeError) as error:
        raise UnknownError(f"the answer has no {ref.path}", reason_code="malformed_answer") from error


def _first(stream: ByteStream, asked: int) -> int:
    """The first byte of what comes."""
    if asked >= 0:
        return asked
    said = stream.headers.get("content-range", "")
    begin = said.removeprefix("bytes ").partition("-")[0]
    if not begin.isdecimal():
        raise UnknownError("the answer does not say its range", request_id=stream.request_id)
    return int(begin)
