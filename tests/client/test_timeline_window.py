"""The part of a timeline that is on a screen: at most so many items, in chunks, and nothing moves under who reads."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from autopilot.client.timeline_items import AgentMessage, Item
from autopilot.client.timeline_window import AT_FIRST, CHUNK, MOST, STEP, TimelineWindow


def said(first: int, last: int) -> tuple[Item, ...]:
    return tuple(AgentMessage(key=f"m{n}", seq=n, last_seq=n, at="", text=f"#{n}") for n in range(first, last + 1))


def numbers(window: TimelineWindow) -> list[int]:
    return [item.seq for item in window]


def test_it_begins_with_the_end_of_the_timeline_in_chunks():
    window = TimelineWindow()
    change = window.take(said(1, 500), is_watched=True)
    assert change.is_rearranged
    assert numbers(window) == list(range(501 - AT_FIRST, 501))
    assert {len(chunk.items) for chunk in window.chunks} == {CHUNK}


def test_what_is_new_changes_the_last_chunk_only():
    window = TimelineWindow()
    window.take(said(1, 30), is_watched=True)
    first, last = window.chunks
    change = window.take(said(1, 31), is_watched=True)
    assert change.chunks == [last]
    assert not change.is_rearranged
    assert window.chunks == [first, last]


def test_an_item_that_changed_is_told_by_its_key_wherever_it_stands():
    window, items = TimelineWindow(), said(1, 60)
    window.take(items, is_watched=True)
    other = replace(items[3], status="failed", last_seq=61)
    change = window.take((*items[:3], other, *items[4:]), is_watched=True)
    assert change.items == {"m4": other}
    assert not change.chunks
    assert list(window)[3] is other


def test_whoever_watches_the_end_never_holds_more_than_the_most():
    window = TimelineWindow()
    for last in range(1, 700):
        window.take(said(max(1, last - 400), last), is_watched=True)
        assert len(window) <= MOST
    assert numbers(window)[-1] == 699
    assert len(window) > MOST - CHUNK
    assert window.is_at_end


def test_nothing_is_taken_from_above_whoever_reads_and_news_are_told():
    window = TimelineWindow()
    window.take(said(1, 290), is_watched=True)
    first = window.first
    window.take(said(1, 400), is_watched=False)
    assert window.first is first
    assert len(window) == MOST
    assert window.has_news
    assert not window.is_at_end


def test_not_even_more_than_fits_moves_what_one_reads():
    window = TimelineWindow()
    window.take(said(1, 290), is_watched=True)
    first = window.first
    window.take(said(1, 900), is_watched=False)
    assert window.first is first


def test_going_to_the_end_shows_the_newest_and_there_are_no_news_any_more():
    window = TimelineWindow()
    window.take(said(1, 290), is_watched=True)
    window.take(said(1, 400), is_watched=False)
    window.to_end(said(1, 400))
    assert numbers(window)[-1] == 400
    assert window.is_at_end
    assert not window.has_news


def test_older_ones_come_in_above_and_the_newest_go():
    window = TimelineWindow()
    window.take(said(200, 500), is_watched=True)
    above = window.earlier(said(200, 500))
    assert [item.seq for item in above] == list(range(301 - STEP, 301))
    window.prepend(above)
    window.prepend(said(131, 250))
    assert numbers(window)[0] == 131
    assert len(window) <= MOST
    assert not window.is_at_end
    assert numbers(window) == list(range(131, 131 + len(window)))


def test_what_an_older_page_tells_of_an_item_that_is_shown_is_not_shown_twice():
    window = TimelineWindow()
    window.take(said(10, 40), is_watched=True)
    window.prepend((*said(8, 9), replace(said(10, 10)[0], seq=7)))
    assert [item.key for item in window] == [f"m{n}" for n in range(8, 41)]


def test_scrolling_back_down_brings_what_comes_after_until_the_end():
    window, items = TimelineWindow(), said(200, 500)
    window.take(items, is_watched=True)
    window.prepend(said(50, 300))
    assert not window.is_at_end
    while not window.is_at_end:
        window.append_later(items)
        assert len(window) <= MOST
    assert numbers(window) == list(range(numbers(window)[0], 501))


def test_a_timeline_that_begins_anew_is_shown_anew():
    window = TimelineWindow()
    window.take(said(1, 50), is_watched=True)
    change = window.take(said(900, 950), is_watched=True)
    assert change.is_rearranged
    assert numbers(window) == list(range(900, 951))


def test_a_timeline_that_was_emptied_is_empty():
    window = TimelineWindow()
    window.take(said(1, 50), is_watched=True)
    window.take((), is_watched=True)
    assert len(window) == 0
    assert window.first is None


@pytest.mark.seeds(20, 500)
def test_whatever_one_does_the_window_is_a_gapless_part_of_what_was_told(seed: int):
    rng, window, last, oldest, taken = random.Random(seed), TimelineWindow(), 0, 1, 0
    for _ in range(60):
        last += rng.choice((0, 1, 3, 40, 310))
        oldest = max(oldest, last - rng.choice((400, 900)))
        items = said(oldest, last)
        step = rng.randrange(4)
        if step == 0 and window.first is not None:
            window.prepend(said(max(1, window.first.seq - rng.randrange(1, 90)), window.first.seq - 1))
        elif step == 1 and len(window):
            window.append_later(items)
            taken = last
        else:
            window.take(items, is_watched=bool(step % 2))
            taken = last
        shown = numbers(window)
        assert shown == list(range(shown[0], shown[-1] + 1)) if shown else True
        assert len(shown) <= MOST
        assert all(0 < len(chunk.items) <= CHUNK for chunk in window.chunks)
        assert not window.is_at_end or not shown or shown[-1] == taken


def filled(last: int) -> tuple[TimelineWindow, tuple[Item, ...]]:
    """A window that grew to so many items, and one of them that became another."""
    window = TimelineWindow()
    for known in range(AT_FIRST, last + 1):
        window.take(said(1, known), is_watched=True)
    *held, newest = said(1, last)
    return window, (*held, replace(newest, status="failed", last_seq=last + 1))


def test_the_oldest_go_in_a_step_that_brings_nothing_new_where_there_is_one():
    window, changed = filled(MOST - CHUNK + 1)
    assert window.take(changed, is_watched=True).is_rearranged
    assert len(window) == MOST - 2 * CHUNK + 1
    assert numbers(window)[-1] == MOST - CHUNK + 1


def test_nothing_goes_from_above_whoever_reads_when_an_item_changes():
    window, changed = filled(MOST - CHUNK + 1)
    assert not window.take(changed, is_watched=False).is_rearranged
    assert len(window) == MOST - CHUNK + 1


def test_whoever_reads_further_up_is_not_moved_by_a_timeline_that_begins_anew():
    window = TimelineWindow()
    window.take(said(1, 60), is_watched=True)
    assert not window.take(said(900, 950), is_watched=False)
    assert numbers(window) == list(range(1, 61))
    assert window.has_news
    assert not window.is_at_end
    assert window.append_later(said(900, 950)).is_rearranged
    assert numbers(window) == list(range(900, 951))


@pytest.mark.parametrize("is_watched", [True, False])
def test_an_item_whose_end_alone_a_timeline_knows_hides_no_gap(is_watched: bool):  # noqa: FBT001 - pytest's
    window = TimelineWindow()
    window.take(said(1, 60), is_watched=True)
    end_of_it = replace(said(60, 60)[0], seq=900, last_seq=900, status="completed", text="")
    window.take((end_of_it, *said(901, 950)), is_watched=is_watched)
    assert numbers(window) == (list(range(900, 951)) if is_watched else list(range(1, 61)))
