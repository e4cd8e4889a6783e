"""This machine at the runtime: registered, heard of, its facts told; and what the server's clock says.

Owns whether the runtime knows the machine, and how far the server's clock is ahead of ours. Relies on `Leases` for
what is held: one call is the sign of life of the machine and of all its leases.
"""

from __future__ import annotations

import platform
from datetime import datetime, timedelta

import structlog

from autopilot import __version__
from autopilot.client import RuntimeCodexClient
from autopilot.companion.facts import MachineFacts
from autopilot.companion.identity import Machine
from autopilot.companion.seal_heads import SealHeads
from autopilot.contract import HeartbeatResult, HeartbeatWorker, MachineFact, RegisterMachine
from autopilot.contract.errors import AutopilotError, InvalidRequest, NotFound, PayloadTooLarge, Unprocessable
from autopilot.ops.clock import Clock

REFUSED = (InvalidRequest, Unprocessable, PayloadTooLarge)
"""What says that the same will not be taken another time either."""

log = structlog.get_logger(__name__)


class Presence:
    """One for each companion."""

    def __init__(
        self,
        client: RuntimeCodexClient,
        machine: Machine,
        *,
        facts: MachineFacts,
        heads: SealHeads,
        clock: Clock,
        session_id: str,
    ) -> None:
        self._client = client
        self._machine = machine
        self.facts = facts
        self._heads = heads
        self._clock = clock
        self._session_id = session_id
        self.codex_version: str | None = None
        """Of the Codex that runs here, once one was connected."""
        self._registered: str | None = None
        """What was last registered; None: not in this life."""
        self._ahead = timedelta(0)
        """How far the server's clock is ahead of ours, as the last registration or lease told."""
        self._heard: tuple[datetime, float] | None = None
        """When that was: by the server's clock, and by our monotonic one."""

    @property
    def registered(self) -> bool:
        """Whether the runtime knows this machine."""
        return self._registered is not None

    def server_now(self) -> datetime:
        """The server's time, as well as we know it: behind by the time its last answer was on its way, never ahead.

        Our clock may be set meanwhile, and the monotonic one stands still while the machine sleeps: the earlier holds.
        """
        by_clock = self._clock.now() + self._ahead
        if self._heard is None:
            return by_clock
        moment, at = self._heard
        return min(by_clock, moment + timedelta(seconds=self._clock.monotonic() - at))

    def heard_at(self, moment: datetime) -> None:
        """By the server's clock it was this when it answered just now."""
        self._ahead = moment - self._clock.now()
        self._heard = moment, self._clock.monotonic()

    async def register(self) -> bool:
        """Say that this machine exists and what runs here; False where that is known."""
        saying = f"{self.codex_version}"
        if self._registered == saying:
            return False
        about = RegisterMachine(
            machine_id=self._machine.machine_id,
            name=self._machine.name,
            platform=f"{platform.system()} {platform.machine()}",
            companion_version=__version__,
            codex_version=self.codex_version,
            desktop_session_id=self._session_id,
        )
        registered = await self._client.register_machine(about)
        if registered.last_heard_at is not None:  # just now
            self.heard_at(datetime.fromisoformat(registered.last_heard_at))
        self._registered = saying
        self.facts.tell_again()
        log.info("machine.registered", machine_id=self._machine.machine_id, codex_version=self.codex_version)
        return True

    async def beat(self, held: list[HeartbeatWorker]) -> HeartbeatResult:
        """One sign of life, with what is new about the machine.

        Raises:
            NotFound: the runtime does not know this machine any more.
        """
        try:
            return await self._beat(held, self.facts.pending())
        except NotFound:
            self._registered = None
            raise

    async def _beat(self, held: list[HeartbeatWorker], facts: tuple[MachineFact, ...]) -> HeartbeatResult:
        """Leases live by this call: where the runtime does not take the facts, it is made without them."""
        machine_id, kept = self._machine.machine_id, await self._heads.kept()
        said = {"desktop_session_id": self._session_id, "kept_seal": None if kept is None else kept.head}
        try:
            answer = await self._client.heartbeat(machine_id, held, facts=facts, **said)
        except REFUSED as refused:
            if not facts:
                raise
            log.info("facts.one_by_one", error=refused.message)
            answer = await self._client.heartbeat(machine_id, held, **said)
            await self._tell_each(facts)
        else:
            self.facts.told(facts)
        await self._heads.answered(kept, answer)
        return answer

    async def _tell_each(self, facts: tuple[MachineFact, ...]) -> None:
        """One by one: only what is refused by itself is let go of; what was not heard is told with the next."""
        for fact in facts:
            try:
                await self._client.heartbeat(
                    self._machine.machine_id, [], facts=(fact,), desktop_session_id=self._session_id
                )
            except REFUSED as refused:
                log.warning("facts.refused", method=fact.method, error=refused.message)
            except AutopilotError as error:
                log.info("facts.not_told", error=str(error), code=error.code)
                return
            self.facts.told([fact])
