"""A new session as it is filled in and started, for a screen that comes and goes.

Owns the draft, which outlives the screen, and the request that is under way; what may be chosen follows the machine,
what policies say follows each choice. Relies on `new_session` for every call, on the overview for machines, folders and
receipts. Never shows as started what the server has not said; what was typed is let go only when it was taken.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from autopilot.client import new_session
from autopilot.client.backoff import is_final
from autopilot.client.client import RuntimeCodexClient
from autopilot.client.clock import within
from autopilot.client.doubt import stays_in_doubt
from autopilot.client.new_session import Draft, Model, Ways
from autopilot.client.observable import Observable
from autopilot.client.overview_store import OverviewStore, OverviewView
from autopilot.client.presenters import machines as machine_words
from autopilot.client.presenters import new_session as said
from autopilot.client.presenters.labels import Label
from autopilot.contract import Machine
from autopilot.contract.errors import AutopilotError

SETTLED_SECONDS = 0.4
"""What is typed is asked about when no more comes for so long."""
STEP_SECONDS = 1.0
"""How often a request is looked at, beside what the stream tells of it."""


@dataclass(frozen=True, slots=True)
class NewSessionView:
    """How far it is filled in, and how far it has come."""

    draft: Draft
    machines: tuple[Machine, ...] | None = None
    """Those that may be asked, the heard ones first; None: not known yet."""
    missing: AutopilotError | None = None
    """Why they are not."""
    machine: Machine | None = None
    folders: tuple[str, ...] = ()
    """Where sessions of that machine are, the latest first."""
    models: tuple[Model, ...] | str | None = None
    """What its Codex named; as words: why it named none; None: it is being asked."""
    ways: Ways = Ways()  # noqa: RUF009 - frozen
    verdict: Label | None = None
    """What policies say to it; None: they are being asked."""
    is_asking: bool = False
    """Whether its request is on its way to the server."""
    progress: said.Progress | None = None
    """How far the request is; None: nothing was asked yet."""
    error: AutopilotError | None = None
    """Why it was not taken; what was typed stays, and the same again is the same request."""
    opened: str | None = None
    """The worker that it became: its screen is to be opened."""

    @property
    def is_under_way(self) -> bool:
        """Whether something was asked and has not ended."""
        return self.is_asking or (self.progress is not None and self.progress.is_under_way)

    @property
    def may_start(self) -> bool:
        """Whether there is enough to ask for."""
        draft = self.draft
        return bool(self.machine and draft.prompt.strip() and draft.folder.strip()) and not self.is_under_way


class NewSessionStore(Observable[NewSessionView]):
    """One draft."""

    def __init__(self, client: RuntimeCodexClient, overview: OverviewStore) -> None:
        super().__init__()
        self._client = client
        self._overview = overview
        self._now = NewSessionView(Draft())
        self._models: dict[str, tuple[Model, ...]] = {}
        self._asked: Draft | None = None
        """What was asked for last, as long as that has not ended."""
        self._is_doubted = False
        """Whether an attempt at it may have been recorded: it keeps its id."""
        self._machine_chosen, self._choice_made, self._started = asyncio.Event(), asyncio.Event(), asyncio.Event()

    def edit(self, **changed: str) -> None:
        """Fill in: `prompt`, `folder`, `model`, `sandbox`, `approvals`."""
        before = self._now.draft
        draft = replace(before, **changed)  # type: ignore[arg-type]  # fields of a draft, by name
        if draft == before:
            return
        self._became(draft=draft)
        if replace(draft, prompt=before.prompt) != before:
            self._became(verdict=None)
            self._choice_made.set()

    def choose(self, machine_id: str) -> None:
        """Have it on this machine."""
        if machine_id != self._now.draft.machine_id:
            self._became(draft=replace(self._now.draft, machine_id=machine_id, folder="", model=""), machine=None)
            self._take(self._overview.view)

    async def run(self) -> None:
        """Keep it true for as long as somebody looks; run again, it goes on."""
        self._machine_chosen.set()
        if self._asked is not None:
            self._started.set()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._offer())
            group.create_task(self._check())
            group.create_task(self._follow())
            async for view in self._overview.changes():
                self._take(view)

    async def start(self) -> None:
        """Ask for it. What goes wrong is said in the view."""
        if not self._now.may_start:
            return
        draft = self._now.draft
        if self._asked is None or self._asked != draft:
            self._asked, self._is_doubted = replace(draft, request_id=new_session.new_request_id()), False
        draft = self._asked
        self._became(is_asking=True, error=None, progress=None)
        try:
            progress = await new_session.ask_for_thread(self._client, draft, wait_ms=0)
        except AutopilotError as error:
            self._became(error=error)
            self._is_doubted = stays_in_doubt(error, before=self._is_doubted)
            if not self._is_doubted:
                self._asked = None
            return
        finally:
            self._became(is_asking=False)
        self._moved(progress)
        self._started.set()

    async def take_back(self) -> None:
        """Ask for it no more; the view says whether that came in time."""
        if self._asked is not None:
            await self._try(new_session.take_thread_back, self._asked)

    def leave(self) -> None:
        """It was opened: the next one begins with the same machine and folder, and without words."""
        draft = self._now.draft
        self._became(draft=replace(draft, prompt=""), progress=None, error=None, opened=None)

    # What may be chosen.

    def _take(self, view: OverviewView) -> None:
        overview = view.overview
        known = overview.is_known or overview.machines
        machines = tuple(new_session.to_ask(overview.machines, self._client.clock.now())) if known else None
        missing = (view.error or view.connection.error) if machines is None else None
        self._became(machines=machines, missing=missing)
        draft = self._now.draft
        found = next((one for one in machines or () if one.machine_id == draft.machine_id), None)
        if found is None and machines and not draft.machine_id:
            found = machines[0]
        if found is not None:
            folders = tuple(new_session.folders_among(overview.workers, found.machine_id))
            folder = draft.folder or (folders[0] if folders else machine_words.home(found) or "")
            is_new = self._now.machine is None or self._now.machine.machine_id != found.machine_id
            chosen = replace(draft, machine_id=found.machine_id, folder=folder if is_new else draft.folder)
            self._became(draft=chosen, machine=found, folders=folders)
            if is_new:
                self._became(models=self._models.get(found.machine_id), verdict=None)
                self._machine_chosen.set()
        else:
            self._became(machine=None, folders=())
        if self._asked is not None and (receipt := overview.receipt(self._asked.request_id)) is not None:
            self._moved(said.progress(receipt))

    async def _offer(self) -> None:
        """The models of the chosen machine."""
        while True:
            await self._machine_chosen.wait()
            self._machine_chosen.clear()
            self._choice_made.set()
            machine = self._now.machine
            if machine is None or machine.machine_id in self._models:
                continue
            try:
                found = await new_session.models_of(self._client, machine.machine_id)
            except AutopilotError as error:
                found = error.message
            if not isinstance(found, str):
                self._models[machine.machine_id] = found
            if self._now.draft.machine_id == machine.machine_id:
                self._became(models=found)

    async def _check(self) -> None:
        """What policies say, whenever a choice was made."""
        while True:
            await self._choice_made.wait()
            while await self._chosen_again():
                pass
            draft, machine = self._now.draft, self._now.machine
            if machine is None:
                continue
            team_id = machine.owner.team_id if machine.owner else None
            ways = await new_session.ways_of(self._client, draft.folder, team_id)
            verdict = await new_session.verdict_on(self._client, draft, team_id)
            if not self._choice_made.is_set():
                self._became(ways=ways, verdict=verdict)

    async def _chosen_again(self) -> bool:
        self._choice_made.clear()
        try:
            await within(self._client.clock, SETTLED_SECONDS, self._choice_made.wait)
        except TimeoutError:
            return False
        return True

    # What is under way.

    async def _follow(self) -> None:
        """The request to its end, and then its first words."""
        while True:
            await self._started.wait()
            self._started.clear()
            while (draft := self._asked) is not None:
                progress = self._now.progress
                if progress is not None and progress.state == "completed" and progress.worker_id is not None:
                    await self._say(draft, progress.worker_id)
                elif progress is not None:
                    await self._try(new_session.look_at_thread, draft)
                if self._asked is not None:
                    await self._client.clock.sleep(STEP_SECONDS)

    async def _say(self, draft: Draft, worker_id: str) -> None:
        try:
            is_open = await new_session.say_first_words(self._client, draft, worker_id)
        except AutopilotError as error:
            if is_final(error):
                self._asked = None
            self._became(error=error)
            return
        self._became(error=None, progress=replace(self._now.progress or _none(), label=said.OPENS))
        if is_open:
            self._asked = None
            self._became(opened=worker_id, progress=replace(self._now.progress or _none(), label=said.STARTED))

    async def _try(self, ask: Callable[[RuntimeCodexClient, Draft], Awaitable[said.Progress]], draft: Draft) -> None:
        try:
            progress = await ask(self._client, draft)
        except AutopilotError as error:
            self._became(error=error)
        else:
            self._became(error=None)
            self._moved(progress)

    def _moved(self, progress: said.Progress) -> None:
        """The request has come as far as this, unless it was heard to be further."""
        known = self._now.progress
        if known is not None and not known.is_under_way and progress.is_under_way:
            return
        self._became(progress=progress)
        if not progress.is_under_way and (progress.state != "completed" or progress.worker_id is None):
            self._asked = None

    def _became(self, **changed: object) -> None:
        now = replace(self._now, **changed)  # type: ignore[arg-type]  # fields of the view, by name
        if now != self._now:
            self._now = now
            self._change()

    def _seen(self) -> NewSessionView:
        return self._now


def _none() -> said.Progress:
    return said.Progress("completed", said.OPENS)
