"""A companion under `up` that is signed out is signed in anew, unless a person signed it out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from tests.api.served import EchoRuntime, ServedApi, eventually, serving

from autopilot.api.settings import ApiSettings
from autopilot.cli.credentials import Wanted, lifetimes_of
from autopilot.cli.own_machine import REFUSED, OwnMachine, ended_by_hand
from autopilot.client import Session, SignInAgain
from autopilot.client.tokens import Credentials, FileTokenStore
from autopilot.ops.clock import SystemClock
from autopilot.testing.clock import FakeClock

ACCESS_SECONDS = "7"


class Machine:
    """This machine: its keeper, what that remarked, and the companion's session."""

    def __init__(self, api: ServedApi, dsn: str, folder: Path) -> None:
        self.api = api
        self.remarks: list[str] = []
        self.store = FileTokenStore(folder / "credentials.json")
        self.clock = FakeClock()
        self.keeper = OwnMachine(
            store=self.store,
            wanted=Wanted(
                scopes=("execute",),
                surface="companion",
                name="here",
                machine_id="machine-1",
                lifetimes=lifetimes_of({"AUTOPILOT_ACCESS_SECONDS": ACCESS_SECONDS}),
            ),
            url=api.url,
            dsn=dsn,
            clock=self.clock,
            remark=self.remarks.append,
        )

    @property
    def held(self) -> Credentials:
        held = self.store.load()
        assert held is not None
        return held

    @asynccontextmanager
    async def companion(self) -> AsyncIterator[Session]:
        """Signed in as a companion is, with a keeper that hears it."""
        await self.keeper.sign_in()
        async with Session(self.api.url, self.store, surface="companion", clock=SystemClock()) as session:
            session.on_state(lambda state: self.keeper.heard(state.kind) if state.kind == "signed_out" else None)
            async with asyncio.TaskGroup() as tasks:
                keeping = tasks.create_task(self.keeper.keep())
                yield session
                keeping.cancel()

    async def is_answered(self, token: str) -> bool:
        answer = await self.api.client.get("/api/me", headers={"authorization": f"Bearer {token}"})
        return answer.status_code == httpx2.codes.OK

    async def lose_the_answer_of_a_refresh(self) -> None:
        """The server rotated, the companion never heard of it, and the time in which that is forgiven passed."""
        body = {"refresh_token": self.held.refresh_token}
        assert (await self.api.client.post("/api/auth/refresh", json=body)).status_code == httpx2.codes.OK
        await self.api.pool.execute("update api.refresh_token set replaced_at = replaced_at - interval '61 seconds'")

    async def signed_out(self, session: Session) -> None:
        with pytest.raises(SignInAgain):
            await session.renew(self.held.access_token)

    async def signed_in_anew(self, session: Session, before: Credentials) -> None:
        """The very session that was signed out goes on, and says so."""
        await eventually(lambda: self.held.refresh_token != before.refresh_token)
        assert await self.is_answered(await session.renew(before.access_token))
        assert session.state.kind == "signed_in"


@pytest.fixture
async def machine(database: str, tmp_path: Path) -> AsyncIterator[Machine]:
    async with serving(
        database, EchoRuntime(), settings=ApiSettings(access_seconds=float(ACCESS_SECONDS), sign_up="open")
    ) as api:
        yield Machine(api, database, tmp_path)


async def test_its_first_token_lives_as_short_as_the_installation_says(machine: Machine) -> None:
    async with machine.companion():
        assert machine.held.lives_seconds == float(ACCESS_SECONDS)
        lives = "select extract(epoch from expires_at - clock_timestamp())::float8 from api.access_token"
        assert await machine.api.pool.fetchval(lives) <= float(ACCESS_SECONDS)


async def test_a_refresh_whose_answer_was_lost_for_longer_than_is_forgiven_ends_that_session_and_makes_another(
    machine: Machine,
) -> None:
    async with machine.companion() as session:
        before = machine.held
        await machine.lose_the_answer_of_a_refresh()
        await machine.signed_out(session)

        await machine.signed_in_anew(session, before)

        reasons = await machine.api.pool.fetch("select end_reason from api.session order by created_at")
        assert [row["end_reason"] for row in reasons] == ["refresh_reused", None], "the rule for reuse is not bent"
        body = {"refresh_token": before.refresh_token}
        assert (await machine.api.client.post("/api/auth/refresh", json=body)).status_code == 401


async def test_a_second_loss_is_heard_as_the_first_was(machine: Machine) -> None:
    async with machine.companion() as session:
        for _ in range(2):
            before = machine.held
            await machine.lose_the_answer_of_a_refresh()
            await machine.signed_out(session)
            await machine.signed_in_anew(session, before)


async def test_credentials_that_are_lost_are_made_anew(machine: Machine) -> None:
    async with machine.companion() as session:
        before = machine.held
        machine.store.path.write_text("{")
        with pytest.raises(SignInAgain):
            await session.renew(before.access_token)
        await eventually(lambda: machine.store.load() is not None)

        assert await machine.is_answered(await session.renew(before.access_token))


async def test_tokens_of_another_database_are_replaced(machine: Machine) -> None:
    async with machine.companion() as session:
        before = machine.held
        await machine.api.pool.execute("delete from api.refresh_token")
        await machine.signed_out(session)

        await machine.signed_in_anew(session, before)


async def test_what_a_person_signed_out_stays_so_until_up_starts_again(machine: Machine) -> None:
    async with machine.companion() as session:
        before = machine.held
        bearer = {"authorization": f"Bearer {before.access_token}"}
        assert (await machine.api.client.post("/api/auth/signout", headers=bearer)).is_success
        await machine.signed_out(session)
        await eventually(lambda: bool(machine.remarks))

        assert machine.remarks == [ended_by_hand()]
        assert machine.held == before
        await machine.keeper.sign_in()  # as the next `up` does
        assert await machine.is_answered(machine.held.access_token)


async def test_a_database_that_is_away_is_waited_for(machine: Machine) -> None:
    async with machine.companion() as session:
        before, dsn = machine.held, machine.keeper.dsn
        await machine.lose_the_answer_of_a_refresh()
        machine.keeper.dsn = "postgresql://nobody@127.0.0.1:1/none"
        await machine.signed_out(session)
        async with asyncio.timeout(30):
            await machine.clock.until_sleeping()
        machine.keeper.dsn = dsn
        await machine.clock.advance(60)

        await machine.signed_in_anew(session, before)


def test_a_token_of_the_settings_that_is_refused_is_said(tmp_path: Path) -> None:
    remarks: list[str] = []
    wanted = Wanted(scopes=("execute",), surface="companion", name="here", lifetimes=lifetimes_of({}))
    store = FileTokenStore(tmp_path / "credentials.json")
    keeper = OwnMachine(store=store, wanted=wanted, url="", dsn="", clock=FakeClock(), remark=remarks.append)

    keeper.heard("token_refused")

    assert remarks == [REFUSED]
