"""A new session: what it is to do, where, with what and how far it may go; and how its start goes, step by step.

What was typed is the store's, which outlives this screen: nothing is lost on leaving it, nor where something fails.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

import flet as ft

from autopilot.client.new_session_store import NewSessionStore, NewSessionView
from autopilot.client.presenters import machines as machine_words
from autopilot.client.presenters import new_session as words
from autopilot.client.presenters import visible
from autopilot.client.presenters.labels import Label
from autopilot.contract import Machine
from autopilot_ios.look import blocks, palette
from autopilot_ios.screen import Screen, update
from autopilot_ios.screens.hands import ActingCore
from autopilot_ios.screens.phones import NOT_OWNER, PhoneWays, if_theirs, is_theirs, trouble

REASON = "Start a session of Codex"


class NewSessionCore(ActingCore, Protocol):
    """With the one draft of the app."""

    @property
    def new_session(self) -> NewSessionStore:
        """It outlives the screen."""
        ...


class NewSessionScreen(Screen):
    """The form, and below it how its start goes."""

    title, route = "New session", "/new"

    def __init__(
        self,
        core: NewSessionCore,
        hands: PhoneWays,
        on_worker: Callable[[str], None],
        *,
        machine_id: str | None = None,
    ) -> None:
        """`on_worker`: with the id of the worker that it became; `machine_id`: where it is to be."""
        self._core = core
        self._hands = hands
        self._on_worker = on_worker
        self._store = store = core.new_session
        if machine_id is not None:
            store.choose(machine_id)
        draft = store.view.draft
        self._prompt = blocks.field(
            words.PROMPT, key="prompt", value=draft.prompt, lines=4, most_lines=12, on_change=self._typed
        )
        self._folder = blocks.field(
            words.FOLDER_EXAMPLE, key="folder", value=draft.folder, code=True, on_change=self._typed
        )
        self._not_shared, self._machine, self._model = ft.Container(), ft.Container(), ft.Container()
        self._recent, self._reach = ft.Container(), ft.Container()
        self._foot = ft.Container(padding=ft.Padding(16, 10, 16, 12), bgcolor=palette.BACKGROUND)
        self._body = ft.Container(expand=True)
        self._form = ft.ListView(
            [
                blocks.column(  # in one, for in a list what comes to be seen takes the place of what is below it
                    [
                        blocks.labelled(self._prompt, words.PROMPT),
                        self._not_shared,
                        blocks.section("Where", [self._machine, self._folder_row(), self._model]),
                        self._reach,
                    ],
                    gap=14,
                )
            ],
            expand=True,
            padding=16,
        )
        self._is_unknown = False

    def build(self) -> ft.Control:
        """See Screen."""
        self._draw(self._store.view)
        return self._body

    def foot(self) -> ft.Control:
        """See Screen."""
        return self._foot

    async def run(self) -> None:
        """See Screen."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._store.run())
            async for view in self._store.changes():
                if view.opened is not None:
                    await self._opened(view.opened)
                    continue
                self._draw(view)
                update(self._body)
                update(self._foot)

    async def refresh(self) -> None:
        """See Screen."""
        self._core.overview.poke(reopen=True)

    async def _opened(self, worker_id: str) -> None:
        self._store.leave()
        self._prompt.value = ""
        await self._hands.succeeded()
        self._on_worker(worker_id)

    def _typed(self) -> None:
        self._store.edit(prompt=self._prompt.value, folder=self._folder.value)

    # The form.

    def _draw(self, view: NewSessionView) -> None:
        if not view.machines:
            self._body.content = self._nothing(view)
            self._foot.visible = False
            return
        self._foot.visible = True
        if self._folder.value != view.draft.folder:
            self._folder.value = view.draft.folder
        self._draw_settings(view)
        self._body.content = self._form
        self._foot.content = blocks.column(self._state(view), gap=10)

    def _nothing(self, view: NewSessionView) -> ft.Control:
        if view.machines is None:
            if view.missing is not None:
                return blocks.missing(view.missing, self.refresh)
            return blocks.loading("Looking for your machines…")
        detail = "Install Autopilot beside Codex on a computer and pair it; it is offered here at once."
        return blocks.empty(ft.CupertinoIcons.DESKTOPCOMPUTER, words.NO_MACHINE, detail)

    def _folder_row(self) -> ft.Control:
        """Made once: a field that changes its place is another one to Flutter, which forgets what is being typed."""
        folder = ft.Container(
            blocks.column([blocks.footnote(words.FOLDER), blocks.labelled(self._folder, words.FOLDER)], gap=4),
            padding=ft.Padding(16, 8, 12, 10),
        )
        return blocks.column([folder, self._recent], gap=0)

    def _draw_settings(self, view: NewSessionView) -> None:
        draft, machine, now = view.draft, view.machine, self._core.client.clock.now()
        self._not_shared.visible = machine is None
        self._not_shared.content = blocks.notice(Label(words.NOT_SHARED, "warn"), key="not-shared")
        self._machine.content = self._setting(
            "Machine",
            machine_words.name_of(machine) if machine else "Choose one",
            "machine",
            subtitle=machine_words.presence(machine, now).text if machine else None,
            on_click=self._choose_machine,
        )
        recent = [one for one in view.folders if one != draft.folder]
        self._recent.visible = bool(recent)
        folders = self._setting("Recent folders", str(len(recent)), "folders", on_click=self._choose_folder)
        self._recent.content = blocks.column([blocks.divider(), folders], gap=0)
        self._model.content = self._model_row(view)
        self._reach.content = blocks.column(
            [
                self._ways(words.HOW_FAR, "sandbox", view.ways.sandboxes, draft.sandbox),
                self._ways(words.WHEN_ASKED, "approvals", view.ways.approvals, draft.approvals),
            ],
            gap=16,
        )

    def _model_row(self, view: NewSessionView) -> ft.Control:
        models, chosen = view.models, view.draft.model
        if models is None:
            name = machine_words.name_of(view.machine) if view.machine else ""
            return self._setting(words.MODEL, words.MODEL_OF_MACHINE, "model", subtitle=words.asking(name))
        if isinstance(models, str):
            said = words.models_unknown(models)
            return self._setting(words.MODEL, words.MODEL_OF_MACHINE, "model", subtitle=said)
        label = next((one.label for one in models if one.name == chosen), words.MODEL_OF_MACHINE)
        return self._setting(words.MODEL, label, "model", on_click=self._choose_model)

    def _setting(
        self,
        title: str,
        value: str,
        key: str,
        *,
        subtitle: str | None = None,
        on_click: blocks.Click | None = None,
    ) -> ft.Control:
        shown = ft.Container(blocks.words(value, color=palette.MUTED, lines=1), expand=True)
        shown.alignment = ft.Alignment.CENTER_RIGHT
        head = ft.Row([blocks.words(title, size=16), shown], spacing=12)
        return blocks.row(head, key=key, subtitle=subtitle, on_click=on_click, name=f"{title}, {value}")

    def _ways(self, title: str, name: str, ways: Sequence[words.Way], chosen: str) -> ft.Control:
        return blocks.section(title, [self._way(name, way, is_chosen=way.value == chosen) for way in ways])

    def _way(self, name: str, way: words.Way, *, is_chosen: bool) -> ft.Control:
        def choose() -> None:
            self._store.edit(**{name: way.value})

        color = palette.MUTED if way.forbidden else palette.TEXT
        lines: list[ft.Control] = [blocks.words(way.label, size=16, color=color), blocks.footnote(way.about)]
        if way.forbidden:
            lines.append(blocks.footnote(way.forbidden, color=palette.RED))
        mark = blocks.mark(is_chosen=is_chosen, is_closed=bool(way.forbidden))
        inside = ft.Row([ft.Column(lines, spacing=2, tight=True, expand=True), mark], spacing=12)
        place = ft.Container(
            inside,
            key=f"{name}-{way.value}",
            padding=ft.Padding(16, 11, 14, 11),
            on_click=None if way.forbidden else choose,
            ink=not way.forbidden,
        )
        return ft.Semantics(content=place, checked=is_chosen, container=True)

    # Choosing.

    def _choose_machine(self) -> None:
        now = self._core.client.clock.now()

        def row(machine: Machine) -> ft.Control:
            def choose() -> None:
                self.stage.dismiss()
                self._store.choose(machine.machine_id)

            about = f"{machine_words.presence(machine, now).text} · {machine_words.whose(machine, self._core.names)}"
            name = machine_words.name_of(machine)
            key = f"machine-{machine.machine_id}"
            return blocks.row(name, key=key, subtitle=about, on_click=choose, leads=False)

        self._sheet("Machine", [row(machine) for machine in self._store.view.machines or ()])

    def _choose_folder(self) -> None:
        def row(folder: str) -> ft.Control:
            def choose() -> None:
                self.stage.dismiss()
                self._store.edit(folder=folder)

            name = ft.Text(visible.code(folder), style=palette.mono(14, palette.TEXT))
            return blocks.row(name, key=visible.code(f"folder-{folder}"), on_click=choose, name=folder, leads=False)

        self._sheet("Recent folders", [row(folder) for folder in self._store.view.folders])

    def _choose_model(self) -> None:
        found = self._store.view.models
        models = () if found is None or isinstance(found, str) else found
        options = [("", words.MODEL_OF_MACHINE)]
        options += [(one.name, f"{one.label} (default)" if one.is_default else one.label) for one in models]

        def row(name: str, label: str) -> ft.Control:
            def choose() -> None:
                self.stage.dismiss()
                self._store.edit(model=name)

            return blocks.row(label, key=visible.code(f"model-{name or 'default'}"), on_click=choose, leads=False)

        self._sheet(words.MODEL, [row(name, label) for name, label in options])

    def _sheet(self, title: str, rows: list[ft.Control]) -> None:
        self.stage.sheet(title, ft.ListView([blocks.section("", rows)], padding=16, expand=True))

    # Starting.

    def _state(self, view: NewSessionView) -> list[ft.Control]:
        parts: list[ft.Control] = []
        progress = view.progress
        if progress is not None:
            detail = [words.WAITS] if progress.waits else []
            detail += [f"Request {progress.request_id}"] if progress.request_id else []
            parts.append(blocks.notice(progress.label, key="progress", detail="\n".join(detail) or None))
        elif view.verdict is not None and view.error is None:
            parts.append(blocks.footnote(view.verdict.text, color=palette.TONES[view.verdict.tone]))
        if view.error is not None:
            parts.append(trouble(view.error, key="not-started"))
        elif self._is_unknown:
            parts.append(blocks.notice(NOT_OWNER, key="not-owner"))
        return [*parts, *self._buttons(view)]

    def _buttons(self, view: NewSessionView) -> list[ft.Control]:
        progress = view.progress
        if view.is_asking:
            wait = ft.Row([ft.CupertinoActivityIndicator(radius=12)], alignment=ft.MainAxisAlignment.CENTER)
            return [ft.Semantics(content=wait, label="Asking the machine", live_region=True)]
        if progress is not None and progress.is_under_way:
            return [blocks.button("Take it back", key="take-back", on_click=self._take_back)]
        if progress is not None and progress.worker_id is not None:
            return [blocks.button("Open the session", key="open", kind="primary", on_click=self._open)]
        return [
            blocks.button(
                "Start",
                key="start",
                kind="primary",
                icon=ft.CupertinoIcons.PAPERPLANE_FILL,
                on_click=self._start,
                disabled=not view.may_start,
            )
        ]

    async def _take_back(self) -> None:
        if await if_theirs(self._core, self._hands, REASON, self.stage.say):
            await self._store.take_back()

    async def _start(self) -> None:
        self._is_unknown = not await is_theirs(self._core, self._hands, REASON)
        if self._is_unknown:
            self._draw(self._store.view)
            update(self._foot)
            return
        await self._store.start()
        if self._store.view.error is not None:
            await self._hands.failed()

    def _open(self) -> None:
        progress = self._store.view.progress
        if progress is not None and progress.worker_id is not None:
            self._store.leave()
            self._on_worker(progress.worker_id)
