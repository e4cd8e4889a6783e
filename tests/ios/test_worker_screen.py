"""A worker's screen on a phone, over a real server: how it stands, what comes, what one sends, how it fails."""

from __future__ import annotations

from pathlib import Path

import flet as ft
import pytest
from tests.api.contract.test_team_roles import member, put_into
from tests.api.contract.world import Person, ask, lease, person
from tests.ios.phone import PAD
from tests.ios.worker_desk import Desk, desk
from tests.waiting import until

pytestmark = pytest.mark.slow


async def test_what_codex_says_shows_up_as_it_happens(ada: Person, tmp_path: Path):
    async with desk(ada, tmp_path) as at:
        await at.phone.waits_for("Session begins")
        await at.says("I found **it**.")
        await at.phone.waits_for("I found **it**.")
        assert at.phone.shows("laptop")


async def test_on_a_pad_it_stands_beside_the_list(ada: Person, tmp_path: Path):
    async with desk(ada, tmp_path, size=PAD) as at:
        await at.says("Side by side")
        await at.phone.waits_for("Side by side")
        assert at.phone.shows("The list")


async def test_a_message_stays_in_the_field_until_the_server_has_it_and_moves_as_a_receipt(ada: Person, tmp_path: Path):
    async with desk(ada, tmp_path) as at:
        await until(lambda: at.phone.has("send"))
        await at.phone.type("say", "Run the tests")
        await at.phone.tap("send")
        await at.phone.waits_for("Waiting for the machine")
        await until(lambda: at.phone.find("say").value == "")
        act = at.core.acts.view[-1]
        assert at.phone.shows(act.request_id)
        assert act.deed.params["input"][0]["text"] == "Run the tests"


async def test_nothing_is_sent_of_nothing(ada: Person, tmp_path: Path):
    async with desk(ada, tmp_path) as at:
        await until(lambda: at.phone.has("send"))
        await at.phone.tap("send")
        assert at.core.acts.view == ()
        await until(lambda: at.phone.has("said"))


async def test_a_draft_is_there_when_one_comes_back(ada: Person, tmp_path: Path):
    async with desk(ada, tmp_path) as at:
        await until(lambda: at.phone.has("say"))
        await at.phone.type("say", "Half a thou")
        at.shell.pop()
        at.shell.push(at.screen())
        await until(lambda: at.phone.has("say"))
        assert at.phone.find("say").value == "Half a thou"


async def test_what_was_sent_can_be_taken_back_while_no_machine_has_it(ada: Person, tmp_path: Path):
    async with desk(ada, tmp_path) as at:
        await until(lambda: at.phone.has("send"))
        await at.phone.type("say", "Not now")
        await at.phone.tap("send")
        act = await until(lambda: at.core.acts.view and at.core.acts.view[-1])
        await until(lambda: at.phone.has(f"take-back-{act.request_id}"))
        await at.phone.tap(f"take-back-{act.request_id}")
        await at.phone.waits_for("Taken back")
        await until(lambda: "badly" in at.hand.felt)
        await at.phone.tap(f"dismiss-{act.request_id}")
        assert not at.phone.has(f"receipt-{act.request_id}")


@pytest.mark.parametrize(
    ("refusal", "ways"),
    [
        ((403, "forbidden", "policy_denied.method"), ("edit", "again")),
        ((429, "rate_limited", "session_rate"), ("again", "edit")),
    ],
)
async def test_what_would_only_be_refused_again_is_edited_and_what_may_pass_is_sent_again(
    ada: Person, tmp_path: Path, refusal: tuple[int, str, str], ways: tuple[str, str]
):
    status, code, reason = refusal
    offered, left_out = ways
    async with desk(ada, tmp_path) as at:
        await until(lambda: at.phone.has("send"))
        at.way.refuse("/requests", status, code, reason_code=reason, outcome="not_recorded")
        await at.phone.type("say", "Delete it all")
        await at.phone.tap("send")
        act = await until(lambda: at.core.acts.view and at.core.acts.view[-1])
        await until(lambda: at.phone.has(f"{offered}-{act.request_id}"), within_seconds=30)
        assert not at.phone.has(f"{left_out}-{act.request_id}")
        assert at.phone.find("say").value == "Delete it all"


async def test_refused_words_are_put_beside_what_was_typed_since(ada: Person, tmp_path: Path):
    async with desk(ada, tmp_path) as at:
        await until(lambda: at.phone.has("send"))
        at.way.refuse("/requests", 422, "unprocessable", reason_code="invalid_value")
        await at.phone.type("say", "The first words")
        await at.phone.tap("send")
        act = await until(lambda: at.core.acts.view and at.core.acts.view[-1])
        await until(lambda: at.phone.has(f"edit-{act.request_id}"))
        await at.phone.type("say", "Other words")
        await at.phone.tap(f"edit-{act.request_id}")
        assert at.phone.find("say").value == "Other words\n\nThe first words"
        assert at.core.drafts.words(ada.worker_id) == "Other words\n\nThe first words"
        assert not at.phone.has(f"receipt-{act.request_id}")


