"""The companion on the user's shared Codex daemon: joined, left, ended, come back; real Codex throughout."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.companion.asking import decide, end, ended, pending
from tests.companion.daemon import client_of, daemon_of, start_daemon
from tests.companion.installation import PATIENCE_SECONDS, Installation, assert_sound, item, method, methods
from tests.companion.test_companion_ends import completed, in_history
from tests.waiting import until

from autopilot.companion.app import Companion

pytestmark = pytest.mark.e2e


def on_shared(companion: Companion) -> Callable[[], bool]:
    return lambda: (session := companion.codex.session) is not None and session.shared


def on_own(companion: Companion) -> Callable[[], bool]:
    return lambda: (session := companion.codex.session) is not None and not session.shared


async def test_a_session_of_the_users_own_program_is_a_worker_and_a_message_from_here_reaches_it(
    installation: Installation,
) -> None:
    async with daemon_of(installation.launch) as daemon, client_of(daemon.socket) as terminal:
        earlier = await terminal.start_thread(installation.project)
        await terminal.turn(earlier, {"say": "before the companion came"})
        await terminal.heard("turn/completed")
        async with installation.companion() as companion:
            assert on_shared(companion)()
            assert not companion.codex.server.alive
            await terminal.start_thread(installation.project, ephemeral=True)
            thread_id = await terminal.start_thread(installation.project)
            worker = f"desktopw:{thread_id}"
            await terminal.turn(thread_id, {"say": "typed in the terminal"})
            await installation.log_until_there(worker, method("turn/completed"))
            asked = await installation.turn(worker, {"say": "asked from the phone"})
            await terminal.heard("turn/completed", times=3)
            log = await installation.log_until(worker, said("asked from the phone"))
            kept = await in_history(companion, worker)
            await until(lambda: not companion.facts.pending())
            health = (await installation.owner.worker(worker)).health.codex
            workers = {one.worker_id async for one in installation.owner.every_worker()}

        assert asked.state == "completed"
        assert health.detail is not None
        assert (health.state, health.detail["server"]) == ("ok", "shared")
        assert workers == {worker, f"desktopw:{earlier}"}
        assert_sound(log)
        assert sorted(completed(await installation.whole_log(worker))) == sorted(kept)
        assert daemon.process.returncode is None, "the companion ended, the user's daemon did not"
        await terminal.turn(thread_id, {"say": "still there"})
        await terminal.heard("turn/completed", times=4)


async def test_a_daemon_that_appears_is_joined_once_nothing_runs_on_our_own_and_no_turn_is_cut(
    installation: Installation,
) -> None:
    async with installation.companion() as companion:
        worker = await installation.start_thread()
        await installation.turn(worker, {"say": "half", "gate": "open"}, {"say": "whole"})
        await installation.model.reached("open")
        async with daemon_of(installation.launch):
            before = companion.codex.session
            await looked_for(companion)
            assert companion.codex.session is before, "a turn runs there"
            installation.model.open("open")
            await until(on_shared(companion))
            assert not companion.codex.server.alive
            await companion.codex.caught_up(PATIENCE_SECONDS)
            await installation.turn(worker, {"say": "on the daemon"})
            log = await installation.log_until(worker, said("on the daemon"), turns_ended(2))
            kept = await in_history(companion, worker)

    assert_sound(log)
    assert "desktop/turn_cut_off" not in methods(log)
    assert sorted(completed(log)) == sorted(kept)


async def test_a_daemon_that_ends_is_replaced_by_our_own_and_joined_again_when_it_is_back(
    installation: Installation,
) -> None:
    daemon = await start_daemon(installation.launch)
    async with installation.companion() as companion:
        async with client_of(daemon.socket) as terminal:
            thread_id = await terminal.start_thread(installation.project)
            worker = f"desktopw:{thread_id}"
            await terminal.turn(thread_id, {"say": "never finished", "gate": "shut"})
            await installation.model.reached("shut")
            await installation.log_until_there(worker, method("turn/started"))
            await daemon.kill()
        await until(on_own(companion))
        log = await installation.log_until(worker, method("turn/completed"))
        assert "desktop/turn_cut_off" in methods(log)
        thread = companion.threads.get(thread_id)
        assert thread is not None
        assert not thread.subscribed, "the user's program may take it up again: we do not hold it"

        again = await start_daemon(installation.launch)
        try:
            await until(on_shared(companion))
            await companion.codex.caught_up(PATIENCE_SECONDS)
            asked = await installation.turn(worker, {"say": "after all"})
            log = await installation.log_until(worker, said("after all"), turns_ended(2))
        finally:
            await again.kill()

    assert asked.state == "completed"
    assert_sound(log)


async def test_a_thread_of_a_daemon_that_is_gone_goes_on_here_when_somebody_asks(installation: Installation) -> None:
    async with installation.companion() as companion:
        async with daemon_of(installation.launch) as daemon, client_of(daemon.socket) as terminal:
            await until(on_shared(companion))
            thread_id = await terminal.start_thread(installation.project)
            await terminal.turn(thread_id, {"say": "there"})
            await installation.log_until_there(f"desktopw:{thread_id}", method("turn/completed"))
        await until(on_own(companion))
        asked = await installation.turn(f"desktopw:{thread_id}", {"say": "here"})
        log = await installation.log_until(f"desktopw:{thread_id}", said("here"), turns_ended(2))

    assert asked.state == "completed"
    assert "desktop/turn_cut_off" not in methods(log)
    assert_sound(log)


async def test_on_the_shared_daemon_a_question_waits_for_a_person_at_either_end(installation: Installation) -> None:
    async with (
        daemon_of(installation.launch) as daemon,
        client_of(daemon.socket) as terminal,
        installation.companion(approval_ttl_ms=1000),
    ):
        thread_id = await terminal.start_thread(installation.project, approvalPolicy="untrusted")
        worker = f"desktopw:{thread_id}"
        await terminal.turn(thread_id, {"shell": "echo asked"}, {"shell": "echo again"}, {"say": "done"})
        question = await terminal.heard("item/commandExecution/requestApproval")
        (here,) = await pending(installation)
        assert here.expires_at is None, "the clock decides nothing on what others use, too"
        await terminal.connection.answer(question.id, {"decision": "accept"})
        superseded = await ended(installation, here)
        (here,) = await pending(installation)
        await decide(installation, here, "decline")
        applied = await ended(installation, here)
        await installation.log_until(worker, method("turn/completed"))
        resolved = await terminal.heard("serverRequest/resolved", times=2)

    assert end(superseded) == ("superseded", "accepted", None)
    assert end(applied) == ("applied", "declined", None)
    assert b'"requestId":1' in bytes(resolved.params)


async def test_joining_can_be_switched_off(installation: Installation) -> None:
    async with daemon_of(installation.launch), installation.companion(join_shared_codex=False) as companion:
        worker = await installation.start_thread()
        await installation.turn(worker, {"say": "on our own"})
        await installation.log_until(worker, method("turn/completed"))
        assert on_own(companion)()
        assert companion.codex.server.alive


async def looked_for(companion: Companion) -> None:
    """Until the supervisor has looked for a daemon three times, and once more begun to."""
    shared = companion.codex._shared
    assert shared is not None
    honest, looks = shared.there, []

    def there() -> bool:
        looks.append(honest())
        return looks[-1]

    shared.there = there
    await until(lambda: len(looks) >= 4)


def said(words: str):
    return lambda event: item("agentMessage")(event) and event.payload["params"]["item"]["text"] == words


def turns_ended(number: int):
    seen: set[str] = set()

    def fits(event) -> bool:
        if method("turn/completed")(event):
            seen.add(event.eventId)
        return len(seen) >= number

    return fits
