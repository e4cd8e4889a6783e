"""A list that is asked for certain workers: all of those there are, whatever page they would be on, and no others."""

from __future__ import annotations

from urllib.parse import quote, urlencode

import pytest

from autopilot.contract.port import Claims
from autopilot.runtime import workers_search
from autopilot.testing.runtime import OWNER, STRANGER, batch, call, draft

MACHINE = Claims(user_id=1, scopes=frozenset({"execute"}), machine_id="m-1", device_id="device-9", surface="companion")


async def made(runtime, worker_id, claims=OWNER, *, title=None, preview=None, cwd=None, **body):
    """A worker of which Codex has said this much."""
    assert (await call(runtime, "POST", "/workers", {"worker_id": worker_id, **body}, claims=claims)).status == 202
    thread = {"name": title, "preview": preview, "cwd": cwd, "status": {"type": "idle"}}
    said = draft(f"{worker_id}-1", method="thread/started", params={"thread": thread})
    await runtime.ledger.append(batch(worker_id, said, claims=claims))


async def leased(runtime, worker_id, machine_id="m-1"):
    claims = Claims(**{**MACHINE_FIELDS, "machine_id": machine_id})
    assert (await call(runtime, "POST", "/machines", {"machine_id": machine_id}, claims=claims)).status == 200
    asked = await call(runtime, "POST", f"/workers/{worker_id}/lease", {"machine_id": machine_id}, claims=claims)
    assert asked.status == 200, asked.body


MACHINE_FIELDS = {name: getattr(MACHINE, name) for name in ("user_id", "scopes", "machine_id", "device_id", "surface")}


async def listed(runtime, claims=OWNER, **query):
    answer = await call(runtime, "GET", "/workers", query=urlencode(query), claims=claims)
    assert answer.status == 200, answer.body
    return [one["worker_id"] for one in answer.data], answer.json["next"]


async def everything(runtime, claims=OWNER, **query):
    """All pages, and how many there were."""
    found, following = await listed(runtime, claims, **query)
    pages = 1
    while following is not None:
        more, following = await listed(runtime, claims, **query, before=following)
        found, pages = found + more, pages + 1
    return found, pages


async def test_words_are_found_in_title_preview_folder_workspace_and_id(runtime):
    await made(runtime, "in-title", title="Fix the parser")
    await made(runtime, "in-preview", preview="please FIX the lexer")
    await made(runtime, "in-folder", cwd="/home/ada/fix-it")
    await made(runtime, "in-workspace", workspace_ref="desktop:///fixtures")
    await made(runtime, "prefix")
    await made(runtime, "nothing", title="Write a page")

    assert (await listed(runtime, q="fix"))[0] == ["prefix", "in-workspace", "in-folder", "in-preview", "in-title"]
    assert (await listed(runtime, q="the fix"))[0] == ["in-preview", "in-title"]
    assert (await listed(runtime, q="fixparser"))[0] == []
    assert (await listed(runtime, q=" "))[0][0] == "nothing"


@pytest.mark.parametrize(
    ("title", "wanted"),
    [
        ("\u00dcbersicht", "\u00fcBERSICHT"),
        ("Stra\u00dfe", "STRASSE"),
        ("caf\u00e9", "cafe\u0301"),
        ("100% done_", "% _"),
        ("a\\b 'c'", "\\ '"),
        ("before \0 after", "after"),
        ("\u6587\u5b57", "\u5b57"),
    ],
)
async def test_neither_case_nor_the_way_letters_are_written_matter_and_no_sign_means_more_than_itself(
    runtime, title, wanted
):
    await made(runtime, "w", title=title)
    await made(runtime, "other", title="plain")

    assert await listed(runtime, q=wanted) == (["w"], None)


async def test_a_word_does_not_go_over_from_one_text_into_the_next(runtime):
    await made(runtime, "w", title="one", preview="two")

    assert (await listed(runtime, q="onetwo"))[0] == []
    assert (await listed(runtime, q="one two"))[0] == ["w"]


