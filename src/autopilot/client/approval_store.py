"""One question of Codex on a screen of its own: kept true, and answered.

Takes what the overview tells of it; asks for it where the overview has it not (it ended long ago), or not all of it.
Never shows an answer that the server has not taken. Relies on `answering` for what goes out and what is said after.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from autopilot.client import answering
from autopilot.client.answering import Answer, Answered
from autopilot.client.approvals import has_approval_ended
from autopilot.client.client import RuntimeCodexClient
from autopilot.client.observable import Observable
from autopilot.client.overview_store import OverviewStore
from autopilot.client.presenters.people import Names
from autopilot.contract import Approval
from autopilot.contract.errors import AutopilotError


@dataclass(frozen=True, slots=True)
class ApprovalView:
    """One moment of it."""

    approval: Approval | None = None
    """None: it is not known yet."""
    is_sending: bool = False
    """Whether an answer is on its way to the server."""
    said: str = ""
    """What came between somebody's answer and this."""
    faults: tuple[str, ...] = ()
    """What of the answer does not fit."""
    error: AutopilotError | None = None
    """Why the answer was not taken; what was typed stays, and the same again is the same answer."""
    missing: AutopilotError | None = None
    """Why the question can't be had."""


class ApprovalStore(Observable[ApprovalView]):
    """One question."""

    def __init__(
        self, client: RuntimeCodexClient, overview: OverviewStore, approval_id: str, names: Callable[[], Names]
    ) -> None:
        super().__init__()
        self._client = client
        self._overview = overview
        self._names = names
        self.approval_id = approval_id
        self._told: Approval | None = None
        self._now = ApprovalView()
        self._take(overview.view.overview.approval(approval_id))

    async def run(self) -> None:
        """Keep it true, until cancelled. What can't be had is said in the view."""
        async for view in self._overview.changes():
            self._take(view.overview.approval(self.approval_id))
            known = self._now.approval
            if (known is None or known.evidence is None) and self._now.missing is None:
                await self.look()

    async def look(self) -> None:
        """Ask for it now."""
        try:
            found = await self._client.approval(self.approval_id)
        except AutopilotError as error:
            self._became(missing=error)
        else:
            self._became(approval=self._newest(found), missing=None)

    async def answer(self, answer: Answer) -> Answered | None:
        """Answer it; None: it is being answered already, or nothing is known of it."""
        approval = self._now.approval
        if approval is None or self._now.is_sending:
            return None
        self._became(is_sending=True, said="", faults=(), error=None)
        try:
            told = await answering.send(self._client, approval, answer, self._names())
        finally:
            self._became(is_sending=False)
        self._became(approval=self._newest(told.approval), said=told.said, faults=told.faults, error=told.error)
        return told

    def _take(self, told: Approval | None) -> None:
        """What the overview says now, where it says something else than before."""
        if told is not None and told != self._told:
            self._told = told
            self._became(approval=self._newest(told), missing=None)

    def _newest(self, approval: Approval) -> Approval:
        """This, unless the stream was faster than an answer, and told of its end already."""
        known = self._now.approval
        is_overtaken = known is not None and has_approval_ended(known) and not has_approval_ended(approval)
        return known if known is not None and is_overtaken else self._whole(approval)

    def _whole(self, approval: Approval) -> Approval:
        """With what was known of it: an overview may leave out what it shows."""
        known = self._now.approval
        if known is None or approval.evidence is not None:
            return approval
        return replace(approval, params=known.params, evidence=known.evidence, form=known.form)

    def _became(self, **changed: object) -> None:
        now = replace(self._now, **changed)  # type: ignore[arg-type]  # fields of the view, by name
        if now != self._now:
            self._now = now
            self._change()

    def _seen(self) -> ApprovalView:
        return self._now
