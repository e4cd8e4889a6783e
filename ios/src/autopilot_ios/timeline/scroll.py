"""The list of a timeline: what of it is on the screen, drawn in chunks, and where one is in it.

Which items are held is decided by `client.timeline_window`. One changed item is one small message to the phone: each
item has a slot of its own, each chunk is a column of its own, and neither is looked through when its neighbours change.
At the end it follows what comes (the phone itself does, `auto_scroll`); further up nothing moves, and a pill tells of
news. Older items come in above when one scrolls there. Never asks for anything but older items, by what it was given.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import datetime
from typing import Any

import flet as ft

from autopilot.client.presenters.timeline import changes_by_itself
from autopilot.client.timeline_items import Item
from autopilot.client.timeline_pages import Window
from autopilot.client.timeline_window import Change, Chunk, TimelineWindow, is_same
from autopilot_ios.look import blocks, palette
from autopilot_ios.screen import is_mounted
from autopilot_ios.timeline import draw
from autopilot_ios.timeline.frame import Look

NEAR_POINTS = 80
"""So close to an end is at it."""
FAR_POINTS = 600
"""So close to the end of what is held the next comes in."""
TOP_POINTS = 40
"""So close to the top older ones come in."""
SCROLL_EVENTS_MS = 100
LAID_OUT_POINTS = 100_000
"""More than all that is held: its height is then known and not guessed, and what is not in sight is not painted."""
MOVED_SECONDS = 3.0
"""A move without an animation is answered at once, where anybody is there to answer."""
GAP = 12
Older = Callable[[int], Awaitable[Window | None]]
"""The items that began before a seq, and where older ones end; None: they can't be had now, which was said."""


@ft.control(isolated=True)
class ChunkColumn(ft.Column):
    """A chunk: not looked through when the list around it changes."""


@ft.control(isolated=True)
class Slot(ft.Container):
    """An item's place: what is in it is another one when the item is."""


