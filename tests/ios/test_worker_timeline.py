"""The timeline on a phone: every kind of item, hostile ones too, over Flet's own protocol; and where one is in it."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import flet as ft
import pytest
from tests.ios.phone import Phone, phone, walk
from tests.web import hostile
from tests.web.timelines import NAMES, story

from autopilot.client.timeline_form import KINDS
from autopilot.client.timeline_items import AgentMessage, CommandExecution, Item
from autopilot.client.timeline_pages import Window
from autopilot.client.timeline_records import Handshake
from autopilot.client.timeline_window import AT_FIRST, MOST
from autopilot.contract import Actor
from autopilot_ios.timeline import Look, draw, scroll
from autopilot_ios.timeline.scroll import TimelineScroll

LONGEST = 20_000
"""Of one text: more than a phone shows of any, so that all of them are cut."""
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


class Led:
    """Remembers where touches led."""

    def __init__(self) -> None:
        self.to: list[tuple[str, Any]] = []

    def __getattr__(self, name: str) -> Any:
        return lambda to: self.to.append((name, to))


@dataclass
class Held:
    """A phone with a timeline on it."""

    phone: Phone
    scroll: TimelineScroll
    ways: Led
    pages: list[Window | None] = field(default_factory=list)
    asked: list[int] = field(default_factory=list)
    now: datetime = NOW

    async def scrolls(self, pixels: float, extent: float = 5000) -> None:
        """A finger did."""
        data = {"event_type": "update", "pixels": pixels, "min_scroll_extent": 0, "max_scroll_extent": extent}
        await self.phone.fire(self.phone.find("timeline"), "scroll", data | {"viewport_dimension": 700})

    def shown(self) -> list[int]:
        """Which of the messages are drawn."""
        texts = (one.value for one in self.phone.controls() if isinstance(one, ft.Markdown))
        return [int(text.removeprefix("#")) for text in texts]


def held(items: Sequence[Item] = (), *, is_whole: bool = True) -> Held:
    made: Held

    async def older(seq: int) -> Window | None:
        made.asked.append(seq)
        return made.pages.pop(0)

    ways, on = Led(), phone()
    scroll = TimelineScroll(Look(ways, NAMES), older, now=lambda: made.now)
    made = Held(on, scroll, ways)
    on.page.views[:] = [ft.View(route="/", controls=[scroll.control])]
    on.page.update()
    if items:
        scroll.take(items, is_whole=is_whole)
    return made


def said(first: int, last: int) -> tuple[Item, ...]:
    return tuple(AgentMessage(key=f"m{n}", seq=n, last_seq=n, at="", text=f"#{n}") for n in range(first, last + 1))


# Every kind.


async def test_every_kind_of_item_is_drawn_and_says_what_it_is():
    items = story()
    assert {type(item) for item in items} == set(KINDS.values())
    on = held(items).phone
    labels = [one.label for one in on.controls() if isinstance(one, ft.Semantics) and one.container]
    assert len(labels) == len(items)
    assert all(labels)
    for words in ("the test **sleeps for 50 ms**", "1 failed", "clock.monotonic()", "Searched the web for", "Declined"):
        assert on.shows(words) or any(
            words in (span.text or "") for span in walk(on.page.views[-1]) if hasattr(span, "text")
        )


async def test_folds_open_with_what_is_in_them_and_close_again():
    on = held(story())
    touched = [one.key for one in on.phone.controls() if isinstance(one, ft.Container) and one.key and one.on_click]
    folds = [key for key in touched if "-copy-" not in str(key)]
    assert len(folds) > 8
    for key in folds:
        before = sum(1 for _ in on.phone.controls())
        await on.phone.tap(key)
        assert sum(1 for _ in on.phone.controls()) != before
        await on.phone.tap(key)


async def test_a_fold_stays_open_while_its_item_changes():
    lines = "".join(f"line {n}\n" for n in range(60))
    item = CommandExecution(key="c", seq=1, last_seq=1, at="", command="make", output=lines, status="open")
    on = held([item])
    await on.phone.tap("i1-output-more")
    assert on.phone.shows("line 30")
    changed = CommandExecution(key="c", seq=1, last_seq=2, at="", command="make", output=lines + "more\n", exit_code=0)
    on.scroll.take([changed], is_whole=True)
    assert on.phone.shows("line 30")
    assert on.phone.shows("exit 0")


@pytest.mark.parametrize("part", range(4))
async def test_nothing_hostile_breaks_the_way_to_the_phone_or_loads_anything(part: int):
    on = phone()
    column = ft.Column()
    on.page.views[:] = [ft.View(route="/", controls=[column])]
    on.page.update()
    for text in hostile.strings()[part::4]:
        column.controls = [draw(item, Look(Led())) for item in hostile.items(text[:LONGEST])]
        column.update()
        assert on.wire.sent[-1] < 4_000_000
        for one in walk(column):
            assert not isinstance(one, ft.Markdown) or "![" not in one.value
            assert not isinstance(one, ft.Image) or ":" not in str(one.src)
            assert getattr(one, "url", None) is None


async def test_an_answer_a_link_and_a_copy_lead_where_they_should():
    on = held(story())
    keys = {one.key for one in on.phone.controls() if isinstance(one.key, str)}
    await on.phone.tap(next(key for key in keys if key.endswith("-answer")))
    await on.phone.tap(next(key for key in keys if key.endswith("-page")))
    markdown = next(one for one in on.phone.controls() if isinstance(one, ft.Markdown))
    await on.phone.fire(markdown, "tap_link", "javascript:alert(1)")
    assert ("answer", "ap_2") in on.ways.to
    assert ("open_link", "https://docs.example.org/3/") in on.ways.to
    assert on.ways.to[-1] == ("open_link", "javascript:alert(1)")


async def test_a_handshake_that_nobody_answered_says_so_when_its_time_is_over():
    at = NOW.isoformat()
    on = held([Handshake(key="h", seq=1, last_seq=1, at=at, handshake_id="h", actor=Actor(surface="ios"))])
    assert on.phone.shows("Waiting for the companion")
    on.now = NOW + timedelta(seconds=31)
    on.scroll.pass_time()
    assert on.phone.shows("Nobody answered")


# Where one is.


async def test_what_comes_is_added_below_and_one_event_is_one_small_message():
    on = held(said(1, 250))
    before = len(on.phone.wire.sent)
    on.scroll.take(said(1, 251), is_whole=True)
    assert on.shown()[-1] == 251
    sent = on.phone.wire.sent[before:]
    assert len(sent) == 1
    assert sent[0] < 3000


async def test_an_item_that_changes_sends_nothing_of_its_neighbours():
    items = said(1, 250)
    on = held(items)
    before = len(on.phone.wire.sent)
    other = AgentMessage(key="m240", seq=240, last_seq=251, at="", text="#9999")
    on.scroll.take((*items[:239], other, *items[240:]), is_whole=True)
    assert 9999 in on.shown()
    assert len(on.phone.wire.sent) == before + 1
    assert on.phone.wire.sent[-1] < 2500


async def test_no_more_than_a_window_is_ever_drawn():
    on = held(said(1, 100))
    for last in range(100, 900, 47):
        on.scroll.take(said(max(1, last - 600), last), is_whole=False)
        assert len(on.shown()) <= MOST
    assert on.shown()[-1] == 899


def test_what_is_drawn_no_more_is_gone_without_a_look_for_garbage():
    gc.disable()
    try:
        drawn = [draw(item, Look(Led(), NAMES), NOW) for item in story()]
        controls = [weakref.ref(one) for item in drawn for one in walk(item)]
        drawn.clear()
        assert len(controls) > 500
        assert [type(one).__name__ for ref in controls if (one := ref()) is not None] == []
    finally:
        gc.enable()


async def test_whoever_reads_further_up_is_told_of_news_and_led_to_them():
    on = held(said(1, 100))
    await on.scrolls(2000)
    assert not on.phone.has("newer")
    on.scroll.take(said(1, 105), is_whole=True)
    assert on.phone.shows("New events")
    await on.phone.tap("newer")
    assert not on.phone.has("newer")
    assert on.shown()[-1] == 105
    assert ("scroll_to", -1) in [(name, said.get("offset")) for name, said in on.phone.wire.asked]


async def test_who_looks_at_the_end_goes_on_doing_so_when_there_is_less_room():
    on = held(said(1, 100))
    await on.scroll.stay()
    assert [name for name, _said in on.phone.wire.asked] == ["scroll_to"]
    await on.scrolls(2000)
    await on.scroll.stay()
    assert len(on.phone.wire.asked) == 1


async def test_scrolling_down_to_the_end_is_enough_to_follow_again():
    on = held(said(1, 100))
    await on.scrolls(2000)
    on.scroll.take(said(1, 105), is_whole=True)
    await on.scrolls(4990)
    assert not on.phone.has("newer")
    assert on.scroll.is_watched


async def test_scrolling_to_the_top_brings_older_ones_of_the_timeline_and_then_of_the_log():
    on = held(said(300, 550), is_whole=False)
    assert on.shown()[0] == 551 - AT_FIRST
    on.pages += [Window(said(250, 299), 250), Window(said(1, 249)[-80:], None)]
    await on.scrolls(0)
    assert on.asked == []
    while not on.asked:
        await on.scrolls(0)
    assert on.asked == [300]
    assert on.shown()[0] == 250
    await on.phone.tap("older")
    assert on.asked == [300, 250]
    assert not on.phone.has("older")
    assert on.shown() == sorted(on.shown())
    assert len(on.shown()) <= MOST


async def test_older_ones_that_can_not_be_had_can_be_asked_for_again():
    on = held(said(300, 350), is_whole=False)
    on.pages += [None, Window(said(290, 299), None)]
    await on.phone.tap("older")
    assert on.shown()[0] == 300
    await on.phone.tap("older")
    assert on.shown()[0] == 290


async def test_older_ones_that_come_when_the_timeline_has_begun_anew_are_not_put_above_it():
    on = held(said(300, 350), is_whole=False)
    asked: list[int] = []

    async def older(seq: int) -> Window:
        asked.append(seq)
        if seq == 300:
            on.scroll.take(said(900, 950), is_whole=False)
            await on.scroll.go_to_the_end()
        return Window(said(seq - 10, seq - 1), seq - 10)

    on.scroll._older = older
    await on.phone.tap("older")
    assert on.shown() == list(range(900, 951))
    await on.phone.tap("older")
    assert asked == [300, 900]
    assert on.shown() == list(range(890, 951))


async def test_whoever_reads_a_timeline_that_begins_anew_reads_on_from_the_log():
    on = held(said(1, 550))
    await on.scrolls(100)
    first = on.shown()[0]
    on.scroll.take(said(900, 950), is_whole=False)
    assert on.shown()[0] == first
    assert on.phone.has("newer")
    on.pages += [Window(said(first - 80, first - 1), first - 80)]
    await on.scrolls(0)
    assert on.asked == [first]
    assert on.shown()[0] == first - 80
    await on.phone.tap("newer")
    assert on.shown() == list(range(900, 951))
    on.pages += [Window(said(890, 899), 890)]
    await on.scrolls(0)
    assert on.asked == [first, 900]


async def test_who_goes_back_while_older_ones_come_in_ends_nothing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(scroll, "MOVED_SECONDS", 0.05)
    on = held(said(300, 350), is_whole=False)
    left = list(on.phone.page.views)  # gone from the screen, and from memory not yet: nobody answers for it

    async def leaves(_seq: int) -> Window:
        on.phone.page.views[:] = [ft.View(route="/", controls=[])]
        on.phone.page.update()
        return Window(said(290, 299), None)

    on.scroll._older = leaves
    await on.phone.tap("older")
    assert left
    assert [name for name, _ in on.phone.wire.asked] == ["scroll_to"]  # in vain


async def test_a_log_that_is_whole_has_nothing_older():
    on = held(said(1, 30))
    assert not on.phone.has("older")
    await on.scrolls(0)
    assert on.asked == []
