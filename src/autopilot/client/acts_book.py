"""The acts of a person, sent and seen to their end by one task.

`Acts.run` sends what was begun, takes what the stream says of each act, asks where it says nothing, and sends again,
under the same id, what nobody answered a short while ago. What is older waits for the person: a message that was typed
an hour ago is not sent behind their back. Keeps the last acts for screens to show; what has not ended is never let go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from autopilot.client.acts import STOP, Act, Deed, HandshakeAct, RequestAct, StopAct
from autopilot.client.calls import new_id
from autopilot.client.client import RuntimeCodexClient
from autopilot.client.clock import within
from autopilot.client.handshake import HandshakeClient
from autopilot.client.observable import Observable
from autopilot.client.overview import Overview
from autopilot.client.saying import interrupted, said

KEPT = 100
LOOK_SECONDS = 5.0
"""An act that waits, and of which nothing was heard for so long, is asked for."""
REPEAT_SECONDS = 120.0
"""What nobody answered is sent again by itself for so long after it was begun."""


class Acts(Observable[tuple[Act, ...]]):
    """Makes acts and begins them; its view are the last ones, the newest last."""

    def __init__(self, client: RuntimeCodexClient, *, device_id: str = "", source: str = "autopilot-ios") -> None:
        """`device_id`, `source`: who does handshakes."""
        super().__init__()
        self._client = client
        self._clock = client.clock
        self._handshakes = HandshakeClient(client, device_id=device_id or new_id("device"), source=source)
        self._acts: dict[Act, float] = {}
        """And when each was begun."""
        self._due: list[Act] = []
        self._sending = 0
        self._woken = asyncio.Event()
        self._quiet = asyncio.Event()
        self._quiet.set()

    # What can be done. Each begins at once, and is returned before anything is known of it.

    def say(self, worker_id: str, text: str) -> Act:
        """A message: a new turn, or into the one that runs.

        Raises:
            InvalidRequest: `nothing_said`.
        """
        return self.request(worker_id, *said("send", text))

    def steer(self, worker_id: str, text: str, turn_id: str | None) -> Act:
        """A message into this turn, and no other.

        Raises:
            InvalidRequest: `nothing_said`.
            Conflict: `turn_ended`: none runs.
        """
        return self.request(worker_id, *said("steer", text, turn_id or ""))

    def queue(self, worker_id: str, text: str) -> Act:
        """A message for after the turn that runs.

        Raises:
            InvalidRequest: `nothing_said`.
        """
        return self.request(worker_id, *said("queue", text))

    def interrupt(self, worker_id: str, turn_id: str | None) -> Act:
        """End this turn.

        Raises:
            Conflict: `no_turn_runs`.
        """
        return self.request(worker_id, *interrupted(turn_id or ""))

    def request(self, worker_id: str, method: str, params: dict[str, Any] | None = None) -> Act:
        """Any method."""
        return self.begin(RequestAct(self._client, Deed(method, worker_id, params or {}), new_id("request")))

    def stop(self, worker_id: str, *, reason: str | None = None, force: bool = False) -> Act:
        """Stop a worker."""
        deed = Deed(STOP, worker_id, {"reason": reason, "force": force})
        return self.begin(StopAct(self._client, deed, new_id("stop")))

    def handshake(self, worker_id: str, *, machine_id: str | None = None) -> HandshakeAct:
        """Prove that this device and the worker's companion are connected."""
        act = HandshakeAct(self._client, Deed("handshake", worker_id, {"machine_id": machine_id}), self._handshakes)
        self.begin(act)
        return act

    def begin(self, act: Act) -> Act:
        """Send it, or send it again: its view says whether that is worth anything."""
        if act not in self._acts:
            act.subscribe(lambda _view: self._change())
        self._acts[act] = self._clock.monotonic()
        if act not in self._due:
            self._due.append(act)
        self._bound()
        self._woken.set()
        self._change()
        return act

    def of(self, worker_id: str) -> tuple[Act, ...]:
        """The acts that concern this worker, the newest last."""
        return tuple(act for act in self._acts if act.deed.worker_id == worker_id)

    # Seeing to them.

    def take(self, overview: Overview) -> None:
        """Take what the stream says."""
        for act in self._acts:
            act.told(overview)

    def poke(self) -> None:
        """Look now: the network is back, the app is in front again."""
        self._woken.set()

    def forget(self) -> None:
        """Forget all: somebody else may sign in."""
        self._acts.clear()
        self._due.clear()
        self._change()

    async def quiet(self) -> None:
        """Wait until nothing is on its way."""
        await self._quiet.wait()

    async def run(self) -> None:
        """See to them until cancelled; what is on its way then is `unknown`. Once at a time."""
        async with asyncio.TaskGroup() as group:
            while True:
                for act in self._to_send():
                    self._start(group, act.send)
                for act in self._to_ask():
                    self._start(group, act.look)
                try:
                    await within(self._clock, LOOK_SECONDS, self._woken.wait)
                except TimeoutError:
                    continue
                self._woken.clear()

    def _to_send(self) -> list[Act]:
        due = list(self._due)
        self._due.clear()
        now = self._clock.monotonic()
        due += [
            act
            for act, begun in self._acts.items()
            if act.view.phase == "unknown" and now - begun < REPEAT_SECONDS and act not in due
        ]
        return due

    def _to_ask(self) -> list[Act]:
        now = self._clock.monotonic()
        late = [act for act in self._acts if act.view.phase == "waiting" and now - act.heard_at >= LOOK_SECONDS]
        for act in late:
            act.heard_at = now  # asked: not again before the answer is late too
        return late

    def _start(self, group: asyncio.TaskGroup, work: Callable[[], Any]) -> None:
        self._sending += 1
        self._quiet.clear()
        task = group.create_task(work())
        task.add_done_callback(lambda _task: self._ended())

    def _ended(self) -> None:
        self._sending -= 1
        if not self._sending:
            self._quiet.set()

    def _bound(self) -> None:
        for act in [act for act in self._acts if act.view.has_ended or act.view.phase == "refused"]:
            if len(self._acts) <= KEPT:
                return
            del self._acts[act]

    def _seen(self) -> tuple[Act, ...]:
        return tuple(self._acts)
