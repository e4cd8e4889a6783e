"""One machine on a screen of its own: its team, its older threads, and what one does about it.

Relies on the overview for the machine itself, and asks for what that does not tell: the teams it can be shared with,
the threads that its Codex knows. Never shows as done what the server has not said.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from autopilot.client import threads
from autopilot.client.client import RuntimeCodexClient
from autopilot.client.doubt import stays_in_doubt
from autopilot.client.observable import Observable
from autopilot.client.threads import Adopted, OlderThread
from autopilot.contract import Team
from autopilot.contract.errors import AutopilotError

MAY_SHARE = frozenset({"owner", "operator"})
"""Roles in a team that may bring a machine into it."""


@dataclass(frozen=True, slots=True)
class MachineView:
    """What was asked for, and what was done."""

    teams: tuple[Team, ...] = ()
    """Those that it can be shared with."""
    is_busy: bool = False
    done: str = ""
    """What was done last, in words."""
    error: AutopilotError | None = None
    """Why it was not."""


class MachineStore(Observable[MachineView]):
    """Sharing one, and signing it out."""

    def __init__(self, client: RuntimeCodexClient, machine_id: str) -> None:
        super().__init__()
        self._client = client
        self._machine_id = machine_id
        self._now = MachineView()

    async def look(self) -> None:
        """Which teams there are; without an answer there are none to choose from."""
        try:
            found = await self._client.teams()
        except AutopilotError:  # a guest has none, and whatever else is wrong the connection's state says
            return
        self._became(teams=tuple(team for team in found if team.role in MAY_SHARE))

    async def share(self, team_id: str) -> bool:
        """Put it into this team."""
        return await self._do(lambda: self._client.share_machine(self._machine_id, team_id), "It is shared now.")

    async def unshare(self) -> bool:
        """Take it out of its team."""
        return await self._do(lambda: self._client.unshare_machine(self._machine_id), "It is in no team any more.")

    async def sign_out(self) -> bool:
        """End the sessions of its companion."""
        return await self._do(self._sign_out, "It is signed out, and carries out nothing more.")

    async def _sign_out(self) -> None:
        for device in await self._client.devices():
            if device.machine_id == self._machine_id:
                await self._client.revoke_device(device.device_id)

    async def _do(self, act: Callable[[], Awaitable[Any]], done: str) -> bool:
        if self._now.is_busy:
            return False
        self._became(is_busy=True, done="", error=None)
        try:
            await act()
        except AutopilotError as error:
            self._became(error=error)
            return False
        finally:
            self._became(is_busy=False)
        self._became(done=done)
        return True

    def _became(self, **changed: object) -> None:
        now = replace(self._now, **changed)  # type: ignore[arg-type]  # fields of the view, by name
        if now != self._now:
            self._now = now
            self._change()

    def _seen(self) -> MachineView:
        return self._now


@dataclass(frozen=True, slots=True)
class ThreadsView:
    """The older threads of a machine."""

    found: tuple[OlderThread, ...] | str | None = None
    """As words: why its Codex names none; None: it is being asked."""
    error: AutopilotError | None = None
    """Why it could not be asked."""
    taking: str | None = None
    """The thread that is being taken up."""
    said: dict[str, Adopted] | None = None
    """What became of those that were."""
    not_taken: AutopilotError | None = None
    """Why one could not be asked for."""


class ThreadsStore(Observable[ThreadsView]):
    """The list of them, and taking one up."""

    def __init__(self, client: RuntimeCodexClient, machine_id: str) -> None:
        super().__init__()
        self._client = client
        self._machine_id = machine_id
        self._requests: dict[str, str] = {}
        self._doubted: dict[str, bool] = {}
        """Of those that an attempt was made of: whether it may have been recorded."""
        self._now = ThreadsView()

    async def look(self) -> None:
        """Ask its Codex."""
        self._became(found=None, error=None)
        try:
            found = await threads.older_threads(self._client, self._machine_id)
        except AutopilotError as error:
            self._became(error=error)
        else:
            self._became(found=found)

    async def adopt(self, thread_id: str) -> Adopted | None:
        """Take one up; asked again, it is the same request until it has ended."""
        if self._now.taking is not None:
            return None
        self._became(taking=thread_id, not_taken=None)
        request_id = self._requests.setdefault(thread_id, threads.new_request_id())
        try:
            adopted = await threads.adopt(self._client, self._machine_id, thread_id, request_id)
        except AutopilotError as error:
            self._doubted[thread_id] = stays_in_doubt(error, before=self._doubted.get(thread_id, False))
            if not self._doubted[thread_id]:
                self._requests.pop(thread_id, None)  # nothing was begun: the next one is another
            self._became(not_taken=error)
            return None
        finally:
            self._became(taking=None)
        if adopted.label.tone != "busy":
            self._requests.pop(thread_id, None)
        self._became(said={**(self._now.said or {}), thread_id: adopted})
        return adopted

    def _became(self, **changed: object) -> None:
        self._now = replace(self._now, **changed)  # type: ignore[arg-type]  # fields of the view, by name
        self._change()

    def _seen(self) -> ThreadsView:
        return self._now
