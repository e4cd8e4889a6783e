"""What Codex used: totals, over time, by whom and by what, what may still be used, and what is left of its limits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import flet as ft

from autopilot.client import spend_store
from autopilot.client.app_core import AppCore
from autopilot.client.presenters import spend, spend_figures
from autopilot.client.presenters.spend_figures import Meter, Plot
from autopilot.client.spend_store import SpendStore, Spent
from autopilot.contract.errors import AutopilotError
from autopilot_ios.look import blocks, figures
from autopilot_ios.screens.looking import LookingScreen


class SpendScreen(LookingScreen):
    """One's own, and that of one's teams."""

    title, route, what = "Spend", "/spend", "Adding up…"

    def __init__(self, core: AppCore, on_open: Callable[[str], None], *, by: str = spend_store.DEFAULT_BY) -> None:
        """`on_open`: with the id of a worker that was touched; `by`: what is told apart first."""
        self._spend = SpendStore(core.client, by)
        super().__init__(core, self._spend)
        self._on_open = on_open

    async def refresh(self) -> None:
        """See Screen."""
        await self._spend.look()

    def error(self) -> AutopilotError | None:
        """See LookingScreen."""
        return self._spend.view.asked.error

    def as_of(self) -> datetime | None:
        """See LookingScreen."""
        return self._spend.view.asked.as_of

    def content(self) -> Sequence[ft.Control] | None:
        """See LookingScreen."""
        view = self._spend.view
        spent = view.asked.value
        if spent is None:
            return None
        periods = [(str(days), name) for days, name in spend_figures.PERIODS]
        return [
            figures.segments(periods, str(view.days), self._of_days, key="days"),
            figures.tiles(spend_figures.totals(spent.over_time)),
            self._over_time(spent),
            *self._models(spent),
            self._groups(spent, view.by),
            *self._budgets(spent),
            *self._limits(spent),
            blocks.section("Prices", [_about(spend_figures.prices(spent.report, spent.prices))]),
        ]

    def _of_days(self, days: str) -> None:
        self.begin(self._spend.look(days=int(days)))

    def _by(self, by: str) -> None:
        self.begin(self._spend.look(by=by))

    def _over_time(self, spent: Spent) -> ft.Control:
        shown = spend_figures.plot(spent.over_time)
        if shown is None:
            return blocks.section("Over time", [_about(spend_figures.NOTHING_USED)])
        return self._plot("Over time", shown, figures.TOKENS, key="plot", table="as-table", note=spend_figures.DAYS_OF)

    def _models(self, spent: Spent) -> list[ft.Control]:
        shown = spend_figures.models(spent.models)
        if shown is None:
            return []
        note = shown.left_out or None
        return [self._plot("Models over time", shown, figures.MODELS, key="models", table="models-as-table", note=note)]

    def _plot(
        self, title: str, shown: Plot, colors: Sequence[ft.ColorValue], *, key: str, table: str, note: str | None
    ) -> ft.Control:
        def numbers() -> None:
            sums = [figures.fact(name, words) for name, words in shown.sums]
            rows = [figures.fact(label, words) for label, words in shown.rows]
            told = [*([blocks.section("In all", sums)] if sums else []), blocks.section("", rows)]
            self.stage.sheet(shown.title, ft.ListView([blocks.column(told, gap=18)], padding=16, expand=True))

        drawn = ft.Container(figures.plot(shown, colors), key=key, padding=ft.Padding(16, 12, 16, 12))
        return blocks.section(title, [drawn, blocks.row("As a table", key=table, on_click=numbers)], note=note)

    def _groups(self, spent: Spent, by: str) -> ft.Control:
        names = spent.workers if spent.report.by == "worker" else self.core.names.machines
        shown = spend_figures.groups(spent.report.by, spent.report, names)
        rows: list[ft.Control] = [self._meter("group", at, one) for at, one in enumerate(shown)]
        left_out = spend_figures.left_out(spent.report)
        return blocks.column(
            [
                ft.Container(blocks.footnote("Where it went"), padding=ft.Padding(16, 6, 16, 0)),
                figures.segments(list(spend.WAYS.items()), by, self._by, key="by"),
                blocks.section("", rows or [_about(spend_figures.NOTHING_USED)], note=left_out or None),
            ],
            gap=8,
        )

    def _budgets(self, spent: Spent) -> list[ft.Control]:
        shown = spend_figures.budgets(spent.budgets, self.core.names)
        rows = [self._meter("budget", at, one) for at, one in enumerate(shown)]
        none = [_about(spend_figures.NO_BUDGET)]
        return [blocks.section("Budgets", rows or none, note=spend_figures.SET_BY_POLICY)]

    def _limits(self, spent: Spent) -> list[ft.Control]:
        shown = spend_figures.limits(spent.report, self.now)
        rows = [self._meter("limit", at, one) for at, one in enumerate(shown)]
        return [blocks.section("Codex's rate limits", rows, note=spend_figures.LIMITS_ABOUT)] if rows else []

    def _meter(self, kind: str, at: int, one: Meter) -> ft.Control:
        worker_id = one.worker_id
        way = None if worker_id is None else lambda: self._on_open(worker_id)
        return figures.meter(one, key=f"{kind}-{at}", on_click=way)


def _about(text: str) -> ft.Control:
    return blocks.padded(blocks.footnote(text))
