"""The owner at the machine is asked for nothing, ten minutes after the sign-in or ten days; elsewhere a code is."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.api.served import ServedApi, serving

from autopilot.api.sessions import Lifetimes
from autopilot.api.settings import Limits
from autopilot.cli import devices, policy, step_up
from autopilot.cli.credentials import LocalTokens
from autopilot.cli.options import Options
from autopilot.client import FileTokenStore, MemoryTokenStore, RuntimeCodexClient, Session
from autopilot.contract import SetPolicy
from autopilot.contract.errors import Forbidden
from autopilot.runtime.app import build
from autopilot.runtime.settings import RuntimeSettings

SETTINGS = RuntimeSettings(digest_key=b"digest" * 6, delivery_key=b"d" * 32, seal_key=b"s" * 32)
MODELS = "[models]\nallow = ['gpt-*']\n"


@dataclass
class Desk:
    """A server whose caches remember for a second as always, and the owner's own store of tokens."""

    api: ServedApi
    local: LocalTokens
    folder: Path

    @property
    def json(self) -> Options:
        return Options(url=self.api.url, json=True)


@pytest.fixture
async def desk(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.setenv("AUTOPILOT_HOME", str(tmp_path))
    async with await build(SETTINGS, dsn=database) as runtime, serving(database, runtime, limits=Limits()) as api:
        store = FileTokenStore(tmp_path / "credentials.json")
        yield Desk(api, LocalTokens(store, database, api.url, Lifetimes()), tmp_path)


async def expire(api: ServedApi) -> None:
    """Ten minutes later, as far as the server knows."""
    for row in await api.pool.fetch("update api.session set stepped_up_until = clock_timestamp() returning session_id"):
        api.app.state.api.grants.forget(row["session_id"])


@asynccontextmanager
async def client_of(desk: Desk, tokens: LocalTokens | Session) -> AsyncIterator[RuntimeCodexClient]:
    async with RuntimeCodexClient(desk.api.url, tokens, surface="cli") as client:
        await client.policies()
        await expire(desk.api)
        await client.policies()  # now the server remembers for a second that it is not stepped up
        yield client


def document(expected: int = 0) -> SetPolicy:
    return SetPolicy(subject="user", format="toml", text=MODELS, expected_version=expected)


async def test_the_owner_at_the_machine_sets_a_policy_without_being_asked_anything(desk: Desk):
    async with client_of(desk, desk.local) as client:
        assert (await client.set_policy(document())).version == 1
        assert (await client.set_policy(document(1))).version == 2

    assert await desk.api.pool.fetchval("select count(*) from api.session") == 1  # not a device more for it
    assert await desk.api.pool.fetchval("select count(*) from api.audit where action = 'stepped_up'") == 1


async def test_a_copy_of_the_owners_tokens_without_the_database_sets_none(desk: Desk):
    async with client_of(desk, desk.local):
        kept = desk.local.store.load()
        assert kept is not None
        copy = MemoryTokenStore()
        copy.save(kept)
        async with Session(desk.api.url, copy) as thief, RuntimeCodexClient(desk.api.url, thief) as client:
            with pytest.raises(Forbidden) as refused:
                await client.set_policy(document())
    assert refused.value.reason_code == "step_up_required"


async def test_a_script_steps_its_session_up_by_two_commands(desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys):
    store = MemoryTokenStore()
    monkeypatch.setattr("autopilot.cli.logins.store_of", lambda _url, _environ: store)
    async with Session(desk.api.url, store) as session:
        await session.verify(await desk.api.code_for("ada@example.org"), email="ada@example.org", with_key=True)
        await session.renew(await session.access_token())
    await expire(desk.api)
    file = desk.folder / "policy.toml"
    file.write_text(MODELS)

    with pytest.raises(Forbidden):
        await policy.put(str(file), options=desk.json)
    await step_up.step_up(options=desk.json)
    await desk.api.app.state.api.postman.delivered()
    await step_up.step_up(code=desk.api.post.mails[-1].code, options=desk.json)
    await policy.put(str(file), options=desk.json)
    await devices.devices(options=desk.json)

    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith(("{", "[{"))]
    assert [one["stepped_up"] for one in printed if isinstance(one, dict) and "stepped_up" in one] == [False, True]
    assert printed[-1][0]["signs"] is True
