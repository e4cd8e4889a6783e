"""What is tapped on the phone happens in a real Codex: approve, decline with words, answer, begin, stop everything."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.async_api import Browser
from tests.companion.asking import asking_thread, ended, pending
from tests.companion.installation import Installation, installed, method
from tests.companion.kinds import ASKING, DB, call
from tests.companion.launching import keep_schema, make_codex_home, make_launch, make_project, pinned, schema_of
from tests.ios.desk import Hand
from tests.phone.acting import app_of, following, tab
from tests.phone.glass import Glass, glass, served
from tests.waiting import until

from autopilot.companion.codex.binary import CodexBinary
from autopilot.testing.model import ScriptedModel, script
from autopilot.testing.postgres import TestCluster

pytestmark = pytest.mark.e2e


@dataclass
class Held:
    """A phone in its owner's hand, and the installation that it speaks with."""

    here: Installation
    glass: Glass


@pytest.fixture(scope="module")
async def codex(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[CodexBinary, Path]:
    """The program, and what it says of its protocol: asked for once."""
    found = await pinned()
    return found, await schema_of(found, tmp_path_factory.mktemp("schema"))


@asynccontextmanager
async def phone(
    cluster: TestCluster, root: Path, codex: tuple[CodexBinary, Path], launched: Browser
) -> AsyncIterator[Held]:
    binary, schema = codex
    keep_schema(root, schema)
    async with ScriptedModel() as model, cluster.database() as dsn:
        launch = make_launch(root, make_codex_home(root, model), binary)
        async with (
            installed(dsn, root, launch, model, make_project(root)) as here,
            following(here.served.url, here.person_token) as core,
            served(app_of(core, Hand()), root / "assets") as url,
            glass(launched) as held,
            here.companion(),
        ):
            await held.switch_on(url)
            yield Held(here, held)


async def test_a_command_that_is_approved_runs(
    cluster: TestCluster, tmp_path: Path, codex: tuple[CodexBinary, Path], launched: Browser
):
    async with phone(cluster, tmp_path, codex, launched) as held:
        here = held.here
        worker = await asking_thread(here)
        await here.turn(worker, {"shell": "echo yes > made.txt"}, {"say": "done"})
        (asked,) = await pending(here)
        await held.glass.button("echo yes").first.click()
        await held.glass.sees("Decline with words")
        assert not (here.project / "made.txt").exists()
        await answer(held.glass, "Yes")
        await held.glass.sees("Approved by you")
        await here.log_until(worker, method("turn/completed"))
        over = await ended(here, asked)
        assert (over.state, over.outcome) == ("applied", "accepted")
        assert (here.project / "made.txt").read_text() == "yes\n"


async def test_words_with_a_no_reach_the_model(
    cluster: TestCluster, tmp_path: Path, codex: tuple[CodexBinary, Path], launched: Browser
):
    why = script({"say": "Then I write a page about it."}, words="not here, please")
    async with phone(cluster, tmp_path, codex, launched) as held:
        here = held.here
        worker = await asking_thread(here)
        await here.turn(worker, {"shell": "touch never.txt"}, {"say": "half a word", "gate": "open"})
        (asked,) = await pending(here)
        await held.glass.button("touch never").first.click()
        await held.glass.button("Decline with words").click()
        await held.glass.type("What Codex should do instead", why)
        await answer(held.glass, "No")
        await held.glass.sees("Declined by you")
        here.model.open("open")
        over = await ended(here, asked)
        said = await here.log_until(worker, method("turn/completed"))
        assert (over.state, over.outcome) == ("applied", "declined")
        assert "Then I write a page about it." in "".join(str(event.payload) for event in said)
        assert not (here.project / "never.txt").exists()


async def test_a_question_is_answered_and_the_model_goes_on(
    cluster: TestCluster, tmp_path: Path, codex: tuple[CodexBinary, Path], launched: Browser
):
    async with phone(cluster, tmp_path, codex, launched) as held:
        here = held.here
        thread = {"config": ASKING, "approvalPolicy": "on-request", "sandbox": "read-only"}
        worker = await asking_thread(here, **thread)
        await here.turn(worker, call("request_user_input", questions=[DB]), {"say": "As you like."})
        (asked,) = await pending(here)
        await held.glass.button(DB["question"]).first.click()
        await held.glass.page.get_by_role("checkbox").first.click()
        await answer(held.glass, "Answer")
        await held.glass.sees("Answered by you")
        over = await ended(here, asked)
        await here.log_until(worker, method("turn/completed"))
        assert (over.state, over.outcome) == ("applied", "accepted")


async def test_everything_is_stopped_in_two_taps(
    cluster: TestCluster, tmp_path: Path, codex: tuple[CodexBinary, Path], launched: Browser
):
    async with phone(cluster, tmp_path, codex, launched) as held:
        here = held.here
        workers = [await here.start_thread() for _ in range(2)]
        await here.turn(workers[0], {"shell": "echo $$ > pid.txt; exec sleep 1000"}, {"say": "never"})
        process = await until(lambda: written(here.project / "pid.txt"), within_seconds=40)
        await held.glass.button("Emergency stop").click()
        await held.glass.button("Stop everything").click()
        await held.glass.sees("Stopped, and looked after")
        await held.glass.picture("emergency-stopped")
        states = [(await here.owner.worker(one)).status for one in workers]
        assert states == ["stopped", "stopped"]
        assert not is_running(str(process))


async def test_a_session_is_begun_and_its_first_words_are_answered(
    cluster: TestCluster, tmp_path: Path, codex: tuple[CodexBinary, Path], launched: Browser
):
    async with phone(cluster, tmp_path, codex, launched) as held:
        here = held.here
        await here.machine_request("model/list", {})
        await tab(held.glass, "New")
        await held.glass.type("What shall it do?", script({"say": "I have had a look around."}))
        folder = held.glass.page.locator("input").first  # what it is called is said around it
        await held.glass.write(folder, str(here.project))
        await held.glass.sees("Policies allow this.")  # the button stands lower then: a click on its way would miss it
        await held.glass.button("Start").click()
        await held.glass.sees("Opened ")
        worker_id = (await here.owner.list_workers()).workers[0].worker_id
        log = await here.log_until(worker_id, method("turn/completed"))
        assert "I have had a look around." in "".join(str(event.payload) for event in log)


async def answer(held: Glass, label: str) -> None:
    """Tap it, and the second tap where it is asked for."""
    await held.page.get_by_role("button", name=re.compile(rf"^{label}")).first.click()
    sure = held.button("Yes, I am sure")
    over = held.page.get_by_text("by you").or_(held.page.locator('[aria-label*="by you"]'))
    await sure.or_(over).first.wait_for(state="attached")
    if await sure.count():
        await sure.click()


def written(path: Path) -> str:
    """What a command of Codex has written there; nothing yet."""
    return path.read_text().strip() if path.exists() else ""


def is_running(process: str) -> bool:
    return Path("/proc", process).exists()
