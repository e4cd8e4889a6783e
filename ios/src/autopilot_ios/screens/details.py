"""All that is known of a worker: ids to copy, health, lease, spend, artifacts, and its events as the API says them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import flet as ft

from autopilot.client.app_core import AppCore
from autopilot.client.presenters import details, times, visible
from autopilot.client.presenters.details import Fact, Layer
from autopilot.client.presenters.labels import Label
from autopilot.contract import Artifact, Envelope, WorkerSnapshot
from autopilot.contract.errors import AutopilotError
from autopilot_ios.look import blocks, palette
from autopilot_ios.screen import Screen, update
from autopilot_ios.screens.phones import PhoneWays, trouble
from autopilot_ios.screens.whole import ArtifactScreen

PAGE_EVENTS, ARTIFACTS = 25, 30


class DetailsScreen(Screen):
    """One worker's."""

    title = "Details"

    def __init__(self, core: AppCore, worker_id: str, phone: PhoneWays) -> None:
        self.route = f"/workers/{worker_id}/details"
        self._core = core
        self._worker_id = worker_id
        self._phone = phone
        self._seen: WorkerSnapshot | None = None
        self._before: int | None = None
        self._facts = ft.Container()
        self._artifacts = ft.Container()
        self._events = ft.Column(spacing=8, tight=True, horizontal_alignment=ft.CrossAxisAlignment.STRETCH)
        self._more = ft.Container()

    def build(self) -> ft.Control:
        """See Screen."""
        self._seen = None
        self._facts.content = blocks.loading("Loading what is known…")
        parts = [self._facts, self._artifacts, blocks.footnote("Events"), self._events, self._more]
        return ft.ListView([blocks.column(parts, gap=16)], padding=16, expand=True)

    async def run(self) -> None:
        """See Screen."""
        detail = await self._core.open(self._worker_id)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._load())
            async for _view in self._core.changes():
                if detail.refused is not None:
                    raise detail.refused
                worker = detail.store.view.worker
                if worker is not None and worker != self._seen:
                    self._seen = worker
                    self._draw(worker)

    async def refresh(self) -> None:
        """See Screen."""
        self._events.controls.clear()
        self._before = None
        await self._load()

    # What is known.

    def _draw(self, worker: WorkerSnapshot) -> None:
        names = self._core.names
        spend = details.spend(worker)
        health = blocks.section("Health", [self._layer(layer, n) for n, layer in enumerate(details.health(worker))])
        sections = [
            self._section("About", details.about(worker, names)),
            health,
            self._section("Names", details.identity(worker)),
            self._section("Lease", details.lease(worker, names)),
            *([self._section("Spend", spend)] if spend else []),
        ]
        self._facts.content = blocks.column(sections, gap=16)
        update(self._facts)

    def _section(self, title: str, facts: Sequence[Fact]) -> ft.Control:
        return blocks.section(title, [self._fact(fact, f"{title.lower()}-{n}") for n, fact in enumerate(facts)])

    def _fact(self, fact: Fact, key: str) -> ft.Control:
        name = blocks.footnote(fact.name)
        if fact.kind == "id":
            value = ft.Text(visible.line(fact.value), style=palette.mono(13, palette.TEXT))
        else:
            value = blocks.words(self._words(fact), size=15)
        text = ft.Column([name, value], spacing=1, tight=True, expand=True)
        copy = (
            [
                blocks.icon_button(
                    ft.CupertinoIcons.DOC_ON_DOC,
                    f"Copy {fact.name}",
                    key=f"copy-{key}",
                    on_click=self._copy(fact.value),
                )
            ]
            if fact.kind == "id"
            else []
        )
        return ft.Container(ft.Row([text, *copy], spacing=8), padding=ft.Padding(16, 8, 8, 8), key=key)

    def _words(self, fact: Fact) -> str:
        if fact.kind == "moment":
            return f"{times.ago(fact.value, self._core.client.clock.now())} · {times.exact(fact.value)}"
        return f"{fact.value} ({fact.exact})" if fact.exact and fact.exact != fact.value else fact.value

    def _layer(self, layer: Layer, number: int) -> ft.Control:
        now = self._core.client.clock.now()
        notes = [f"{fact.name}: {self._words(fact)}" for fact in layer.details]
        as_of = f"as of {times.ago(layer.as_of, now)}" if layer.as_of else ""
        parts = [blocks.footnote(one) for one in (as_of, *notes) if one]
        head = ft.Row([ft.Container(blocks.words(layer.name, size=16), expand=True), blocks.pill(layer.state)])
        body = ft.Column([head, *parts], spacing=2, tight=True)
        return ft.Container(body, padding=ft.Padding(16, 10, 16, 10), key=f"health-{number}")

    # Artifacts and events.

    async def _load(self) -> None:
        await self._load_artifacts()
        await self.more()

    async def _load_artifacts(self) -> None:
        try:
            page = await self._core.client.artifacts(self._worker_id, limit=ARTIFACTS)
        except AutopilotError as error:
            self._artifacts.content = trouble(error, key="artifacts-trouble")
        else:
            rows = [self._artifact(one) for one in page.artifacts]
            self._artifacts.content = blocks.section("Artifacts", rows) if rows else None
        update(self._artifacts)

    def _artifact(self, one: Artifact) -> ft.Control:
        notes = details.artifact_notes(one)

        def show() -> None:
            self.stage.push(ArtifactScreen(self._core, self._worker_id, one.artifact_id, self._phone))

        return blocks.row(
            f"{times.size(one.bytes)} of event {one.seq}",
            key=f"artifact-{one.seq}-{one.artifact_id[:8]}",
            subtitle=" · ".join(part for part in (visible.line(one.path), notes) if part),
            on_click=show if one.state == "stored" else None,
        )

    async def more(self) -> None:
        """The events before those that are shown."""
        try:
            latest = self._before
            if latest is None:
                latest = (await self._core.client.worker(self._worker_id)).latest_seq + 1
            found = (
                await self._core.client.events(self._worker_id, before=latest, limit=PAGE_EVENTS) if latest > 1 else []
            )
        except AutopilotError as error:
            self._more.content = blocks.column(
                [
                    trouble(error, key="events-trouble"),
                    blocks.button("Try again", key="events-more", on_click=self.more),
                ]
            )
        else:
            self._events.controls += [self._event(event) for event in reversed(found)]
            self._before = found[0].seq if found else 1
            more = blocks.button("Older events", key="events-more", kind="quiet", on_click=self.more)
            self._more.content = more if self._before > 1 else blocks.footnote("That is all.")
            update(self._events)
        update(self._more)

    def _event(self, event: Envelope) -> ft.Control:
        now = self._core.client.clock.now()
        head: list[ft.Control] = [
            ft.Text(str(event.seq), style=palette.mono(12, palette.MUTED)),
            ft.Container(blocks.words(details.event_title(event), size=14, lines=1), expand=True),
            blocks.footnote(times.ago(event.occurredAt, now)),
        ]
        body = ft.Container(visible=False)
        text = details.event_text(event)

        def turn() -> None:
            body.visible = not body.visible
            if body.visible and body.content is None:
                body.content = self._raw(text, event.seq)
            update(whole)

        top = ft.Container(
            ft.Row(head, spacing=8), padding=ft.Padding(14, 12, 14, 12), on_click=turn, key=f"event-{event.seq}"
        )
        button = ft.Semantics(content=top, button=True, label=f"Event {event.seq}, {details.event_title(event)}")
        whole = blocks.card(
            ft.Column([button, body], spacing=0, tight=True, horizontal_alignment=ft.CrossAxisAlignment.STRETCH),
            padding=0,
        )
        return whole

    def _raw(self, text: str, seq: int) -> ft.Control:
        shown = visible.code(text[: details.SHOWN_CHARACTERS])
        more = len(text) - len(shown)
        copy = blocks.button("Copy this event", key=f"copy-event-{seq}", kind="quiet", on_click=self._copy(text))
        code = ft.Text(shown, style=palette.mono(12, palette.CODE_TEXT))
        note = [blocks.footnote(f"{more:,} characters more: copying takes all of it.")] if more > 0 else []
        held = ft.Container(ft.SelectionArea(code), padding=12, bgcolor=palette.CODE, border_radius=10)
        return ft.Container(blocks.column([held, *note, copy], gap=6), padding=ft.Padding(10, 0, 10, 10))

    def _copy(self, text: str) -> blocks.Click:
        async def copy() -> None:
            await self._phone.copy(text)
            self.stage.say(Label("Copied"))

        return copy
