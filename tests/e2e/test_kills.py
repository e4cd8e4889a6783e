"""kill -9, at drawn points of scripted turns: Codex, companion, API, runtime, Postgres, followers, and all at once.

`.venv/bin/pytest tests/e2e/test_kills.py -k "seed17]" --endurance` plays the round of one seed again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest
from tests.e2e.kill_plan import FULL_ACCESS, plan
from tests.e2e.kill_round import played
from tests.e2e.kill_truth import assert_stopped, assert_true
from tests.e2e.killable import Killable, killable

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@dataclass
class Laboratory:
    """One installation for as many rounds as end well; after one that did not, a fresh one."""

    stack: AsyncExitStack = field(default_factory=AsyncExitStack)
    installation: Killable | None = None

    async def running(self, shape: tuple[str, ...]) -> Killable:
        """An installation of this shape, the same home again if nothing speaks against it."""
        if self.installation is None or self.installation.spoiled is not None:
            await self.stack.aclose()
            self.installation = await self.stack.enter_async_context(killable())
            await self.installation.start(shape)
            await self.installation.allow(FULL_ACCESS)
        elif self.installation.shape != shape:
            assert await self.installation.stop() == 0
            await self.installation.start(shape)
        return self.installation


@pytest.fixture(scope="module")
async def laboratory(anyio_backend: str) -> AsyncIterator[Laboratory]:
    made = Laboratory()
    async with made.stack:
        yield made


@pytest.mark.seeds(10, 50)
@pytest.mark.timeout(240)
async def test_whoever_is_killed_nothing_is_lost_doubled_or_untrue(laboratory: Laboratory, seed: int) -> None:
    drawn = plan(seed)
    installation = await laboratory.running(drawn.shape)
    try:
        async with played(installation, drawn) as after:
            await assert_true(after)
            await after.stop_under_fire()
            await assert_stopped(after)
    except BaseException as error:
        installation.spoiled = f"seed {seed}"
        installation.end_everything()
        error.add_note(f"logs and data are kept in {installation.home.parent}")
        error.add_note(f"again: .venv/bin/pytest tests/e2e/test_kills.py --endurance -k 'seed{seed}]'")
        raise
