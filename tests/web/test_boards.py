"""The timelines that all who look share, while another finds that a log does not go on."""

from __future__ import annotations

import asyncio
from typing import cast

from tests.web.timelines import Story

from autopilot.client.client import RuntimeCodexClient
from autopilot.contract import Envelope
from autopilot.web.boards import Board


class Slow:
    """A log whose next page comes when it may."""

    def __init__(self, events: list[Envelope]) -> None:
        self._told = events
        self.asked, self.may = asyncio.Event(), asyncio.Event()

    async def events(self, _worker_id: str, *, after: int = 0, before: int | None = None, limit: int) -> list[Envelope]:
        if before is None:
            self.asked.set()
            await self.may.wait()
        return [one for one in self._told if after < one.seq < (before or len(self._told) + 1)][:limit]


async def test_who_reads_on_while_another_finds_that_a_log_is_over_gets_what_there_is():
    story = Story()
    for number in range(4):
        story.codex("item/completed", threadId="t", item={"type": "agentMessage", "id": f"m{number}", "text": "words"})
    slow, board = Slow(story.events), Board("w")
    client = cast("RuntimeCodexClient", slow)
    await board.timeline(client, 2)
    async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(board.timeline(client, 4))
        await slow.asked.wait()
        board.forget()
        slow.may.set()
    assert reading.result().seq == 4
    assert (await board.timeline(client, 3)).seq == 3  # and is kept for nobody
