"""What a person does, each as one object that says how far it has come: never more than the server has said.

Owns the states of an act and what an error means for it. An act is sent under one id for as long as it lives, so that
sending it again, after whatever, does nothing twice; what was typed stays in it. Relies on the calls of
`RuntimeCodexClient`, which repeat themselves while that is safe. Sends nothing unasked: `acts_book.py` does.
Source: docs/protocol.md, "Requests and receipts".
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from autopilot.client import log
from autopilot.client.calls import new_id
from autopilot.client.client import RuntimeCodexClient
from autopilot.client.doubt import leaves_doubt, stays_in_doubt
from autopilot.client.handshake import Connected, HandshakeClient, HandshakeTimeout
from autopilot.client.observable import Observable
from autopilot.client.overview import Overview, receipt_key
from autopilot.client.workers import has_ended
from autopilot.contract import Receipt, RequestOutcome, StoppedWorker
from autopilot.contract.errors import AutopilotError, NetworkError

Phase = Literal["idle", "sending", "waiting", "done", "failed", "indeterminate", "refused", "unknown"]
"""
idle           nothing was sent
sending        on its way; the server has said nothing
waiting        the server has it: `result` says how far it has come
done           it ended, and well
failed         it ended, and did not happen
indeterminate  it ended, and nobody can know whether Codex acted: a person decides whether to ask anew
refused        the server says no (`error`), and nothing was stored, by no attempt: it may be sent again
unknown        no answer came (`error`): whether it is stored is found out by sending it again, which does nothing twice
"""
Result: TypeAlias = Receipt | RequestOutcome | StoppedWorker | Connected
ENDS: frozenset[Phase] = frozenset({"done", "failed", "indeterminate"})
SENDABLE: frozenset[Phase] = frozenset({"idle", "refused", "unknown"})
STOP = "worker/stop"


@dataclass(frozen=True, slots=True)
class ActView:
    """One moment of an act."""

    phase: Phase
    result: Result | None = None
    """What the server said last."""
    error: AutopilotError | None = None
    """Why it was refused, or what kept an answer."""
    attempts: int = 0

    @property
    def may_send(self) -> bool:
        """Whether sending it (again) is worth anything."""
        return self.phase in SENDABLE

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will become of it."""
        return self.phase in ENDS


@dataclass(frozen=True, slots=True)
class Deed:
    """What is asked of a worker. It never changes: other words are another act."""

    method: str
    """As receipts have it: `turn/start`, `worker/stop`, `handshake`, …."""
    worker_id: str
    params: dict[str, Any] = field(default_factory=dict)
    """What was typed and chosen: it is here for as long as the act is."""


class Act(Observable[ActView]):
    """One thing that a person does, observable."""

    def __init__(self, client: RuntimeCodexClient, deed: Deed, request_id: str) -> None:
        super().__init__()
        self.deed = deed
        self.request_id = request_id
        """Its id, before anything is sent and after everything has ended."""
        self.heard_at = client.clock.monotonic()
        """When the server spoke of it last, or it was made."""
        self._client = client
        self._now = ActView("idle")

    async def send(self) -> ActView:
        """Do it, or do it again under the same id; nothing where that makes no sense. What came of it is in the view.

        Raises:
            CancelledError: what became of it is unknown.
        """
        if not self.view.may_send:
            return self.view
        attempts = self._now.attempts + 1
        was_unknown = self._now.phase == "unknown"
        self._became(ActView("sending", self._now.result, attempts=attempts))
        try:
            result = await self._do()
        except asyncio.CancelledError:
            self._became(ActView("unknown", self._now.result, attempts=attempts))
            raise
        except AutopilotError as error:
            log.failure("act.not_answered", error, method=self.deed.method, request=self.request_id)
            phase = phase_after(error)
            if phase == "refused" and stays_in_doubt(error, before=was_unknown):
                phase = "unknown"  # this attempt was refused; what became of the one before is as unknown as it was
            self._became(ActView(phase, self._now.result, error, attempts))
        else:
            self._took(result)
        return self.view

    async def look(self) -> None:
        """Ask how far it has come; where nobody answers, nothing is known more than before."""
        try:
            found = await self._found()
        except AutopilotError as error:
            log.failure("act.look", error, method=self.deed.method, request=self.request_id)
        else:
            if found is not None:
                self._took(found)

    def told(self, overview: Overview) -> None:
        """Take what the stream says of it, where it does."""
        if self._now.phase in ("waiting", "unknown") and (found := self._named(overview)) is not None:
            self._took(found)

    @abstractmethod
    async def _do(self) -> Result:
        """Send it."""

    @abstractmethod
    async def _found(self) -> Result | None:
        """Its state, asked for; None where it can't be."""

    @abstractmethod
    def _named(self, overview: Overview) -> Result | None:
        """Its state, as the stream tells it."""

    @abstractmethod
    def _phase(self, result: Any) -> Phase:
        """How far that is."""

    def _took(self, result: Result) -> None:
        self.heard_at = self._client.clock.monotonic()
        before = self._now
        if before.result is not None and is_older(result, before.result):
            result = before.result
        phase = self._phase(result)
        if before.phase in ENDS or (before.phase, before.result) == (phase, result):
            return
        self._became(ActView(phase, result, attempts=before.attempts))

    def _became(self, view: ActView) -> None:
        self._now = view
        self._change()

    def _seen(self) -> ActView:
        return self._now


