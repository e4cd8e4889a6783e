"""The calls about machines, and those of an executor (docs/protocol.md, "Executors")."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from autopilot.client.calls import many, one, path_of
from autopilot.client.follower import Follower, FollowPolicy
from autopilot.client.sources import is_urgent_entry, machine_feed
from autopilot.client.workers import DEFAULT_WAIT_MS, WorkerCalls, request_call
from autopilot.contract import (
    ClaimLease,
    FeedAck,
    FeedAcked,
    FeedEntry,
    HeartbeatResult,
    HeartbeatWorker,
    LeaseGrant,
    Machine,
    MachineFact,
    MachineHeartbeat,
    Receipt,
    ReceiptReport,
    ReceiptReported,
    ReceiptReports,
    RegisterMachine,
    ReleaseLease,
    RequestOutcome,
    SealHead,
    SetMachineTeam,
    decode,
    encode,
)


class MachineCalls(WorkerCalls):
    """What one may do with machines, and what a machine does."""

    async def machines(self) -> list[Machine]:
        """One's machines."""
        return many(Machine, await self._http.call("machines.list", "GET", path_of("machines")))

    async def share_machine(self, machine_id: str, team_id: str) -> Machine:
        """Put a machine of one's own into a team, out of any other; its workers follow, now and later.

        Takes a step-up.

        Raises:
            NotFound: no such machine, or no team of one's own.
            Forbidden: somebody else's machine, or one only views the team.
        """
        return await self._set_team(machine_id, team_id)

    async def unshare_machine(self, machine_id: str) -> Machine:
        """Take a machine of one's own out of its team; members' streams of its workers end within two seconds.

        Raises:
            NotFound: no such machine.
            Forbidden: somebody else's machine.
        """
        return await self._set_team(machine_id, None)

    async def _set_team(self, machine_id: str, team_id: str | None) -> Machine:
        body = encode(SetMachineTeam(team_id=team_id))
        return one(
            Machine, await self._http.call("machines.team", "POST", path_of("machines", machine_id, "team"), body=body)
        )

    async def machine_request(
        self,
        machine_id: str,
        method: str,
        params: dict[str, Any] | None = None,
        *,
        request_id: str | None = None,
        wait_ms: int = DEFAULT_WAIT_MS,
    ) -> RequestOutcome:
        """Ask a machine something that concerns no worker yet (`thread/start`, `model/list`); as `request`."""
        path = path_of("machines", machine_id, "requests")
        return one(
            RequestOutcome, await self._ask("machines.request", path, request_call(method, params, request_id), wait_ms)
        )

    async def machine_receipt(self, machine_id: str, request_id: str) -> Receipt:
        """What became of a request to a machine."""
        path = path_of("machines", machine_id, "requests", request_id)
        return one(Receipt, await self._http.call("machines.receipt", "GET", path))

    async def cancel_machine_request(self, machine_id: str, request_id: str) -> Receipt:
        """Take a request to a machine back, if nobody has it yet; the receipt says whether that came in time."""
        path = path_of("machines", machine_id, "requests", request_id, "cancel")
        return one(Receipt, await self._http.call("machines.cancel", "POST", path))

    # An executor's calls: with a token of that machine.

    async def register_machine(self, machine: RegisterMachine) -> Machine:
        """Say that the machine exists, and what runs there."""
        reply = await self._http.call("machines.register", "POST", path_of("machines"), body=encode(machine))
        return one(Machine, reply)

    async def heartbeat(
        self,
        machine_id: str,
        workers: Iterable[HeartbeatWorker],
        *,
        desktop_session_id: str | None = None,
        facts: Iterable[MachineFact] = (),
        kept_seal: SealHead | None = None,
    ) -> HeartbeatResult:
        """One sign of life for the machine and all its workers; renews their leases, tells what concerns no worker.

        `kept_seal`: the latest seal that the machine was shown; the answer says what the chain has in its place.
        """
        beat = MachineHeartbeat(
            desktop_session_id=desktop_session_id, workers=tuple(workers), facts=tuple(facts), kept_seal=kept_seal
        )
        body = encode(beat)
        path = path_of("machines", machine_id, "heartbeat")
        return one(HeartbeatResult, await self._http.call("machines.heartbeat", "POST", path, body=body))

    async def claim_lease(self, worker_id: str, machine_id: str, *, ttl_ms: int | None = None) -> LeaseGrant:
        """Ask to execute for a worker.

        Raises:
            Conflict: another machine's lease lives; the details name it.
        """
        body = encode(ClaimLease(machine_id=machine_id, ttl_ms=ttl_ms))
        path = path_of("workers", worker_id, "lease")
        return one(LeaseGrant, await self._http.call("workers.lease", "POST", path, body=body))

    async def release_lease(self, worker_id: str, machine_id: str, generation: int) -> None:
        """Give it back: a clean end."""
        body = encode(ReleaseLease(machine_id=machine_id, generation=generation))
        await self._http.call("workers.release", "POST", path_of("workers", worker_id, "lease", "release"), body=body)

    def follow_feed(
        self, machine_id: str, *, cursor: int | None = None, policy: FollowPolicy | None = None
    ) -> Follower[FeedEntry]:
        """What others want of this machine, after `cursor`. Urgent entries may come twice: ahead, and in place."""
        return Follower(
            machine_feed(self._http, machine_id),
            lambda value: decode(FeedEntry, value),
            cursor=cursor,
            out_of_band=is_urgent_entry,
            policy=policy,
            clock=self._http.clock,
            rng=self._http.rng,
            name=machine_id,
        )

    async def ack_feed(self, machine_id: str, cursor: int) -> FeedAcked:
        """Say that everything up to `cursor` is durably here."""
        path = path_of("machines", machine_id, "feed", "ack")
        return one(FeedAcked, await self._http.call("machines.ack", "POST", path, body=encode(FeedAck(cursor=cursor))))

    async def report_receipts(self, machine_id: str, reports: Iterable[ReceiptReport]) -> list[ReceiptReported]:
        """Say how far requests have come; repeating is harmless, a receipt never goes back."""
        body = encode(ReceiptReports(receipts=tuple(reports)))
        path = path_of("machines", machine_id, "receipts")
        return many(ReceiptReported, await self._http.call("machines.receipts", "POST", path, body=body))
