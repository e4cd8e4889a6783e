"""What was used, on a screen: of which days, looked at by what; reports, budgets, prices and names, asked for together.

Owns what is looked at; days are those of UTC, as the server counts them. Relies on presenters/spend.py for words.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from autopilot.client.asked import Asked, AskedView
from autopilot.client.client import RuntimeCodexClient
from autopilot.client.groups import first_error
from autopilot.client.observable import Observable
from autopilot.contract import BudgetStanding, PriceTable, SpendReport

DEFAULT_DAYS = 30
DEFAULT_BY = "model"
NAMED_WORKERS = 200


@dataclass(frozen=True, slots=True)
class Spent:
    """What the server said."""

    over_time: SpendReport
    models: SpendReport
    """By day and model."""
    report: SpendReport
    """By what is looked at."""
    budgets: tuple[BudgetStanding, ...]
    prices: PriceTable
    workers: Mapping[str, str] = field(default_factory=dict)
    """What workers are called, where they are looked at."""


@dataclass(frozen=True, slots=True)
class SpendView:
    """One moment of it."""

    days: int
    by: str
    asked: AskedView[Spent]


class SpendStore(Observable[SpendView]):
    """See the module."""

    def __init__(self, client: RuntimeCodexClient, by: str = DEFAULT_BY) -> None:
        super().__init__()
        self._client = client
        self._days, self._by = DEFAULT_DAYS, by
        self._asked: Asked[Spent] = Asked(client.clock, self._ask)
        self._asked.subscribe(lambda _view: self._change())

    async def look(self, *, days: int | None = None, by: str | None = None) -> None:
        """Ask now; for so many days up to today, and by this, from now on. What was said stays until it is answered."""
        self._days, self._by = days or self._days, by or self._by
        self._change()
        await self._asked.look()

    async def _ask(self) -> Spent:
        by = self._by
        last_day = self._client.clock.now().date()
        first_day = last_day - timedelta(days=self._days - 1)
        try:
            async with asyncio.TaskGroup() as group:
                over_time = group.create_task(self._client.spend(by="day", first_day=first_day, last_day=last_day))
                models = group.create_task(self._client.spend(by="day_model", first_day=first_day, last_day=last_day))
                report = group.create_task(self._client.spend(by=by, first_day=first_day, last_day=last_day))
                budgets = group.create_task(self._client.budgets())
                prices = group.create_task(self._client.prices())
                names = group.create_task(self._workers()) if by == "worker" else None
        except BaseExceptionGroup as errors:
            raise first_error(errors) from None
        spent = Spent(over_time.result(), models.result(), report.result(), tuple(budgets.result()), prices.result())
        return spent if names is None else replace(spent, workers=names.result())

    async def _workers(self) -> dict[str, str]:
        page = await self._client.list_workers(limit=NAMED_WORKERS)
        return {one.worker_id: one.title.value for one in page.workers if one.title}

    def _seen(self) -> SpendView:
        return SpendView(self._days, self._by, self._asked.view)
