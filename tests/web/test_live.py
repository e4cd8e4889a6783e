"""The one stream of a tab: what changes comes by itself, once, and goes on where it was after a cut."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from tests.api.contract.world import Person, lease
from tests.web.browser import Browser, parsed
from tests.web.test_teams_page import joined, made

from autopilot.client.timeline_pages import HISTORY_EVENTS


async def say(person: Person, text: str, number: int) -> int:
    """Codex, finished with a message."""
    item = {"type": "agentMessage", "id": f"m{number}", "text": text}
    params = {"threadId": "t", "turnId": "turn", "item": item}
    return await person.append(person.worker_id, source="test", method="item/completed", params=params)


async def say_all(person: Person, numbers: range) -> None:
    """Many such messages, at once."""
    events = []
    for number in numbers:
        item = {"type": "agentMessage", "id": f"m{number}", "text": f"words {number}"}
        said = {"source": "test", "method": "item/completed", "params": {"turnId": "turn", "item": item}}
        events.append({"event_type": "worker.event", "event_id": f"many-{number}", "payload": said})
    answer = await person.post(f"/workers/{person.worker_id}/events", {"events": events})
    assert answer.status_code == 202, answer.text


async def until_seq(frames: AsyncIterator[tuple[str, Any]], seq: int) -> list[tuple[str, Any]]:
    """The frames up to that event's."""
    seen = []
    async for event, data in frames:
        seen.append((event, data))
        if event == "seq" and data["seq"] >= seq:
            return seen
    raise AssertionError(f"it ended before {seq}: {seen}")


def texts(seen: list[tuple[str, Any]]) -> list[str]:
    """What was put into the timeline."""
    return [parsed(data["html"]).text for event, data in seen if event == "put" and data.get("into") == "timeline"]


async def test_what_codex_says_comes_once_and_in_order(ada: Browser):
    assert ada.person is not None
    person = ada.person
    first = await say(person, "before the page", 0)
    page = await ada.get(f"/w/{person.worker_id}")
    box = page.one("div", id="timeline")
    assert box.attributes["data-seq"] == str(first)
    assert "before the page" in box.text
    async with ada.live(person.worker_id, first) as frames:
        for number in range(1, 6):
            last = await say(person, f"words {number}", number)
        seen = texts(await until_seq(frames, last))
    assert [number for number in range(1, 6) for text in seen if f"words {number}" in text] == [1, 2, 3, 4, 5]


async def test_after_a_cut_it_goes_on_where_it_was(ada: Browser):
    assert ada.person is not None
    person = ada.person
    await ada.get(f"/w/{person.worker_id}")
    seqs = [await say(person, f"words {number}", number) for number in range(4)]
    async with ada.live(person.worker_id, seqs[1]) as frames:
        seen = texts(await until_seq(frames, seqs[-1]))
    assert ["words 2" in seen[0], "words 3" in seen[1], len(seen)] == [True, True, 2]


async def test_a_browser_too_far_behind_loads_its_screen_anew(ada: Browser):
    assert ada.person is not None
    person = ada.person
    await ada.get(f"/w/{person.worker_id}")
    for number in range(140):
        await say(person, f"words {number}", number)
    await ada.get(f"/w/{person.worker_id}")  # folded by now, and what the first ones changed is forgotten
    async with ada.live(person.worker_id, 1) as frames:
        assert [event async for event, _ in frames if event == "reload"][:1] == ["reload"]


async def test_a_browser_that_slept_for_long_gets_its_screen_anew_and_not_all_that_happened(ada: Browser):
    assert ada.person is not None
    person = ada.person
    first = await say(person, "before it slept", 0)
    await ada.get(f"/w/{person.worker_id}")
    for start in range(1, HISTORY_EVENTS + 200, 500):
        await say_all(person, range(start, start + 500))
    async with ada.live(person.worker_id, first) as frames:
        seen = [event async for event, _ in frames if event in {"seq", "reload"}][:1]
    assert seen == ["reload"]
    page = await ada.get(f"/w/{person.worker_id}")
    async with ada.live(person.worker_id, int(page.one("div", id="timeline").attributes["data-seq"])) as frames:
        last = await say(person, "it is awake", 9000)
        assert any("it is awake" in text for text in texts(await until_seq(frames, last)))


async def test_two_tabs_see_the_same(ada: Browser):
    assert ada.person is not None
    person = ada.person
    start = await say(person, "begin", 0)
    async with ada.live(person.worker_id, start) as one, ada.live(person.worker_id, start) as two:
        last = await say(person, "for both", 1)
        assert texts(await until_seq(one, last)) == texts(await until_seq(two, last))


async def test_who_may_look_no_more_is_told_so_in_the_tab_that_is_open(ada: Browser, eve: Browser):
    assert ada.person is not None
    person, machine = ada.person, await ada.person.machine()
    await lease(machine, person.worker_id)
    team = await made(ada)
    await joined(ada, team, eve, "viewer")
    path = f"/machines/{machine.worker_id}/team"
    assert (await ada.post(path, {"team_id": team.rpartition("/")[2]})).status_code == 200
    seq = await say(person, "for all of the team", 0)
    async with eve.live(person.worker_id, seq) as frames:
        await until_seq(frames, await say(person, "more for all", 1))
        assert (await ada.post(path, {"team_id": ""})).status_code == 200
        over = [data async for event, data in frames if event == "over"]
    assert [data["why"] for data in over] == ["forbidden"]


async def test_the_list_moves_when_something_happens(ada: Browser):
    assert ada.person is not None
    async with ada.live() as frames:
        async for event, data in frames:
            if event == "inbox":
                assert data == {"pending": 0}
                break
        other = await ada.person.open_worker()
        async for event, data in frames:
            if event == "put" and data["id"] == f"row-{other}":
                assert (data["into"], data["desc"]) == ("rows", True)
                break


async def test_a_stream_that_is_refused_says_why_and_under_which_name_the_logs_have_it(ada: Browser, eve: Browser):
    assert ada.person is not None
    async with eve.live(ada.person.worker_id) as frames:
        told = await anext(data async for event, data in frames if event == "over")
    assert (told["why"], told["message"]) == ("forbidden", "This is not shared with you.")
    assert told["request_id"]


async def another_device(person: Person, name: str) -> Person:
    """The same user, just signed in with another one."""
    api = person.world.api
    code = await api.code_for(person.email)
    said = {"email": person.email, "code": code, "device_name": name}
    signed = (await api.client.post("/api/auth/verify", json=said)).json()
    return replace(person, token=signed["token"])


async def greet(person: Person, number: int) -> int:
    """A handshake of the person's device."""
    said = {"handshake_id": f"h{number}", "device_id": "d", "occurred_at": "2026-11-22T07:16:00Z"}
    return await person.append(person.worker_id, source="autopilot-ios", method="ios/handshake", **said)


async def test_what_a_new_device_does_bears_its_name_at_once_in_a_stream_and_on_a_screen(ada: Browser):
    assert ada.person is not None
    person = ada.person
    start = await say(person, "begin", 0)
    await ada.get(f"/w/{person.worker_id}")  # the names are known from now on, for a while
    async with ada.live(person.worker_id, start) as frames:
        last = await greet(await another_device(person, "A new tablet"), 1)
        assert "A new tablet" in " ".join(texts(await until_seq(frames, last)))
    await greet(await another_device(person, "A new watch"), 2)
    assert "A new watch" in (await ada.get(f"/w/{person.worker_id}")).one("div", id="timeline").text
