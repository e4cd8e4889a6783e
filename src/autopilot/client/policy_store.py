"""The policy that binds, on a screen: one's own or a team's, and what it would say to a request."""

from __future__ import annotations

from dataclasses import dataclass

from autopilot.client.asked import Asked, AskedView
from autopilot.client.client import RuntimeCodexClient
from autopilot.client.observable import Observable
from autopilot.contract import Policies, PolicyVerdict, Team
from autopilot.contract.errors import AutopilotError

Known = tuple[Policies, tuple[Team, ...]]


@dataclass(frozen=True, slots=True)
class PolicyView:
    """One moment of it."""

    asked: AskedView[Known]
    team_id: str = ""
    """On whose machines; empty: one's own."""
    tried: str = ""
    """The method that was tried last."""
    is_trying: bool = False
    verdict: PolicyVerdict | None = None
    error: AutopilotError | None = None
    """Why it could not be tried."""


class PolicyStore(Observable[PolicyView]):
    """See the module."""

    def __init__(self, client: RuntimeCodexClient, team_id: str = "") -> None:
        """`team_id`: what binds on the machines of this team; empty: on one's own."""
        super().__init__()
        self._client = client
        self._asked: Asked[Known] = Asked(client.clock, self._ask)
        self._asked.subscribe(lambda _view: self._change())
        self._team_id = team_id
        self._trial = 0
        self._tried = ""
        self._is_trying = False
        self._verdict: PolicyVerdict | None = None
        self._error: AutopilotError | None = None

    async def look(self, *, team_id: str | None = None) -> None:
        """Ask now; `team_id`: from now on for the machines of this team, or (empty) for one's own."""
        if team_id is None or team_id == self._team_id:
            await self._asked.look()
            return
        self._team_id = team_id
        self._begin_trial("", is_trying=False)
        await self._asked.look(self._ask)  # what was said of another's is not shown as this one's

    async def try_it(self, method: str, *, folder: str = "", model: str = "") -> None:
        """What would be said to such a request. Never raises for what a server says: the view has it."""
        said = {"cwd": folder.strip(), "model": model.strip()}
        params = {name: value for name, value in said.items() if value}
        mine = self._begin_trial(method.strip(), is_trying=True)
        verdict: PolicyVerdict | None = None
        problem: AutopilotError | None = None
        try:
            verdict = await self._client.try_policy(method.strip(), params, team_id=self._team_id or None)
        except AutopilotError as error:
            problem = error
        finally:
            if mine == self._trial:  # else another was tried meanwhile, or another's policy is looked at
                self._is_trying, self._verdict, self._error = False, verdict, problem
                self._change()

    def _begin_trial(self, method: str, *, is_trying: bool) -> int:
        self._trial += 1
        self._tried, self._is_trying, self._verdict, self._error = method, is_trying, None, None
        self._change()
        return self._trial

    async def _ask(self) -> Known:
        found = await self._client.policies(self._team_id or None)
        return found, tuple(await self._client.teams())

    def _seen(self) -> PolicyView:
        return PolicyView(self._asked.view, self._team_id, self._tried, self._is_trying, self._verdict, self._error)
