"""The handshake: the least proof that this device and a desktop's Codex session are connected through the ledger.

Asks by an event, and believes only an acknowledgement with its own id, on the stream, whose actor is a machine (the
server stamps actors), within a time measured by this device's monotonic clock; payload times are never compared.
Source: docs/protocol.md, "Handshake".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from autopilot.client import log
from autopilot.client.calls import new_id
from autopilot.client.client import RuntimeCodexClient
from autopilot.client.clock import within
from autopilot.contract import Envelope
from autopilot.contract.errors import AutopilotError
from autopilot.contract.instants import instant

ASK, ACK = "ios/handshake", "desktop/handshake_ack"
TIMEOUT_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Connected:
    """It worked."""

    worker_id: str
    handshake_id: str
    machine_id: str
    desktop_session_id: str
    """New at each start of the companion."""
    asked_seq: int
    acked_seq: int
    seconds: float
    """From before the question was sent to the answer on the stream."""


class HandshakeTimeout(AutopilotError):
    """No acknowledgement came in time; `asked_seq` (a fact) is None when not even the question is known recorded."""

    code = "handshake_timeout"


class HandshakeClient:
    """Does handshakes for one device."""

    def __init__(
        self,
        client: RuntimeCodexClient,
        *,
        device_id: str,
        source: str = "autopilot-sdk",
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        """`source` names the kind of client: `autopilot-ios`, `autopilot-web`, `autopilot-cli`, …."""
        self._client = client
        self._device_id = device_id
        self._source = source
        self._timeout_seconds = timeout_seconds

    async def run(
        self,
        worker_id: str,
        *,
        machine_id: str | None = None,
        on_asked: Callable[[int], None] | None = None,
        handshake_id: str | None = None,
        occurred_at: datetime | None = None,
    ) -> Connected:
        """One handshake with the worker's companion; `machine_id`: only that machine will do.

        `on_asked` is told the question's seq once it is recorded: from then on an answer is waited for. `handshake_id`
        and `occurred_at`: those of a question of which nobody knows whether it was recorded, which is another question
        where either differs; None: a fresh one.

        Raises:
            HandshakeTimeout: nobody answered in time.
            AutopilotError: the server refused the question or the stream.
        """
        attempt = _Attempt(self._client, worker_id, handshake_id or new_id("handshake"), machine_id, on_asked)
        clock = self._client.clock
        question = {
            "source": self._source,
            "method": ASK,
            "handshake_id": attempt.handshake_id,
            "device_id": self._device_id,
            "occurred_at": instant(occurred_at or clock.now()),
        }
        try:
            connected = await within(clock, self._timeout_seconds, lambda: attempt.run(question))
        except TimeoutError:
            error = HandshakeTimeout(
                f"no acknowledgement within {self._timeout_seconds:g} s",
                reason_code="handshake_timeout",
                handshake_id=attempt.handshake_id,
                asked_seq=attempt.asked_seq,
            )
            log.failure("handshake.timed_out", error, worker_id=worker_id, asked_seq=attempt.asked_seq)
            raise error from None
        log.record("handshake.connected", worker_id=worker_id, seconds=round(connected.seconds, 3))
        return connected


class _Attempt:
    """One question, and the wait for its answer."""

    def __init__(
        self,
        client: RuntimeCodexClient,
        worker_id: str,
        handshake_id: str,
        machine_id: str | None,
        on_asked: Callable[[int], None] | None,
    ) -> None:
        self.handshake_id = handshake_id
        self.asked_seq: int | None = None
        self._client = client
        self._worker_id = worker_id
        self._machine_id = machine_id
        self._on_asked = on_asked

    async def run(self, question: dict[str, str]) -> Connected:
        clock = self._client.clock
        started_at = clock.monotonic()
        asked = await self._client.append_event(self._worker_id, "worker.event", question, event_id=self.handshake_id)
        self.asked_seq = asked.seq
        if self._on_asked is not None:
            self._on_asked(asked.seq)
        async with self._client.follow(self._worker_id, cursor=asked.seq) as follower:
            async for event in follower:
                if self._answers(event):
                    return self._connected(event, asked.seq, clock.monotonic() - started_at)
        raise AssertionError("a follower that nobody closed has no end")

    def _answers(self, event: Envelope) -> bool:
        by_machine = event.actor.machine_id if event.actor else None
        return (
            event.eventType == "worker.event"
            and event.payload.get("method") == ACK
            and event.payload.get("handshake_id") == self.handshake_id
            and by_machine is not None
            and self._machine_id in (None, by_machine)
        )

    def _connected(self, event: Envelope, asked_seq: int, seconds: float) -> Connected:
        assert event.actor is not None
        assert event.actor.machine_id is not None
        return Connected(
            worker_id=self._worker_id,
            handshake_id=self.handshake_id,
            machine_id=event.actor.machine_id,
            desktop_session_id=str(event.payload.get("desktop_session_id", "")),
            asked_seq=asked_seq,
            acked_seq=event.seq,
            seconds=seconds,
        )