async def test_while_a_turn_runs_one_steers_queues_and_interrupts(ada: Person, tmp_path: Path):
    async with desk(ada, tmp_path) as at:
        await at.turn("t1")
        await until(lambda: at.phone.has("steer"))
        assert not at.phone.has("send")
        await at.phone.type("say", "Rather this")
        await at.phone.tap("steer")
        await until(lambda: at.phone.find("say").value == "")
        await at.phone.type("say", "And then that")
        await at.phone.tap("queue")
        await at.phone.tap("interrupt")
        methods = [act.deed.method for act in at.core.acts.view]
        assert methods == ["turn/steer", "thread/queue/add", "turn/interrupt"]
        assert at.core.acts.view[0].deed.params["expectedTurnId"] == "t1"
        await at.turn(None)
        await until(lambda: at.phone.has("send"))


async def test_a_question_is_pinned_and_leads_to_its_answer(ada: Person, tmp_path: Path):
    async with desk(ada, tmp_path) as at:
        approval_id = await ask(at.machine, ada.worker_id)
        await until(lambda: at.phone.has("pinned-answer"))
        await at.phone.tap("pinned-answer")
        assert at.led == [("answer", approval_id)]


async def test_a_worker_that_was_stopped_can_be_opened_again(ada: Person, tmp_path: Path):
    async with desk(ada, tmp_path) as at:
        await ada.post(f"/workers/{ada.worker_id}/stop", {"reason": "enough", "force": True})
        await at.phone.waits_for("This worker is stopped.")
        await at.phone.tap("reopen")
        await until(lambda: at.phone.has("send"))


async def test_who_may_only_watch_is_offered_nothing_that_is_refused_then(ada: Person, tmp_path: Path):
    team_id = (await ada.post("/api/teams", {"name": "crew"})).json()["data"]["team_id"]
    viewer, machine = await member(ada, team_id, "viewer"), await ada.machine()
    await lease(machine, ada.worker_id)
    await put_into(ada, machine, team_id)
    async with desk(viewer, tmp_path) as at:
        await until(lambda: at.phone.has("send"))
        await ask(machine, ada.worker_id)
        at.shell.push(at.screen(ada.worker_id))
        await at.phone.waits_for("You may watch this worker. Who operates it can write to it.")
        await until(lambda: at.phone.has("pinned-answer"))
        assert at.phone.shows("Look")
        await at.phone.waits_for("You may watch. Who operates this session can answer")
        assert not at.phone.shows("Answer")
        await at.phone.tap("more")
        ways = [str(one.key) for one in at.phone.controls() if str(one.key).startswith("menu-")]
        assert ways == ["menu-details", "menu-web"]
        for key in ("say", "send", "interrupt", "reopen"):
            assert not at.phone.has(key)


async def test_a_worker_of_others_is_refused_in_words(ada: Person, tmp_path: Path):
    eve = await person(ada.world, "eve")
    async with desk(ada, tmp_path) as at:
        at.shell.push(at.screen(eve.worker_id))
        await until(lambda: at.phone.has("failed"))
        assert not at.phone.has("say")


async def test_a_worker_that_is_not_there_is_told_and_leads_back(ada: Person, tmp_path: Path):
    async with desk(ada, tmp_path) as at:
        at.shell.push(at.screen("desktopw:none"))
        await at.phone.waits_for("There is no such session.")


async def test_a_link_is_confirmed_before_it_is_opened_and_others_never_are(ada: Person, tmp_path: Path):
    async with desk(ada, tmp_path) as at:
        await at.says("See [this](https://example.org/a).")
        await at.phone.waits_for("See [this]")
        link = _markdown(at, "See [this]")
        await at.phone.fire(link, "tap_link", "javascript:alert(1)")
        assert at.hand.opened == []
        await at.phone.fire(link, "tap_link", "https://example.org/a")
        assert at.phone.shows("https://example.org/a")
        await at.phone.tap("link-open")
        await until(lambda: at.hand.opened == ["https://example.org/a"])


async def test_a_long_output_is_shown_whole_on_a_page_of_its_own(ada: Person, tmp_path: Path):
    output = "".join(f"line number {n}\n" for n in range(600))
    item = {"type": "commandExecution", "id": "c1", "command": "make", "status": "completed", "exitCode": 0}
    async with desk(ada, tmp_path) as at:
        await at.codex("item/completed", item=item | {"aggregatedOutput": output})
        await at.phone.waits_for("lines more")
        key = await until(lambda: [one.key for one in at.phone.controls() if str(one.key).endswith("-all-output")])
        await at.phone.tap(key[0])
        await at.phone.waits_for("line number 300")


async def test_the_menu_leads_to_the_web(ada: Person, tmp_path: Path):
    async with desk(ada, tmp_path) as at:
        await at.phone.waits_for("Session begins")
        await at.menu("web")
        await until(lambda: at.hand.opened == [f"{ada.world.api.url}/w/{ada.worker_id}"])


def _markdown(at: Desk, words: str) -> ft.Markdown:
    return next(one for one in at.phone.controls() if isinstance(one, ft.Markdown) and words in one.value)
