"""Questions of ephemeral threads, which are no workers: told under the worker that they came from, or nobody's.

What Codex does (0.163.0, 0.169.0): every connection hears a sub-agent's thread from its birth, its questions too, but
nobody is told that it began. A sub-agent of an ephemeral thread is ephemeral; that can be read, and never taken up, so
that Codex repeats none of its questions to a later connection. What an ephemeral copy is of is said once, as it begins.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import msgspec
import pytest
from tests.companion.asking import UNTRUSTED, decide, end, ended, pending
from tests.companion.daemon import Client, client_of, daemon_of
from tests.companion.installation import Installation, assert_sound, method
from tests.waiting import until

from autopilot.companion.app import Companion
from autopilot.testing.model import script

pytestmark = pytest.mark.e2e
CHILD = script({"shell": "echo child > child.txt"}, {"say": "child done"})
SPAWN = {"call": {"name": "spawn_agent", "namespace": "multi_agent_v1", "arguments": {"message": CHILD}}}


async def ephemeral_copy(client: Client, thread_id: str) -> str:
    """An ephemeral thread with the history of another one."""
    params = {"threadId": thread_id, "ephemeral": True, "excludeTurns": True, **UNTRUSTED}
    told = msgspec.json.decode(await client.connection.call("thread/fork", params))
    return str(told["thread"]["id"])


@asynccontextmanager
async def beside(installation: Installation) -> AsyncIterator[tuple[Companion, Client, str]]:
    """A companion on the user's daemon, a terminal at it, and a worker of that terminal's."""
    async with at(installation, shared=True) as (companion, terminal):
        thread_id = await terminal.start_thread(installation.project, **UNTRUSTED)
        await terminal.turn(thread_id, {"say": "before"})
        await installation.log_until_there(f"desktopw:{thread_id}", method("turn/completed"))
        yield companion, terminal, thread_id


async def test_a_question_of_an_ephemeral_sub_agent_is_told_under_the_worker_it_came_from_and_answered_there(
    installation: Installation,
) -> None:
    async with beside(installation) as (_, terminal, thread_id):
        copy = await ephemeral_copy(terminal, thread_id)
        await terminal.turn(copy, SPAWN, {"say": "waits"})
        (asked,) = await pending(installation)
        await decide(installation, asked, "accept")
        over = await ended(installation, asked)
        await until((installation.project / "child.txt").exists)
        workers = [one.worker_id async for one in installation.owner.every_worker()]
        log = await installation.whole_log(f"desktopw:{thread_id}")

    assert (asked.worker_id, asked.parent_thread_id) == (f"desktopw:{thread_id}", thread_id)
    assert asked.thread_id not in {thread_id, copy}
    assert end(over) == ("applied", "accepted", None)
    assert workers == [f"desktopw:{thread_id}"]
    assert {event.payload["params"]["threadId"] for event in log if "threadId" in event.payload.get("params", {})} == {
        thread_id,
        asked.thread_id,
    }
    said_of_the_child = [event for event in log if event.payload.get("params", {}).get("threadId") == asked.thread_id]
    assert [event.eventType for event in said_of_the_child] == ["worker.approval.requested"]
    assert_sound(log)


async def test_it_ends_with_its_turn_and_with_the_connection_over_which_it_was_asked(
    installation: Installation,
) -> None:
    async with beside(installation) as (companion, terminal, thread_id):
        copy = await ephemeral_copy(terminal, thread_id)
        await terminal.turn(copy, SPAWN, {"say": "waits"})
        (first,) = await pending(installation)
        params = {"threadId": first.thread_id, "turnId": first.turn_id}
        await terminal.connection.call("turn/interrupt", params)
        interrupted = await ended(installation, first)
        await terminal.turn(copy, SPAWN, {"say": "waits"})
        (second,) = await pending(installation)
        companion.codex.reconnect()
        unreachable = await ended(installation, second)

    assert end(interrupted) == ("closed", None, "turn_interrupted")
    assert end(unreachable) == ("closed", None, "out_of_reach")


@pytest.mark.parametrize("shared", [True, False], ids=["the user's own daemon", "our own Codex"])
async def test_where_it_came_from_no_worker_it_is_left_to_the_terminal_and_our_own_codex_does_not_wait(
    installation: Installation, *, shared: bool
) -> None:
    async with at(installation, shared=shared) as (companion, client):
        thread_id = await client.start_thread(installation.project, ephemeral=True, **UNTRUSTED)
        await client.turn(thread_id, SPAWN, {"say": "waits"})
        asked = await client.heard("item/commandExecution/requestApproval")
        if shared:
            await until(lambda: companion.threads.is_hidden(of(asked.params)["threadId"]))
            await companion.recorder.settle()
            await client.connection.answer(asked.id, {"decision": "accept"})
            await until((installation.project / "child.txt").exists)
        else:
            await client.heard("turn/completed", times=2)  # the child's, too: nobody is waited for
        approvals = [one async for one in installation.owner.every_approval(state="all")]

    assert approvals == []
    assert (installation.project / "child.txt").exists() is shared


@asynccontextmanager
async def at(installation: Installation, *, shared: bool) -> AsyncIterator[tuple[Companion, Client]]:
    """A companion, and another client at its Codex."""
    async with AsyncExitStack() as stack:
        daemon = await stack.enter_async_context(daemon_of(installation.launch)) if shared else None
        companion = await stack.enter_async_context(installation.companion())
        socket = companion.codex.server.launch.socket if daemon is None else daemon.socket
        yield companion, await stack.enter_async_context(client_of(socket))


def of(params: msgspec.Raw) -> dict[str, Any]:
    told = msgspec.json.decode(params)
    assert isinstance(told, dict)
    return told
