"""What other processes do in this CODEX_HOME is read, also where Codex fails just then."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import pytest
from tests.companion.installation import Installation, assert_sound
from tests.companion.test_codex_process import Running, start_thread, turn
from tests.companion.test_shared_codex import said
from tests.waiting import until

from autopilot.companion.codex.messages import CodexSilent
from autopilot.companion.recovery import Recovery
from autopilot.companion.threads import Thread

pytestmark = pytest.mark.e2e


async def test_what_codex_did_not_tell_at_the_look_that_saw_it_is_read_at_the_next(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_again = Recovery.look_again
    over, failed = asyncio.Event(), asyncio.Event()

    async def silent_once_all_is_said(recovery: Recovery, thread: Thread) -> int:
        if failed.is_set():
            return await look_again(recovery, thread)
        if over.is_set():
            failed.set()
        raise CodexSilent("no answer in time")

    monkeypatch.setattr(Recovery, "look_again", silent_once_all_is_said)
    elsewhere = dataclasses.replace(installation.launch, run_dir=tmp_path / "elsewhere")
    async with installation.companion() as companion:
        await until(lambda: companion.following._since is not None)
        async with Running(elsewhere) as other:
            thread_id = await start_thread(other.codex, installation.project)
            await other.codex.call("turn/start", turn(thread_id, {"say": "only there"}))
            await other.watcher.heard("turn/completed")
            over.set()
            log = await installation.log_until_there(f"desktopw:{thread_id}", said("only there"))

    assert failed.is_set()
    assert_sound(log)
