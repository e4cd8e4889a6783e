"""The calls about policies: what may be asked for at all (docs/protocol.md, "Policy")."""

from __future__ import annotations

from typing import Any

from autopilot.client.calls import Calls, many, one, path_of
from autopilot.contract import (
    ApprovalVerdict,
    Policies,
    PolicyChange,
    PolicyDocument,
    PolicyVerdict,
    SetPolicy,
    TestApproval,
    TestPolicy,
    encode,
)


class PolicyCalls(Calls):
    """What one may do with policies."""

    async def policies(self, team_id: str | None = None) -> Policies:
        """The documents in force, and what they come to; with `team_id`, on the machines of that team.

        Raises:
            NotFound: `no_such_team`: one is not in it.
        """
        query = {"team_id": team_id}
        return one(Policies, await self._http.call("policies.get", "GET", path_of("policies"), query=query))

    async def set_policy(self, policy: SetPolicy) -> PolicyDocument:
        """Put a new version in force; a team's takes an owner of the team.

        Raises:
            Forbidden: no owner of the team; or `step_up_required`.
            NotFound: `no_such_team`: one is not in it.
            Conflict: `version`: another one is in force than expected.
            Unprocessable: the document has faults; a detail for each.
        """
        reply = await self._http.call("policies.set", "POST", path_of("policies"), body=encode(policy))
        return one(PolicyDocument, reply)

    async def try_policy(
        self,
        method: str,
        params: dict[str, Any] | None = None,
        *,
        worker_id: str | None = None,
        team_id: str | None = None,
        instead: SetPolicy | None = None,
    ) -> PolicyVerdict:
        """What policies would say to a request; `instead`: with this text in the place of the one in force.

        `team_id`: on a machine of this team; a worker's own is known.
        """
        asked = TestPolicy(method=method, params=params, worker_id=worker_id, team_id=team_id, instead=instead)
        body = encode(asked)
        return one(
            PolicyVerdict, await self._http.call("policies.test", "POST", path_of("policies", "test"), body=body)
        )

    async def try_approval(self, asked: TestApproval) -> ApprovalVerdict:
        """Which rule would decide a question of Codex, and who may answer it."""
        path = path_of("policies", "test", "approval")
        return one(ApprovalVerdict, await self._http.call("policies.test_approval", "POST", path, body=encode(asked)))

    async def policy_history(
        self,
        subject: str = "user",
        *,
        team_id: str | None = None,
        before: int | None = None,
        limit: int | None = None,
    ) -> list[PolicyChange]:
        """Who changed a document when, the latest change first; `before`: versions below that one.

        `subject`: `user` for one's own, `installation`, or `team` with its `team_id`.
        """
        query = {"subject": subject, "team_id": team_id, "before": before, "limit": limit}
        reply = await self._http.call("policies.history", "GET", path_of("policies", "history"), query=query)
        return many(PolicyChange, reply)

    async def policy_version(
        self, version: int, subject: str = "user", *, team_id: str | None = None
    ) -> PolicyDocument:
        """A document as it was in that version.

        Raises:
            NotFound: there is no such version.
        """
        query = {"subject": subject, "team_id": team_id, "version": version}
        reply = await self._http.call("policies.version", "GET", path_of("policies", "version"), query=query)
        return one(PolicyDocument, reply)