class RequestAct(Act):
    """A request to a worker: a message, an interruption, any method."""

    async def _do(self) -> Result:
        deed = self.deed
        return await self._client.request(
            deed.worker_id, deed.method, deed.params, request_id=self.request_id, wait_ms=0
        )

    async def _found(self) -> Result | None:
        return await self._client.receipt(self.deed.worker_id, self.request_id)

    def _named(self, overview: Overview) -> Result | None:
        key = ("worker", self.deed.worker_id, self.request_id)
        return next((one for one in overview.receipts if receipt_key(one) == key), None)

    def _phase(self, result: Any) -> Phase:
        return phase_of(result)


class StopAct(Act):
    """A stop of one worker. The server names its request; stopping what is stopped, or stopping, does nothing."""

    async def _do(self) -> Result:
        said = self.deed.params
        stopped = await self._client.stop_worker(
            self.deed.worker_id, reason=said.get("reason"), force=bool(said.get("force"))
        )
        if stopped.request_id is not None:
            self.request_id = stopped.request_id
        return stopped

    async def _found(self) -> Result | None:
        if not isinstance(self._now.result, StoppedWorker | Receipt) or not self.request_id:
            return None
        return await self._client.receipt(self.deed.worker_id, self.request_id)

    def _named(self, overview: Overview) -> Result | None:
        key = ("worker", self.deed.worker_id, self.request_id)
        return next((one for one in overview.receipts if receipt_key(one) == key), None)

    def _phase(self, result: Any) -> Phase:
        if isinstance(result, StoppedWorker):
            return "done" if result.status == "stopped" else "waiting"
        return phase_of(result)


class HandshakeAct(Act):
    """A handshake: asked, and answered by the machine within 30 s, or failed (`HandshakeTimeout`)."""

    def __init__(self, client: RuntimeCodexClient, deed: Deed, handshakes: HandshakeClient) -> None:
        super().__init__(client, deed, new_id("handshake"))
        self._handshakes = handshakes
        self._made_at = client.clock.now()
        """As the question says it, whenever it is sent: with another time it would be another one."""
        self.asked_seq: int | None = None
        """Where the log has the question; None: not known to be recorded."""
        self.asked_at: float | None = None
        """When that was known, by the clock's monotonic time."""

    async def _do(self) -> Result:
        self.asked_seq = self.asked_at = None
        machine_id = self.deed.params.get("machine_id")
        return await self._handshakes.run(
            self.deed.worker_id,
            machine_id=machine_id,
            on_asked=self._asked,
            handshake_id=self.request_id,
            occurred_at=self._made_at,
        )

    async def _found(self) -> Result | None:
        return None

    def _named(self, overview: Overview) -> Result | None:
        del overview
        return None

    def _asked(self, seq: int) -> None:
        self.asked_seq, self.asked_at = seq, self._client.clock.monotonic()
        self._became(ActView("waiting", attempts=self._now.attempts))

    def _phase(self, result: Any) -> Phase:
        del result
        return "done"


def phase_after(error: AutopilotError) -> Phase:
    """What an error says: the server's no means that nothing was stored; without its word nobody knows."""
    if isinstance(error, HandshakeTimeout):
        return "failed"
    return "unknown" if isinstance(error, NetworkError) or leaves_doubt(error) else "refused"


def is_older(result: Result, known: Result) -> bool:
    """Whether this was overtaken by what is known."""
    if isinstance(result, Receipt | RequestOutcome) and isinstance(known, Receipt | RequestOutcome):
        return _step(result) < _step(known)
    return isinstance(result, StoppedWorker) and isinstance(known, Receipt)


def phase_of(receipt: Receipt | RequestOutcome) -> Phase:
    """How far a receipt has come."""
    if not has_ended(receipt):
        return "waiting"
    if receipt.state == "indeterminate":
        return "indeterminate"
    return "done" if receipt.state == "completed" else "failed"


_STEPS = {"accepted": 0, "delivered": 1, "acknowledged": 2}


def _step(receipt: Receipt | RequestOutcome) -> int:
    return _STEPS.get(receipt.state, len(_STEPS))
