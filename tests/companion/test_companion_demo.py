"""The demo: a companion without any Codex login, as `autopilot up` starts it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from tests.companion.asking import decide, of_approvals, pending
from tests.companion.installation import Installation, assert_sound, item, method, methods

from autopilot.companion import demo
from autopilot.companion.codex.binary import CodexBinary
from autopilot.contract import WorkerSummary

pytestmark = pytest.mark.e2e


async def test_the_demo_s_worker_plays_a_turn_by_itself_and_again_whenever_it_is_asked(
    installation: Installation,
) -> None:
    await installation.start_process(
        AUTOPILOT_DEMO_MODEL_URL=installation.model.base_url, AUTOPILOT_APPROVAL_TTL_MS="8000"
    )
    worker = await only_worker(installation)

    (asked,) = await pending(installation)
    await decide(installation, asked, "accept")
    first = await installation.log_until(worker, method("turn/completed"))
    words = {"input": [{"type": "text", "text": "Please fix the greeting"}]}
    outcome = await installation.owner.request(worker, "turn/start", words, wait_ms=30_000)
    turn_id = outcome.response["turn"]["id"]
    log = await installation.log_until(
        worker, lambda event: method("turn/completed")(event) and event.payload["params"]["turn"]["id"] == turn_id
    )

    assert "turn/plan/updated" in methods(first)
    assert {"reasoning", "agentMessage", "commandExecution", "fileChange"} <= kinds(first)
    assert "May I commit it?" in asked.evidence.reason
    commands = [event.payload["params"]["item"]["status"] for event in log if item("commandExecution")(event)]
    assert commands == ["completed"] * 5 + ["declined"], "a person allowed the first commit, nobody the second"
    assert [event for event in of_approvals(log) if event in {"applied", "expired"}][:2] == ["applied", "expired"]
    changed = [event.payload["params"]["item"]["changes"][0]["path"] for event in log if item("fileChange")(event)]
    assert [Path(path).name for path in changed] == ["TASKS.md", "greet.sh"]
    assert 'greeting="Good morning"' in (demo.project(installation.home) / "greet.sh").read_text()
    assert (
        "not committed" in [event for event in log if item("agentMessage")(event)][-1].payload["params"]["item"]["text"]
    )
    assert_sound(log)


async def only_worker(installation: Installation) -> str:
    return (await installation.state(WorkerSummary)).worker_id


def kinds(log: list) -> set[str]:
    return {event.payload["params"]["item"]["type"] for event in log if event.payload.get("method") == "item/completed"}


async def test_a_demo_that_is_started_again_keeps_its_worker(installation: Installation) -> None:
    for _ in range(2):
        process = await installation.start_process(
            AUTOPILOT_DEMO_MODEL_URL=installation.model.base_url, AUTOPILOT_APPROVAL_TTL_MS="1000"
        )
        worker = await only_worker(installation)
        log = await installation.log_until(worker, method("turn/completed"))
        await process.terminate()

    assert methods(log).count("turn/started") == 1
    assert len([one async for one in installation.owner.every_worker()]) == 1


@pytest.mark.parametrize(
    ("config", "wanted"),
    [("", True), ('model_provider = "mine"', False), ("no TOML", True)],
)
async def test_the_demo_is_wanted_where_codex_has_neither_login_nor_a_provider_of_its_own(
    codex_binary: CodexBinary, tmp_path: Path, *, config: str, wanted: bool
) -> None:
    home = tmp_path / "codex"
    home.mkdir()
    (home / "config.toml").write_text(config)
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "AUTOPILOT_CODEX": str(codex_binary.path)}

    assert await demo.is_wanted(environ, home) is wanted


async def test_whoever_is_logged_in_wants_no_demo(codex_binary: CodexBinary, tmp_path: Path) -> None:
    home = tmp_path / "codex"
    home.mkdir()
    (home / "auth.json").write_text(json.dumps({"OPENAI_API_KEY": "sk-test-not-a-key"}))
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "AUTOPILOT_CODEX": str(codex_binary.path)}

    assert not await demo.is_wanted(environ, home)
    assert not await demo.is_wanted({**environ, "CODEX_API_KEY": "x"}, tmp_path / "nowhere")