async def test_the_list_is_of_one_machine_one_kind_of_place_one_activity(runtime):
    for name in ("a", "b", "c"):
        await made(runtime, name)
    await leased(runtime, "a", "m-1")
    await leased(runtime, "b", "m-2")
    turn = draft("turn", method="turn/started", params={"turn": {}})
    await runtime.ledger.append(batch("c", turn))
    await call(runtime, "POST", "/workers", {"worker_id": "silent"})

    assert (await listed(runtime, machine_id="m-1"))[0] == ["a"]
    assert (await listed(runtime, machine_id="nobody"))[0] == []
    assert set((await listed(runtime, backend="desktop"))[0]) == {"a", "b"}
    assert (await listed(runtime, backend="gke"))[0] == []
    assert (await listed(runtime, activity="running"))[0] == ["c"]
    assert (await listed(runtime, activity="unknown"))[0] == ["silent"]
    assert (await listed(runtime, activity="idle", machine_id="m-2"))[0] == ["b"]
    assert (await listed(runtime, activity="idle", machine_id="m-2", q="c"))[0] == []


async def test_what_is_found_is_found_page_by_page_once_and_in_order_while_other_workers_move(runtime):
    for number in range(30):
        await made(runtime, f"w{number:02}", title="wanted" if number % 3 == 0 else "other")

    first, following = await listed(runtime, q="wanted", limit=4)
    await runtime.ledger.append(batch("w01", draft("moved")))
    second, after = await listed(runtime, q="wanted", limit=4, before=following)
    third, end = await listed(runtime, q="wanted", limit=4, before=after)

    assert first + second + third == [f"w{number:02}" for number in range(27, -1, -3)]
    assert end is None


async def test_a_search_that_has_looked_at_enough_says_where_to_go_on(runtime, monkeypatch):
    monkeypatch.setattr(workers_search, "LOOKED_AT_ONCE", 3)
    monkeypatch.setattr(workers_search, "MOST_LOOKED_AT", 6)
    for number in range(20):
        await made(runtime, f"w{number:02}", title="wanted" if number in {0, 7} else "other")

    page, following = await listed(runtime, q="wanted")
    assert (page, following is None) == ([], False)
    assert await everything(runtime, q="wanted") == (["w07", "w00"], 4)


async def test_what_is_said_of_a_found_worker_is_its_whole_summary(runtime):
    await made(runtime, "w", title="wanted")

    (found,) = (await call(runtime, "GET", "/workers", query="q=wanted")).data
    (plain,) = (await call(runtime, "GET", "/workers")).data
    for one in (found, plain):  # read a moment apart
        one["heartbeat_age_ms"] = one["health"] = None
    assert found == plain


async def test_nobodys_search_finds_what_they_may_not_read(runtime):
    await made(runtime, "mine", title="wanted")
    await made(runtime, "theirs", claims=STRANGER, title="wanted")
    await made(runtime, "hidden", title="wanted")
    guest = Claims(guest_scope="g", shown=frozenset({"mine"}), scopes=frozenset({"observe"}), surface="web")
    teammate = Claims(user_id=3, roles={"t-1": "viewer"}, scopes=frozenset({"observe"}), surface="web")
    await runtime.pool.execute("update worker set team_id = 't-1' where worker_id = 'hidden'")

    assert (await listed(runtime, STRANGER, q="wanted"))[0] == ["theirs"]
    assert (await listed(runtime, guest, q="wanted"))[0] == ["mine"]
    assert (await listed(runtime, guest, activity="idle"))[0] == ["mine"]
    assert (await listed(runtime, teammate, q="wanted"))[0] == ["hidden"]
    await leased(runtime, "mine", "m-1")
    await leased(runtime, "hidden", "m-2")
    assert (await listed(runtime, MACHINE, q="wanted"))[0] == ["mine"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("q", ""),
        ("q", "x" * 201),
        ("q", "a\0"),
        ("machine_id", ""),
        ("machine_id", "x" * 201),
        ("backend", "moon"),
        ("backend", "unspecified"),
        ("activity", ""),
        ("activity", "sleeping"),
    ],
)
async def test_a_value_that_nothing_can_be_searched_by_is_unprocessable_with_its_field(runtime, name, value):
    answer = await call(runtime, "GET", "/workers", query=f"{name}={quote(value)}")

    assert (answer.status, answer.json["error"]["details"][0]["field"]) == (422, name)
