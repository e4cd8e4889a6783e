"""The calls about policies: what may be asked for at all (docs/protocol.md, "Policy")."""

from __future__ import annotations

from typing import Any

from autopilot.client.calls import Calls, one, path_of
from autopilot.contract import Policies, PolicyDocument, PolicyVerdict, SetPolicy, TestPolicy, encode


class PolicyCalls(Calls):
    """What one may do with policies."""

    async def policies(self) -> Policies:
        """The documents in force, and what they come to."""
        return one(Policies, await self._http.call("policies.get", "GET", path_of("policies")))

    async def set_policy(self, policy: SetPolicy) -> PolicyDocument:
        """Put a new version in force.

        Raises:
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
        instead: SetPolicy | None = None,
    ) -> PolicyVerdict:
        """What policies would say to a request; `instead`: with this text in the place of the one in force."""
        body = encode(TestPolicy(method=method, params=params, worker_id=worker_id, instead=instead))
        return one(
            PolicyVerdict, await self._http.call("policies.test", "POST", path_of("policies", "test"), body=body)
        )
