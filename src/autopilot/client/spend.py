"""The calls about spend: what one's workers and teams used, and may use (docs/protocol.md, "Spend")."""

from __future__ import annotations

from datetime import date

from autopilot.client.calls import Calls, many, one, path_of
from autopilot.contract import BudgetStanding, SpendReport


class SpendCalls(Calls):
    """What one may ask about spend."""

    async def spend(
        self, *, by: str | None = None, first_day: date | None = None, last_day: date | None = None
    ) -> SpendReport:
        """Tokens, and what they cost, by `day` (unless told), `worker`, `thread`, `model`, `machine`, `user` or `team`.

        Or by `day_model`: the models of each day. Of one's own workers, and what was used for one's teams.

        Days are UTC, both included: without any, the 30 up to today; without the first, the 30 up to the last.

        Raises:
            Unprocessable: the first after the last, more than 366 days, or an unknown `by`.
        """
        query = {
            "from": None if first_day is None else first_day.isoformat(),
            "to": None if last_day is None else last_day.isoformat(),
            "by": by,
        }
        return one(SpendReport, await self._http.call("spend.get", "GET", path_of("spend"), query=query))

    async def budgets(self) -> list[BudgetStanding]:
        """Those that bind one's own workers and teams, and what is left; where many have the amount, who used most."""
        return many(BudgetStanding, await self._http.call("budgets.list", "GET", path_of("budgets")))
