"""What guesses may cost, and that they keep nobody out who is behind the same address."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from autopilot.api import strangers
from autopilot.api.limits import Limit
from autopilot.api.strangers import Strangers
from autopilot.contract.errors import RateLimited
from autopilot.testing.clock import FakeClock

BURST = 3
OFFICE = "192.0.2.1"


class Lookups:
    """A database that knows some secrets, and answers when it is let."""

    def __init__(self) -> None:
        self.strangers = Strangers(Limit(0.001, BURST, FakeClock().monotonic), "unknown_tokens")
        self.good: set[bytes] = set()
        self.asked: list[bytes] = []
        self.open = 0
        self.most_open = 0
        self.answers = asyncio.Event()
        self.answers.set()
        self.fails = False

    async def bring(self, secret: bytes, address: str = OFFICE) -> str:
        async def find() -> str | None:
            self.asked.append(secret)
            self.open += 1
            self.most_open = max(self.most_open, self.open)
            try:
                await self.answers.wait()
            finally:
                self.open -= 1
            if self.fails:
                raise ConnectionError
            return "somebody" if secret in self.good else None

        try:
            return await self.strangers.found(secret, lambda: address, find) or "nobody"
        except RateLimited as error:
            return "wait" if error.reason_code == "unknown_tokens" and error.retry_after_seconds else "?"

    async def bring_all(self, secrets: list[bytes]) -> Counter[str]:
        """At once."""
        self.answers.clear()
        async with asyncio.timeout(30), asyncio.TaskGroup() as group:
            tasks = [group.create_task(self.bring(secret)) for secret in secrets]
            for _ in range(3):
                await asyncio.sleep(0)
            self.answers.set()
        return Counter(task.result() for task in tasks)


def guesses(count: int, begin: int = 0) -> list[bytes]:
    return [b"guess%d" % number for number in range(begin, begin + count)]


async def test_guesses_cost_no_more_questions_than_the_limit_and_then_one_at_a_time():
    lookups = Lookups()
    assert await lookups.bring_all(guesses(100)) == {"nobody": BURST, "wait": 97}
    assert len(lookups.asked) == lookups.most_open == BURST + 1
    lookups.most_open = 0
    assert await lookups.bring_all(guesses(100, 100)) == {"wait": 100}
    assert lookups.most_open == 1
    assert await lookups.bring(b"guess", "192.0.2.2") == "nobody"


async def test_who_was_met_is_never_kept_out_and_who_is_new_comes_in_between_two_guesses():
    lookups = Lookups()
    lookups.good = {b"met", b"new"}
    assert await lookups.bring(b"met") == "somebody"
    await lookups.bring_all(guesses(BURST + 1))
    lookups.answers.clear()
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        guess = group.create_task(lookups.bring(b"another"))
        await asyncio.sleep(0)
        met = group.create_task(lookups.bring(b"met"))
        assert await lookups.bring(b"new") == "wait"
        lookups.answers.set()
    assert (guess.result(), met.result()) == ("wait", "somebody")
    assert await lookups.bring(b"new") == "somebody"


async def test_good_secrets_use_up_nothing_and_neither_does_a_database_that_is_away():
    lookups = Lookups()
    for number in range(3 * BURST):
        lookups.good.add(b"good%d" % number)
        assert await lookups.bring(b"good%d" % number) == "somebody"
    lookups.fails = True
    for guess in guesses(3 * BURST):
        with pytest.raises(ConnectionError):
            await lookups.bring(guess)
    lookups.fails = False
    assert [await lookups.bring(guess) for guess in guesses(BURST + 1)] == ["nobody"] * BURST + ["wait"]


async def test_a_secret_that_is_good_no_longer_is_counted_too():
    lookups = Lookups()
    lookups.good = {b"met"}
    await lookups.bring(b"met")
    lookups.good.clear()
    assert [await lookups.bring(b"met") for _ in range(BURST + 1)] == ["nobody"] * BURST + ["wait"]


async def test_no_more_is_remembered_than_the_bound(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(strangers, "REMEMBERED", 5)
    lookups = Lookups()
    lookups.good = set(guesses(20))
    for guess in guesses(20):
        await lookups.bring(guess)
    assert list(lookups.strangers._met) == guesses(5, 15)
