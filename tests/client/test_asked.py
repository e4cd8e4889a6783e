"""What a screen asks for: what was said stays, the last asking counts, a failure is told and takes nothing away."""

from __future__ import annotations

import asyncio

import pytest

from autopilot.client.asked import Asked
from autopilot.client.code_prompt import CodePrompt
from autopilot.contract.errors import Forbidden, NetworkError
from autopilot.testing.clock import FakeClock


class Answers:
    """A server that answers when it is let."""

    def __init__(self) -> None:
        self.waiting: list[asyncio.Future[str]] = []

    async def __call__(self) -> str:
        self.waiting.append(asyncio.get_running_loop().create_future())
        return await self.waiting[-1]


async def test_what_was_said_stays_while_it_is_asked_for_again_and_where_that_fails():
    clock, answers = FakeClock(), Answers()
    asked = Asked(clock, answers)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(asked.look())
        await asyncio.sleep(0)
        assert (asked.view.value, asked.view.is_asking) == (None, True)
        answers.waiting[0].set_result("one")
    assert (asked.view.value, asked.view.as_of, asked.view.is_asking) == ("one", clock.now(), False)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(asked.look())
        await asyncio.sleep(0)
        assert (asked.view.value, asked.view.is_asking) == ("one", True)
        answers.waiting[1].set_exception(NetworkError("no way", reason_code="connection"))
    assert asked.view.value == "one"
    assert asked.view.error is not None
    assert not asked.view.is_asking


async def test_of_two_at_once_the_last_one_counts():
    answers = Answers()
    asked = Asked(FakeClock(), answers)
    async with asyncio.TaskGroup() as tasks:
        for number in range(2):
            tasks.create_task(asked.look())
            await asyncio.sleep(0)
            assert len(answers.waiting) == number + 1
        answers.waiting[1].set_result("new")
        await asyncio.sleep(0)
        answers.waiting[0].set_result("old")
    assert asked.view.value == "new"


async def test_one_that_nobody_waits_for_any_more_is_not_being_asked():
    asked = Asked(FakeClock(), Answers())
    looking = asyncio.ensure_future(asked.look())  # noqa: TID251 - it is cancelled here, as a screen that goes is
    await asyncio.sleep(0)
    looking.cancel()
    await asyncio.gather(looking, return_exceptions=True)
    assert not asked.view.is_asking


async def test_something_else_is_asked_from_nothing():
    async def one() -> str:
        return "one"

    async def other() -> str:
        if len(seen) < 1:
            seen.append(asked.view.value)
        return "other"

    seen: list[str | None] = []

    asked = Asked(FakeClock(), one)
    await asked.look()
    await asked.look(other)
    await asked.look()
    assert (asked.view.value, seen) == ("other", [None])


async def test_a_person_gives_a_code_once():
    prompt = CodePrompt()
    async with asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(prompt.ask())
        await asyncio.sleep(0)
        assert prompt.view.is_asked
        with pytest.raises(Forbidden):
            await prompt.ask()
        prompt.give(" 123456 ")
        prompt.give("654321")
    assert asking.result() == "123456"
    assert not prompt.view.is_asked


async def test_a_person_who_gives_none_proves_nothing():
    prompt = CodePrompt()
    asking = asyncio.ensure_future(prompt.ask())  # noqa: TID251 - its error is looked at here
    await asyncio.sleep(0)
    prompt.cancel()
    with pytest.raises(Forbidden) as refused:
        await asking
    assert refused.value.reason_code == "step_up_required"
    assert not prompt.view.is_asked
