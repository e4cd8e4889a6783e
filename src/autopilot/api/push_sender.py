"""One message to one push service: encrypted (RFC 8291), signed (RFC 8292), sent (RFC 8030), and what came of it.

Sends to the address that was looked at (`Places`), follows no redirect, reads no more than a few bytes of an answer and
waits no longer than `ANSWER_SECONDS`. Says what is to be done next, and does none of it. Nothing of a message, an
endpoint's path or an answer's body is ever logged.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

import http_ece
import httpx2
from cryptography.hazmat.primitives.asymmetric import ec

from autopilot.api.push_keys import PushKey, urlsafe
from autopilot.api.push_place import ForbiddenPlace, Place, Places
from autopilot.ops.clock import Clock
from autopilot.ops.log import get_logger

ANSWER_SECONDS = 10.0
ANSWER_BYTES = 4096
CONNECTIONS = 64
"""More than are ever on the road (`push_road.py`): tests beside them find room."""
PAYLOAD_BYTES = 3000
"""What every push service takes, encrypted; a notification of ours has a third of that."""
TOPIC_BYTES = 24
LONGEST_WAIT_SECONDS = 3600.0
GONE = frozenset({404, 410})
BUSY = 429
UNAUTHORIZED = frozenset({401, 403})
SERVER_ERRORS = 500
SUCCESSES = range(200, 300)

Failure = Literal["stale", "ended", "refused", "busy", "unreachable", "forbidden_place"]
AGAIN = frozenset({"busy", "unreachable"})
"""What may be otherwise a little later."""
Urgency = Literal["normal", "high"]

log = get_logger("autopilot.api.push")


@dataclass(frozen=True, slots=True)
class Target:
    """A subscription, as far as it takes to send to it."""

    subscription_id: str
    endpoint: str
    p256dh: bytes
    auth: bytes
    key_id: str


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent."""

    payload: bytes
    tag: str
    """Of several of one tag that wait at the push service, it delivers the last."""
    ttl_seconds: int
    """For how long the push service keeps it for a device that is away."""
    urgency: Urgency = "normal"


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it."""

    failure: Failure | None = None
    """None: the push service has it."""
    status: int | None = None
    retry_after_seconds: float | None = None
    """What the push service asks for."""


class Sender:
    """Sends; `aclose` ends its connections."""

    def __init__(
        self,
        key: Callable[[], PushKey],
        places: Places,
        contact: str,
        clock: Clock,
        *,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        """`contact`: a `mailto:` or `https:` URL, for the people who run a push service."""
        self._key = key
        self._places = places
        self._contact = contact
        self._clock = clock
        # Connections are known by address: none is kept, lest one host's be used for another's at the same address.
        limits = httpx2.Limits(max_connections=CONNECTIONS, max_keepalive_connections=0)
        self._http = httpx2.AsyncClient(
            transport=transport,
            limits=limits,
            timeout=ANSWER_SECONDS,
            follow_redirects=False,
            trust_env=False,
            headers={"accept-encoding": "identity"},
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def send(self, target: Target, message: Message) -> Result:
        """Try once. Never raises for what a push service or the network does."""
        key = self._key()
        if target.key_id != key.key_id:
            return Result("stale")
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                place = self._places.read(target.endpoint)
                address = await self._places.address_of(place)
                result = await self._post(target, message, place, address, key)
        except ForbiddenPlace:
            result = Result("forbidden_place")
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, TimeoutError) as error:
            log.info("push.no_answer", subscription_id=target.subscription_id, error=type(error).__name__)
            return Result("unreachable")
        if result.failure is not None:
            log.info(
                "push.not_taken",
                subscription_id=target.subscription_id,
                failure=result.failure,
                status=result.status,
            )
        return result

    async def _post(self, target: Target, message: Message, place: Place, address: str, key: PushKey) -> Result:
        headers = {
            "host": place.authority,
            "authorization": key.authorization(target.endpoint, self._contact, self._clock.now()),
            "content-encoding": "aes128gcm",
            "content-type": "application/octet-stream",
            "ttl": str(message.ttl_seconds),
            "urgency": message.urgency,
            "topic": topic(target.subscription_id, message.tag),
        }
        body = encrypted(message.payload, target)
        extensions: dict[str, Any] = {"sni_hostname": place.host} if place.scheme == "https" else {}
        request = self._http.build_request(
            "POST", place.at(address), headers=headers, content=body, extensions=extensions
        )
        response = await self._http.send(request, stream=True)
        try:
            read = 0
            async for piece in response.aiter_raw():
                read += len(piece)
                if read > ANSWER_BYTES:
                    break
        finally:
            await response.aclose()
        return judged(response.status_code, response.headers.get("retry-after"), self._clock.now())


def judged(status: int, retry_after: str | None, now: datetime) -> Result:
    """What an answer means."""
    if status in SUCCESSES:
        return Result(status=status)
    if status in GONE:
        return Result("ended", status)
    if status in UNAUTHORIZED:
        return Result("stale", status)
    if status == BUSY:
        return Result("busy", status, _wait(retry_after, now))
    if status >= SERVER_ERRORS:
        return Result("unreachable", status, _wait(retry_after, now))
    return Result("refused", status)


def encrypted(payload: bytes, target: Target) -> bytes:
    """The body, which only the device itself can read."""
    encoded: bytes = http_ece.encrypt(
        payload,
        private_key=ec.generate_private_key(ec.SECP256R1()),
        dh=target.p256dh,
        auth_secret=target.auth,
        version="aes128gcm",
    )
    return encoded


def topic(subscription_id: str, tag: str) -> str:
    """What a tag is called at a push service, which learns nothing from it: at most 32 characters of base64url."""
    return urlsafe(hashlib.sha256(f"autopilot push topic\0{subscription_id}\0{tag}".encode()).digest()[:TOPIC_BYTES])


def _wait(written: str | None, now: datetime) -> float | None:
    if written is None:
        return None
    text = written.strip()
    if text.isascii() and text.isdigit() and len(text) < 10:  # noqa: PLR2004 - digits of a number of seconds
        return min(float(text), LONGEST_WAIT_SECONDS)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return min(max((at - now).total_seconds(), 0.0), LONGEST_WAIT_SECONDS)
