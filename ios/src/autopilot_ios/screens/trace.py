"""Every hop of one request, in the order of time: by its request id, as receipts and errors name it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import flet as ft

from autopilot.client.app_core import AppCore
from autopilot.client.asked import Asked
from autopilot.client.presenters import audit, people
from autopilot.client.presenters.audit import Step
from autopilot.client.presenters.times import exact
from autopilot.contract import Trace
from autopilot.contract.errors import AutopilotError, NotFound
from autopilot_ios.look import blocks
from autopilot_ios.screens.looking import LookingScreen

ABOUT = (
    "Only what the ledger holds is seen here. The logs of server and companion are on their machines: "
    "“autopilot trace ID” reads them there."
)
LOOKED_THROUGH = "Looked through: receipts, answers, the audit, and the newest events of the latest workers."


class TraceScreen(LookingScreen):
    """Of one request; which one may still be to be said."""

    title, what = "Trace", "Following it…"

    def __init__(self, core: AppCore, request_id: str, on_open: Callable[[str], None], *, under: str = "") -> None:
        """`on_open`: with the id of a worker that was touched; `under`: the route of the screen that led here."""
        self.route = f"{under}/trace/{request_id}"
        self._request_id = request_id
        self._on_open = on_open
        self._trace: Asked[Trace | None] = Asked(core.client.clock, self._ask)
        super().__init__(core, self._trace)
        self._name = blocks.field(
            "Request id", key="trace-id", value=request_id, code=True, on_submit=self._follow, autofocus=not request_id
        )

    def build(self) -> ft.Control:
        """See Screen."""
        self._name.expand = True
        go = blocks.button("Trace", key="trace-go", on_click=self._follow)
        head = ft.Row([blocks.labelled(self._name, "Request id"), go], spacing=8)
        head.controls[0].expand = True
        return ft.Column(
            [ft.Container(head, padding=ft.Padding(16, 8, 16, 4)), super().build()], spacing=0, expand=True
        )

    async def refresh(self) -> None:
        """See Screen."""
        await self._trace.look()

    def error(self) -> AutopilotError | None:
        """See LookingScreen."""
        error = self._trace.view.error
        return None if isinstance(error, NotFound) else error

    def content(self) -> Sequence[ft.Control] | None:
        """See LookingScreen."""
        if not self._request_id:
            detail = "Receipts, errors and the audit name it."
            return [blocks.empty(ft.CupertinoIcons.LINK, "Which request?", detail)]
        view = self._trace.view
        if isinstance(view.error, NotFound):
            return [blocks.empty(ft.CupertinoIcons.SEARCH, "Nothing that you may see has this name", LOOKED_THROUGH)]
        trace = view.value
        if trace is None:
            return None
        steps = audit.steps(trace)
        known = blocks.footnote(f"Known as {', '.join(trace.ids)}")
        more = [blocks.footnote("There is more than was looked through.")] if trace.cut_off else []
        rows = [self._hop(at, one) for at, one in enumerate(steps)]
        return [ft.Container(known, padding=ft.Padding(16, 0, 16, 0)), blocks.section("", rows, note=ABOUT), *more]

    async def _ask(self) -> Trace | None:
        return await self.core.client.trace(self._request_id) if self._request_id else None

    def _follow(self) -> None:
        self._request_id = (self._name.value or "").strip()
        self.begin(self._trace.look(self._ask))

    def _hop(self, at: int, step: Step) -> ft.Control:
        hop, names = step.hop, self.core.names
        who = people.who(hop.actor, names)
        machine = names.machines.get(hop.machine_id or "") or hop.machine_id
        said = [who.words if who else None, machine if not who or machine != who.name else None, hop.detail]
        about = " · ".join(part for part in said if part)
        where = " · ".join(part for part in (exact(hop.at), f"event {hop.seq}" if hop.seq else "") if part)
        head = ft.Row(
            [ft.Container(blocks.words(step.words, size=16), expand=True), blocks.footnote(step.after)], spacing=8
        )
        body = blocks.column(
            [
                head,
                *([blocks.footnote(about)] if about else []),
                blocks.footnote(f"{step.source} · {where}"),
            ],
            gap=3,
        )
        worker_id = hop.worker_id
        way = None if worker_id is None else lambda: self._on_open(worker_id)
        return blocks.tappable(body, key=f"hop-{at}", on_click=way)
