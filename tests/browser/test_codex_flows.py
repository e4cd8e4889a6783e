"""Main ways through the web app in Chromium that end in a real Codex: what is tapped there happens there."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Locator, expect
from tests.browser.with_codex import CodexDesk, codex_desk
from tests.companion.asking import asking_thread, ended, pending
from tests.companion.installation import item, method
from tests.companion.kinds import ASKING, DB, call
from tests.companion.launching import pinned, schema_of
from tests.waiting import until

from autopilot.companion.codex.binary import CodexBinary
from autopilot.contract import Approval
from autopilot.testing.clock import FakeClock
from autopilot.testing.model import script
from autopilot.testing.postgres import TestCluster

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
async def codex(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[CodexBinary, Path]:
    """The program, and what it says of its protocol: asked for once."""
    found = await pinned()
    return found, await schema_of(found, tmp_path_factory.mktemp("schema"))


@pytest.fixture
async def desk(
    cluster: TestCluster, tmp_path: Path, codex: tuple[CodexBinary, Path], launched: Browser
) -> AsyncIterator[CodexDesk]:
    async with codex_desk(cluster, tmp_path, *codex, launched) as made:
        yield made


def card(at: CodexDesk, asked: Approval) -> Locator:
    return at.page.locator(f"[id='ap-{asked.approval_id}']")


async def test_a_command_that_is_approved_in_the_inbox_runs(desk: CodexDesk):
    here = desk.installation
    async with here.companion():
        worker = await asking_thread(here)
        await desk.visit.open("/inbox")
        await expect(desk.page.get_by_text("Nothing waits for you.")).to_be_hidden()
        await here.turn(worker, {"shell": "echo yes > made.txt"}, {"say": "done"})
        (asked,) = await pending(here)
        await expect(card(desk, asked).get_by_label("Command")).to_have_text("echo yes > made.txt")
        assert not (here.project / "made.txt").exists()
        await answer(card(desk, asked), "Yes")
        await expect(card(desk, asked)).to_contain_text("Approved by you")
        await here.log_until(worker, method("turn/completed"))
        over = await ended(here, asked)
    assert (over.state, over.outcome) == ("applied", "accepted")
    assert (here.project / "made.txt").read_text() == "yes\n"
    desk.visit.assert_quiet()


async def answer(question: Locator, label: str) -> None:
    """Tap it, and the second tap where it is asked for."""
    await question.locator(".answers button", has_text=re.compile(rf"^{label}")).first.click()
    sure = question.get_by_role("button", name=re.compile("I am sure"))
    done = question.locator(".outcome")
    await expect(sure.or_(done).first).to_be_visible()
    if await sure.count():
        await sure.click()


async def test_words_with_a_no_reach_the_model(desk: CodexDesk):
    here = desk.installation
    why = script({"say": "Then I write a page about it."}, words="not here, please")
    async with here.companion():
        worker = await asking_thread(here)
        await desk.visit.open("/inbox")
        await here.turn(worker, {"shell": "touch never.txt"}, {"say": "half a word", "gate": "open"})
        (asked,) = await pending(here)
        question = card(desk, asked)
        await question.get_by_text("Decline with words").click()
        await question.get_by_label("What Codex should do instead").fill(why)
        await answer(question, "No")
        await expect(question).to_contain_text("Declined by you")
        await question.get_by_role("link", name="Open the session").click()
        await expect(desk.timeline()).to_contain_text("not here, please")
        here.model.open("open")
        await expect(desk.timeline()).to_contain_text("Then I write a page about it.")
        over = await ended(here, asked)
    assert (over.state, over.outcome) == ("applied", "declined")
    assert not (here.project / "never.txt").exists()
    desk.visit.assert_quiet()


async def test_a_question_is_answered_and_the_model_goes_on(desk: CodexDesk):
    here = desk.installation
    async with here.companion():
        thread = {"config": ASKING, "approvalPolicy": "on-request", "sandbox": "read-only"}
        worker = await asking_thread(here, **thread)
        await desk.visit.open("/inbox")
        await here.turn(worker, call("request_user_input", questions=[DB]), {"say": "As you like."})
        (asked,) = await pending(here)
        await card(desk, asked).get_by_label("A", exact=False).first.check()
        await card(desk, asked).locator("button[data-effect=answer]").click()
        over = await ended(here, asked)
        await here.log_until(worker, method("turn/completed"))
    assert (over.state, over.outcome) == ("applied", "accepted")
    desk.visit.assert_quiet()


async def test_who_was_faster_is_said_to_who_answers_later(desk: CodexDesk):
    here = desk.installation
    async with here.companion():
        worker = await asking_thread(here)
        await here.turn(worker, {"shell": "echo yes > made.txt"}, {"say": "done"})
        (asked,) = await pending(here)
        await desk.page.route("**/live*", lambda route: route.abort())  # it does not hear of it by itself
        await desk.visit.open("/inbox", live=False)
        question = card(desk, asked)
        await expect(question.get_by_label("Command")).to_be_visible()
        await here.owner.decide(asked.approval_id, "accept")
        await answer(question, "No")
        await expect(question.get_by_role("alert")).to_contain_text("answered before you")
        await expect(question).to_contain_text("Approved by you")
        await here.log_until(worker, method("turn/completed"))
    assert (here.project / "made.txt").exists()


async def test_a_session_is_started_in_a_folder_and_its_first_answer_is_on_the_screen(desk: CodexDesk):
    here = desk.installation
    async with here.companion():
        await here.machine_request("model/list", {})
        page = await desk.visit.open("/new")
        await page.get_by_label("What shall it do?").fill(script({"say": "I have had a look around."}))
        await page.get_by_role("combobox", name="Folder").fill(str(here.project))
        model = page.get_by_label("Model")
        await expect(model).to_be_visible()
        named = await model.locator("option").evaluate_all("all => all.map((one) => one.value).filter(Boolean)")
        await model.select_option(named[0])
        await page.get_by_role("button", name="Start").click()
        await page.wait_for_url("**/w/*")
        await expect(desk.timeline()).to_contain_text("I have had a look around.")
        worker_id = (await here.owner.list_workers()).workers[0].worker_id
        log = await here.log_until(worker_id, method("turn/completed"))
        seen = await here.owner.worker(worker_id)
    assert seen.cwd is not None
    assert seen.cwd.value == str(here.project)
    assert seen.model is not None
    assert seen.model.value == named[0]
    assert sum(item("agentMessage")(event) for event in log) == 1
    desk.visit.assert_quiet()


async def test_everything_is_stopped_in_two_taps(desk: CodexDesk):
    here = desk.installation
    async with here.companion():
        workers = [await here.start_thread() for _ in range(2)]
        await here.turn(workers[0], {"shell": "echo $$ > pid.txt; exec sleep 1000"}, {"say": "never"})
        process = await until(lambda: written(here.project / "pid.txt"))
        page = await desk.visit.open("/")
        await page.get_by_role("button", name="Emergency stop").click()
        await page.get_by_role("button", name="Stop everything").click()
        rows = page.get_by_role("dialog").get_by_role("list", name="Sessions").get_by_role("listitem")
        await expect(rows).to_have_count(2)
        for number in range(2):
            await expect(rows.nth(number)).to_contain_text(re.compile("Stopped"))
        states = [(await here.owner.worker(one)).status for one in workers]
    assert states == ["stopped", "stopped"]
    assert not is_running(process)
    desk.visit.assert_quiet()


def written(path: Path) -> str:
    """What a command of Codex has written there; nothing yet."""
    return path.read_text().strip() if path.exists() else ""


def is_running(process: str) -> bool:
    return Path("/proc", process).exists()


async def test_an_older_thread_is_taken_up_from_the_list_of_its_machine(desk: CodexDesk):
    here = desk.installation
    async with desk.before() as before, before.companion():
        worker = await before.start_thread()
        await before.turn(worker, {"say": "This was long ago."})
        await before.log_until(worker, method("turn/completed"))

    async with here.companion():
        page = await desk.visit.open(f"/machines/{here.machine_id}/threads")
        await page.get_by_role("button", name="Take it up").click()
        opened = page.get_by_role("link", name="Open it").or_(desk.timeline())
        await expect(opened.first).to_be_visible()
        if await page.get_by_role("link", name="Open it").count():  # its machine answers before its log is open
            await page.get_by_role("link", name="Open it").click()
        await expect(desk.timeline()).to_contain_text("This was long ago.")
        assert [one.worker_id for one in (await here.owner.list_workers()).workers] == [worker]
    desk.visit.assert_quiet()


async def test_a_handshake_that_nobody_answers_times_out_and_one_that_is_answered_says_by_whom(
    cluster: TestCluster, tmp_path: Path, codex: tuple[CodexBinary, Path], launched: Browser
):
    clock = FakeClock()
    async with codex_desk(cluster, tmp_path, *codex, launched, clock=clock) as desk:
        here = desk.installation
        async with here.companion():
            worker = await here.start_thread()
        page = await desk.visit.open(f"/w/{worker}")
        await page.get_by_role("button", name="More about this worker").click()
        await page.get_by_role("button", name="Connect").click()
        dialog = page.get_by_role("dialog", name="Connect")
        status = dialog.get_by_role("status")
        await dialog.get_by_role("button", name="Connect").click()
        await expect(status).to_have_text("The question is in the ledger. Waiting for the answer.30 s left")
        for left in (29, 28, 27):
            await clock.advance(1)
            await expect(status).to_contain_text(f"{left} s left")
        await clock.advance(26)
        await expect(status).to_contain_text("1 s left")
        assert await desk.visit.problems("connect-waiting") == []
        await clock.advance(1)
        await expect(status).to_contain_text("Timed out: no answer within 30 s.")
        assert await desk.visit.problems("connect-timed-out") == []

        async with here.companion():
            await expect(status).to_contain_text("Timed out")  # what comes too late changes nothing that was said
            await dialog.get_by_role("button", name="Try again").click()
            await expect(status).to_contain_text("Connected.")
            acks = [event for event in await here.whole_log(worker) if method("desktop/handshake_ack")(event)]
            await expect(status).to_contain_text(acks[-1].payload["desktop_session_id"])
        await expect(dialog.get_by_role("button", name="Once more")).to_be_enabled()
        desk.visit.assert_quiet()
