"""The calls about approvals: what Codex asks a person, and the answers (docs/protocol.md, "Approvals").

An answer may be sent again whatever became of the first call: the same one is taken once, and says how far it has come.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from autopilot.client.calls import Calls, many, one, path_of
from autopilot.contract import Approval, DecideApproval, encode

ENDS = frozenset({"applied", "superseded", "expired", "closed"})
"""The states in which nothing more becomes of an approval."""


@dataclass(frozen=True, slots=True)
class ApprovalPage:
    """One page of a list."""

    approvals: Sequence[Approval]
    next: str | None
    """Where the next page begins; None: this is the last."""


class ApprovalCalls(Calls):
    """What one may do with approvals."""

    async def approvals(
        self,
        *,
        state: str | None = None,
        worker_id: str | None = None,
        limit: int | None = None,
        before: str | None = None,
    ) -> ApprovalPage:
        """One page: `pending` (unless told) and `open` ones oldest first, `ended` and `all` newest first."""
        query = {"state": state, "worker_id": worker_id, "limit": limit, "before": before}
        reply = await self._http.call("approvals.list", "GET", path_of("approvals"), query=query)
        return ApprovalPage(many(Approval, reply), reply.body.get("next"))

    async def every_approval(
        self, *, state: str | None = None, worker_id: str | None = None, limit: int = 200
    ) -> AsyncIterator[Approval]:
        """The whole list, page by page."""
        before: str | None = None
        while True:
            page = await self.approvals(state=state, worker_id=worker_id, limit=limit, before=before)
            for approval in page.approvals:
                yield approval
            if page.next is None:
                return
            before = page.next

    async def approval(self, approval_id: str) -> Approval:
        """One approval as it is now."""
        reply = await self._http.call("approvals.get", "GET", path_of("approvals", approval_id))
        return one(Approval, reply)

    async def decide(
        self, approval_id: str, option_id: str, *, content: dict[str, Any] | None = None, message: str | None = None
    ) -> Approval:
        """Answer with one of the approval's options; the same again is the same answer.

        `content`: what an option with `takes_content` needs, by question or by field of the form; `message`: words for
        the model, where the option takes them.

        Raises:
            Conflict: `answered_differently` (`winner` says by whom), `approval_ended`, `answer_at_the_computer`.
            Unprocessable: the answer does not fit the question; a detail for each field.
        """
        body = encode(DecideApproval(option_id=option_id, content=content, message=message))
        path = path_of("approvals", approval_id, "decision")
        return one(Approval, await self._http.call("approvals.decide", "POST", path, body=body))


def has_approval_ended(approval: Approval) -> bool:
    """Whether nothing more will become of it."""
    return approval.state in ENDS