class TimelineScroll:
    """The list as a control, kept true by `take`."""

    def __init__(self, look: Look, older: Older, *, now: Callable[[], datetime]) -> None:
        self._look = look
        self._older = older
        self._now = now
        self._window = TimelineWindow()
        self._items: Sequence[Item] = ()
        self._drawn: dict[str, tuple[Item, bool, Slot]] = {}
        self._columns: dict[int, ChunkColumn] = {}
        self._before: int | None = None
        """Where older items end that this timeline does not have; None: there are none."""
        self._is_whole = False
        self._is_watched = True
        self._is_loading = False
        self._top = ft.Container(visible=False, alignment=ft.Alignment.CENTER)
        self._pill = self._new_pill()
        self._list = ft.ListView(
            [self._top],
            expand=True,
            spacing=GAP,
            padding=ft.Padding(16, 12, 16, 12),
            auto_scroll=True,
            auto_scroll_animation=0,
            cache_extent=LAID_OUT_POINTS,
            scroll_interval=SCROLL_EVENTS_MS,
            on_scroll=self._scrolled,
            key="timeline",
        )
        area = ft.SelectionArea(self._list, expand=True)
        self.control = ft.Stack([area, self._pill], expand=True, fit=ft.StackFit.EXPAND)
        """What is put on a screen."""

    @property
    def is_watched(self) -> bool:
        """Whether its end is in sight."""
        return self._is_watched

    @property
    def held(self) -> int:
        """How many items are drawn."""
        return len(self._window)

    def take(self, items: Sequence[Item], *, is_whole: bool) -> None:
        """The timeline became this; `is_whole`: nothing came before its first item."""
        before = self._window.earlier(self._items)
        self._items, self._is_whole = items, is_whole
        self._draw(self._window.take(items, is_watched=self._is_watched), before)
        self._tell_news()

    def pass_time(self) -> None:
        """Draw anew what the time that has passed makes look different."""
        now = self._now()
        for item, phase, _slot in list(self._drawn.values()):
            if changes_by_itself(item, now) != phase:
                self._redraw(item)

    async def load_older(self) -> None:
        """Bring in what came before; it is asked for where this timeline does not go back so far."""
        if self._is_loading:
            return
        self._is_loading = True
        try:
            await self._prepend()
        finally:
            self._is_loading = False

    async def go_to_the_end(self) -> None:
        """Show the newest, and follow again."""
        self._is_watched = True
        self._draw(self._window.to_end(self._items) if not self._window.is_at_end else Change())
        self._window.seen()
        self._tell_news()
        await self._move(self._list.scroll_to(offset=-1, duration=0))

    async def stay(self) -> None:
        """There is less room, or more, than before: who looked at the end goes on looking at it."""
        if self._is_watched and self._window.last is not None and is_mounted(self._list):
            await self.go_to_the_end()

    # Inside: what is held.

    async def _move(self, there: Coroutine[Any, Any, None]) -> None:
        """Move the list, which does not follow its end meanwhile. Who has left since is not waited for."""
        self._list.auto_scroll = False
        _update(self._list)
        try:
            async with asyncio.timeout(MOVED_SECONDS):
                await there
        except TimeoutError:  # asked of a control that is gone, and not yet known to be: nobody ever answers
            pass
        except RuntimeError:  # known to be gone
            if is_mounted(self._list):
                raise
        self._list.auto_scroll = True
        _update(self._list)

    async def _prepend(self) -> None:
        older = self._window.earlier(self._items)
        if not older and self._before is not None:
            above, before = self._window.first, self._before
            page = await self._older(before)
            if page is None or (self._window.first, self._before) != (above, before):
                return  # what it would have stood above is there no more
            older, self._before = page.items, page.oldest
        first = self._window.chunks[0].number if self._window.chunks else 0
        change = self._window.prepend(older)
        self._draw(change)
        if change.is_rearranged:
            await self._move(self._list.scroll_to(scroll_key=f"chunk-{first}", duration=0))

    def _found_above(self, before: Sequence[Item]) -> None:
        """Where older ones end now; `before`: what the timeline had above, which it may have let go of."""
        first = self._window.first
        if first is None:
            return
        if any(is_same(item, first) for item in self._items):
            self._before = None if self._is_whole else self._items[0].seq
        elif before:
            self._before = first.seq  # they are in the log

    @property
    def _has_older(self) -> bool:
        return self._before is not None or bool(self._window.earlier(self._items))

    async def _scrolled(self, event: ft.OnScrollEvent) -> None:
        below = event.max_scroll_extent - event.pixels
        self._is_watched = below <= NEAR_POINTS and self._window.is_at_end
        if self._is_watched:
            self._window.seen()
            self._tell_news()
        elif below <= FAR_POINTS and not self._window.is_at_end:
            self._draw(self._window.append_later(self._items))
        if event.pixels <= TOP_POINTS and self._has_older:
            await self.load_older()

    # Inside: how it is drawn.

    def _draw(self, change: Change, before: Sequence[Item] = ()) -> None:
        self._found_above(before)
        for item in change.items.values():
            self._redraw(item)
        for chunk in change.chunks:
            self._columns[chunk.number].controls = [self._slot(item) for item in chunk.items]
            _update(self._columns[chunk.number])
        if change.is_rearranged:
            self._rearrange()

    def _rearrange(self) -> None:
        chunks = self._window.chunks
        kept = {chunk.number: self._columns.get(chunk.number) or self._column(chunk) for chunk in chunks}
        self._columns = kept
        held = {item.key for item in self._window}
        for key in [key for key in self._drawn if key not in held]:
            del self._drawn[key]
        self._top.visible = self._has_older
        if self._top.visible and self._top.content is None:
            self._top.content = blocks.button("Older", key="older", kind="quiet", on_click=self.load_older)
        self._list.controls = [self._top, *kept.values()]
        _update(self._list)

    def _column(self, chunk: Chunk) -> ChunkColumn:
        return ChunkColumn(
            [self._slot(item) for item in chunk.items],
            spacing=GAP,
            tight=True,
            horizontal_alignment=ft.CrossAxisAlignment.STRETCH,
            key=ft.ScrollKey(f"chunk-{chunk.number}"),  # pyrefly: ignore[bad-argument-count] - Flet's keys are dataclasses that it makes late
        )

    def _slot(self, item: Item) -> Slot:
        known = self._drawn.get(item.key)
        if known is not None and known[0] == item:
            return known[2]
        now = self._now()
        slot = known[2] if known is not None else Slot()
        slot.content = draw(item, self._look, now)
        self._drawn[item.key] = (item, changes_by_itself(item, now), slot)
        return slot

    def _redraw(self, item: Item) -> None:
        known = self._drawn.get(item.key)
        if known is None:
            return
        now = self._now()
        slot = known[2]
        slot.content = draw(item, self._look, now)
        self._drawn[item.key] = (item, changes_by_itself(item, now), slot)
        _update(slot)

    def _new_pill(self) -> ft.Control:
        button = ft.CupertinoButton(
            ft.Row(
                [
                    ft.Icon(ft.CupertinoIcons.ARROW_DOWN, size=15, color=palette.ON_TINT),
                    ft.Text("New events", size=14, weight=ft.FontWeight.W_600, color=palette.ON_TINT),
                ],
                spacing=6,
                tight=True,
            ),
            key="newer",
            bgcolor=palette.TINT,
            border_radius=22,
            padding=ft.Padding(16, 8, 16, 8),
            on_click=self.go_to_the_end,
        )
        held = ft.Row([button], alignment=ft.MainAxisAlignment.CENTER)
        return ft.Container(held, bottom=10, left=0, right=0, visible=False)

    def _tell_news(self) -> None:
        if self._pill.visible != self._window.has_news:
            self._pill.visible = self._window.has_news
            _update(self._pill)


def _update(control: ft.Control) -> None:
    if is_mounted(control):
        control.update()
