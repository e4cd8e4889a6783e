"""Every method that a person may ask for, against real Codex; and what becomes of each when its answer is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from tests.companion.installation import FULL_ACCESS, Installation, item, method, methods

from autopilot.companion import methods as table
from autopilot.companion.app import Companion
from autopilot.companion.codex.messages import CodexGone
from autopilot.contract import RequestOutcome
from autopilot.testing.model import script

pytestmark = pytest.mark.e2e
HALF = {"say": "the first half, and the second half", "gate": "half"}


def text_input(*steps: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"type": "text", "text": script(*steps)}]


@asynccontextmanager
async def at_work(installation: Installation) -> AsyncIterator[tuple[Companion, str]]:
    """A companion, and a worker with one turn behind it."""
    async with installation.companion() as companion:
        worker = await installation.start_thread()
        await installation.turn(worker, {"say": "before"})
        await installation.log_until(worker, method("turn/completed"))
        yield companion, worker


async def ask(installation: Installation, worker: str, asked: str, /, **params: Any) -> RequestOutcome:
    return await installation.owner.request(worker, asked, params, wait_ms=30_000)


async def test_a_thread_is_started_in_a_folder_with_model_effort_policy_and_sandbox(
    installation: Installation,
) -> None:
    async with installation.companion():
        started = await installation.machine_request(
            "thread/start",
            {
                "cwd": str(installation.project),
                "model": "autopilot-demo",
                "approvalPolicy": "on-request",
                "sandbox": "read-only",
            },
        )
        worker = started.response["worker_id"]
        await installation.owner.request(worker, "turn/start", {"input": text_input({"say": "x"}), "effort": "medium"})
        log = await installation.log_until(worker, method("turn/completed"))

    assert started.response["cwd"] == str(installation.project)
    assert started.response["approvalPolicy"] == "on-request"
    assert started.response["sandbox"]["type"] == "readOnly"
    assert methods(log).count("turn/completed") == 1


async def test_what_waits_in_the_queue_is_listed_changed_taken_out_and_done_after_the_turn(
    installation: Installation,
) -> None:
    async with at_work(installation) as (_, worker):
        await installation.turn(worker, HALF)
        await installation.model.reached("half")
        kept = await ask(installation, worker, "thread/queue/add", input=text_input({"say": "queued"}))
        other = await ask(installation, worker, "thread/queue/add", input=text_input({"say": "never"}))
        names = [one.response["queuedSubmission"]["id"] for one in (kept, other)]
        listed = await ask(installation, worker, "thread/queue/list")
        turned = await ask(installation, worker, "thread/queue/reorder", queuedSubmissionIds=names[::-1])
        out = await ask(installation, worker, "thread/queue/delete", queuedSubmissionId=names[1])
        installation.model.open("half")
        log = await installation.log_until(worker, said("queued"))

    assert [one["clientUserMessageId"] for one in listed.response["data"]] == [kept.request_id, other.request_id]
    assert turned.state == "completed"
    assert out.response == {"deleted": True, "autopilot": {"effect": "changed_queue"}}
    asked = [one.payload["params"]["item"].get("clientId") for one in log if item("userMessage")(one)]
    assert asked[-1] == kept.request_id
    assert other.request_id not in asked


def said(words: str) -> Any:
    return lambda event: item("agentMessage")(event) and event.payload["params"]["item"]["text"] == words


async def test_a_fork_is_a_worker_of_its_own_with_the_history_so_far(installation: Installation) -> None:
    async with at_work(installation) as (_, worker):
        forked = await ask(installation, worker, "thread/fork")
        other = forked.response["worker_id"]
        hidden = await ask(installation, worker, "thread/fork", ephemeral=True)
        turns = await ask(installation, other, "thread/turns/list")

    assert other != worker
    assert forked.response["thread"]["forkedFromId"] == worker.removeprefix("desktopw:")
    assert len(turns.response["data"]) == 1
    assert (hidden.state, (hidden.error or {})["code"]) == ("failed", "invalid_params")


async def test_a_thread_is_renamed_put_away_and_taken_out_again(installation: Installation) -> None:
    async with at_work(installation) as (_, worker):
        named = await ask(installation, worker, "thread/name/set", name="a new name")
        away = await ask(installation, worker, "thread/archive")
        refused = await installation.turn(worker, {"say": "never"})
        back = await ask(installation, worker, "thread/unarchive")
        again = await installation.turn(worker, {"say": "after"})
        log = await installation.log_until(worker, said("after"))

    assert [one.response["autopilot"]["effect"] for one in (named, away, back)] == [
        "renamed_thread",
        "archived_thread",
        "unarchived_thread",
    ]
    assert refused.state == "failed"
    assert again.state == "completed"
    told = methods(log)
    assert {"thread/name/updated", "thread/archived", "thread/unarchived"} <= set(told)
    assert not {"desktop/thread_lost", "desktop/thread_elsewhere"} & set(told)


async def test_a_thread_is_compacted_reviewed_and_given_other_settings(installation: Installation) -> None:
    async with at_work(installation) as (_, worker):
        settings = await ask(installation, worker, "thread/settings/update", approvalPolicy="on-request")
        review = await ask(
            installation,
            worker,
            "review/start",
            target={"type": "custom", "instructions": script({"say": "looks good"})},
            delivery="inline",
        )
        await installation.log_until(worker, item("exitedReviewMode"))
        compacted = await ask(installation, worker, "thread/compact/start")
        log = await installation.log_until(worker, item("contextCompaction"))

    assert [one.state for one in (settings, review, compacted)] == ["completed"] * 3
    assert any(item("enteredReviewMode")(event) for event in log)


@pytest.mark.parametrize(
    "asked",
    [
        ("model/list", {}),
        ("permissionProfile/list", {}),
        ("skills/list", {}),
        ("mcpServerStatus/list", {}),
        ("account/read", {}),
        ("thread/loaded/list", {}),
        ("thread/list", {}),
    ],
    ids=lambda asked: asked[0],
)
async def test_what_the_program_knows_is_read(installation: Installation, asked: tuple[str, dict[str, Any]]) -> None:
    async with installation.companion():
        outcome = await installation.machine_request(*asked)

    assert outcome.state == "completed", outcome


async def test_what_needs_a_login_is_refused_in_codex_s_words(installation: Installation) -> None:
    async with installation.companion():
        outcome = await installation.machine_request("account/rateLimits/read", {})

    assert (outcome.state, (outcome.error or {})["code"]) == ("failed", "codex_refused")
    assert "authentication required" in (outcome.error or {})["message"]


async def test_of_an_account_s_address_only_what_tells_it_apart_is_said(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with installation.companion() as companion:
        account = {"account": {"type": "chatgpt", "email": "ada@example.com", "planType": "plus"}}

        async def call(_method: str, _params: Any = None, **_more: Any) -> msgspec.Raw:
            return msgspec.Raw(msgspec.json.encode(account))

        await installation.machine_request("model/list", {})
        monkeypatch.setattr(companion.codex, "call", call)
        outcome = await installation.machine_request("account/read", {})

    assert outcome.response["account"]["email"] == "a…@example.com"


# What each method leaves behind in Codex when it was done and its answer was lost: found again, or nobody knows.
LOST = {
    "turn/start": ({"input": text_input({"say": "once"})}, "completed"),
    "thread/queue/add": ({"input": text_input({"say": "once"})}, "completed"),
    "thread/fork": ({}, "completed"),
    "thread/name/set": ({"name": "once"}, "completed"),
    "thread/archive": ({}, "completed"),
    "thread/settings/update": ({"approvalPolicy": "never"}, "indeterminate"),
    "thread/compact/start": ({}, "indeterminate"),
    "review/start": (
        {"target": {"type": "custom", "instructions": script({"say": "ok"})}, "delivery": "inline"},
        "indeterminate",
    ),
    "thread/turns/list": ({}, "completed"),
    "model/list": ({}, "completed"),
}


def lossy(companion: Companion, name: str, monkeypatch: pytest.MonkeyPatch, *, before: bool) -> list[str]:
    """Let the connection end at the first call of this method: before it is sent, or after it was done; the calls."""
    asked: list[str] = []
    call = companion.codex.call

    async def lose(method: str, params: Any = None, **more: Any) -> msgspec.Raw:
        asked.append(method)
        if method != name or asked.count(name) > 1:
            return await call(method, params, **more)
        if not before:
            await call(method, params, **more)
        companion.codex.reconnect()
        raise CodexGone("the connection to Codex ended")

    monkeypatch.setattr(companion.codex, "call", lose)
    return asked


@pytest.mark.parametrize("name", LOST)
async def test_what_was_done_and_not_answered_is_found_again_or_nobody_knows_and_it_is_never_done_twice(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    params, state = LOST[name]
    async with at_work(installation) as (companion, worker):
        asked = lossy(companion, name, monkeypatch, before=False)
        outcome = await ask(installation, worker, name, **params)

    assert outcome.state == state, outcome
    if name not in table.READS:
        assert asked.count(name) == 1
    if name == "thread/fork":
        assert outcome.response["worker_id"] != worker


@pytest.mark.parametrize("name", ["turn/start", "thread/queue/add", "thread/fork", "thread/name/set"])
async def test_what_never_reached_codex_leaves_no_trace_and_is_not_done_on_suspicion(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    async with at_work(installation) as (companion, worker):
        asked = lossy(companion, name, monkeypatch, before=True)
        outcome = await ask(installation, worker, name, **LOST[name][0])

    assert (outcome.state, outcome.ok) == ("indeterminate", None)
    assert asked.count(name) == 1


async def test_a_thread_that_was_started_and_not_answered_is_found_again(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with installation.companion() as companion:
        asked = lossy(companion, "thread/start", monkeypatch, before=False)
        outcome = await installation.machine_request("thread/start", {"cwd": str(installation.project), **FULL_ACCESS})
        turn = await installation.turn(outcome.response["worker_id"], {"say": "it lives"})

    assert outcome.response["autopilot"] == {"effect": "found_in_history"}
    assert turn.state == "completed"
    assert asked.count("thread/start") == 1


async def test_a_request_before_which_codex_could_not_be_heard_failed_and_was_not_asked(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with at_work(installation) as (companion, worker):
        thread = companion.threads.of_worker(worker)
        assert thread is not None
        thread.subscribed = False
        asked = lossy(companion, "thread/resume", monkeypatch, before=True)
        outcome = await installation.turn(worker, {"say": "never"})

    assert (outcome.state, (outcome.error or {})["code"]) == ("failed", "codex_unavailable")
    assert "turn/start" not in asked
