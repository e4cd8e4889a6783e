"""A new session from a phone: said what is forbidden, asked once, opened when it is there; nothing typed is lost."""

from __future__ import annotations

from tests.api.contract.world import Person
from tests.ios.desk import Core, Desk, Hand, cut, desk
from tests.waiting import until
from tests.web.desk import asked_for, report, report_any

from autopilot_ios.screens.new_session import NewSessionScreen

FORBIDS = '[sandbox]\nallow = ["read-only"]\n'
MODELS = {"data": [{"model": "gpt-a", "displayName": "A", "isDefault": True}, {"model": "b", "hidden": True}]}


def new(core: Core, hand: Hand) -> NewSessionScreen:
    return NewSessionScreen(core, hand, hand.opened.append)


async def filled(held: Desk, words: str = "Hello") -> None:
    """The form, with what it needs."""
    await until(lambda: held.phone.has("prompt"), within_seconds=30)
    await held.phone.type("folder", "/home/ada")
    await held.phone.type("prompt", words)
    await until(lambda: not held.phone.find("start").disabled, within_seconds=30)


async def test_the_machine_its_folders_and_its_models_are_offered(ada: Person):
    async with desk(ada, new) as held:
        params = {"thread": {"id": "t", "cwd": "/home/ada/project"}}
        await held.machine.append(ada.worker_id, source="autopilot-desktop", method="thread/started", params=params)
        await held.phone.waits_for("laptop")
        assert held.phone.shows("Asking Codex on laptop")
        await report_any(held.machine, "model/list", response=MODELS)
        await until(lambda: held.phone.find("model").on_click is not None, within_seconds=30)
        await held.phone.tap("model")
        assert held.phone.shows("A (default)")
        await held.phone.tap("model-gpt-a")
        await until(lambda: held.core.new_session.view.draft.model == "gpt-a")
        await held.phone.waits_for("Policies allow this.")
        await held.phone.type("folder", "/elsewhere")
        await until(lambda: held.phone.has("folders"), within_seconds=30)
        await held.phone.tap("folders")
        await held.phone.tap("folder-/home/ada/project")
        await until(lambda: held.phone.find("folder").value == "/home/ada/project")


async def test_what_a_policy_forbids_is_said_before_anything_is_sent(ada: Person):
    body = {"subject": "user", "format": "toml", "text": FORBIDS, "expected_version": 0}
    assert (await ada.post("/policies", body)).status_code == 200
    async with desk(ada, new) as held:
        await filled(held)
        await held.phone.waits_for("A policy forbids this")
        await held.phone.waits_for("Forbidden: ")
        assert held.phone.find("sandbox-workspace-write").on_click is None
        await held.phone.tap("sandbox-read-only")
        await held.phone.waits_for("Policies allow this.")
        await held.phone.tap("start")
        await held.phone.waits_for("Waiting for the machine")


async def test_the_thread_is_asked_for_and_its_screen_opens_with_the_first_words(ada: Person):
    async with desk(ada, new) as held:
        await filled(held)
        await held.phone.tap("start")
        request_id = await asked_for(held.machine, "thread/start")
        assert held.phone.shows(f"Request {request_id}")
        await report(held.machine, request_id, response={"worker_id": ada.worker_id})
        await until(lambda: held.hand.opened == [ada.worker_id], within_seconds=30)
        receipt = (await ada.get(f"/workers/{ada.worker_id}/requests/{request_id}-turn")).json()["data"]
        assert receipt["method"] == "turn/start"
        assert receipt["params"]["input"] == [{"type": "text", "text": "Hello"}]
        asked = (await ada.get(f"/machines/{held.machine.worker_id}/requests/{request_id}")).json()["data"]
        assert asked["params"] == {"cwd": "/home/ada", "sandbox": "workspace-write", "approvalPolicy": "on-request"}
        assert held.core.new_session.view.draft.prompt == ""
        assert held.hand.felt == ["well"]


async def test_what_codex_refuses_is_said_and_the_words_stay(ada: Person):
    async with desk(ada, new) as held:
        await filled(held)
        await held.phone.tap("start")
        request_id = await asked_for(held.machine, "thread/start")
        await report(held.machine, request_id, "failed", error={"code": "codex", "message": "no such folder"})
        await held.phone.waits_for("no such folder")
        assert held.phone.find("prompt").value == "Hello"
        await held.phone.tap("start")
        await until(lambda: held.core.new_session.view.is_under_way)
        progress = held.core.new_session.view.progress
        assert progress is not None
        assert progress.request_id != request_id


async def test_a_request_that_waits_can_be_taken_back(ada: Person):
    async with desk(ada, new) as held:
        await filled(held)
        await held.phone.tap("start")
        await until(lambda: held.phone.has("take-back"), within_seconds=30)
        await held.phone.tap("take-back")
        await held.phone.waits_for("Taken back")
        assert held.phone.find("prompt").value == "Hello"


async def test_what_was_typed_is_there_again_after_leaving_the_tab_and_the_screen(ada: Person):
    async with desk(ada, new) as held:
        await filled(held, "A long thought")
        held.shell.select(1)
        assert held.phone.shows("Another tab")
        held.shell.select(0)
        assert held.phone.find("prompt").value == "A long thought"
        again = NewSessionScreen(held.core, held.hand, print)
        again.route = "/again"
        held.shell.push(again)
        assert held.phone.find("prompt").value == "A long thought"


async def test_a_server_that_does_not_answer_is_asked_again_with_the_same_request(ada: Person):
    async with desk(ada, new) as held:
        await filled(held)
        held.way.refuse("/requests", 503, "unavailable", reason_code="runtime_unreachable")
        await held.phone.tap("start")
        await held.phone.waits_for("The ledger can't be reached.")
        assert held.phone.shows("Request told-by-a-test")
        first = held.core.new_session._asked
        assert first is not None
        held.way.instead = lambda _request: None
        await held.phone.tap("start")
        assert await asked_for(held.machine, "thread/start") == first.request_id
        assert held.hand.felt == ["badly"]


async def test_a_proof_that_is_needed_is_said(ada: Person):
    async with desk(ada, new) as held:
        await filled(held)
        held.way.refuse("/requests", 403, "forbidden", reason_code="step_up_required")
        await held.phone.tap("start")
        await held.phone.waits_for("prove again that it is you")
        assert held.phone.find("prompt").value == "Hello"


async def test_without_network_it_says_so(ada: Person):
    async with desk(ada, new, way=cut()) as held:
        await held.phone.waits_for("The server can't be reached.")
        held.way.instead = lambda _request: None
        await held.phone.tap("try-again")
        await held.phone.waits_for("laptop")
