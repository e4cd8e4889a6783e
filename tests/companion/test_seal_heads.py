"""The head of the chain of seals that a companion keeps finds what the database alone can't tell."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from tests.api.served import serving

from autopilot.api import tokens
from autopilot.cli import audit, audit_heads
from autopilot.cli.checks import seals
from autopilot.cli.checks.finding import Verdict
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.home import Home
from autopilot.cli.keys import Keys, KeySettings
from autopilot.cli.options import Options
from autopilot.client import RuntimeCodexClient
from autopilot.companion import seal_heads
from autopilot.companion.database import FILE, UPGRADES, Database, open_file
from autopilot.companion.facts import MachineFacts
from autopilot.companion.identity import Machine
from autopilot.companion.leases import Leases
from autopilot.companion.outbox import Outbox
from autopilot.companion.presence import Presence
from autopilot.companion.seal_heads import MOST_LOST, Kept, SealHeads
from autopilot.companion.threads import Naming, Threads
from autopilot.contract import HeartbeatResult, SealHead
from autopilot.ops.clock import SystemClock
from autopilot.runtime.app import Runtime, build
from autopilot.runtime.seal import Sealer
from autopilot.runtime.seal_workers import WorkerLogs
from autopilot.runtime.settings import RuntimeSettings
from autopilot.testing.clock import FakeClock
from autopilot.testing.runtime import batch, draft, insert_worker

MACHINE = Machine("m1", "desk")


def head(number: int, digit: str = "a") -> SealHead:
    return SealHead(seal_no=number, digest=digit * 64)


def answer(latest: SealHead | None, there: SealHead | None = None) -> HeartbeatResult:
    return HeartbeatResult(machine_id="m1", latest_seal=latest, seal_there=there)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    made = Database(tmp_path / FILE)
    await made.open()
    yield made
    await made.close()


@pytest.fixture
def facts() -> MachineFacts:
    return MachineFacts()


@pytest.fixture
def heads(database: Database, facts: MachineFacts) -> SealHeads:
    return SealHeads(database, facts, FakeClock(), server="http://127.0.0.1:1")


def states(facts: MachineFacts) -> list[str]:
    return [fact.params["state"] for fact in facts.pending() if fact.method == seal_heads.FACT]


async def present(heads: SealHeads) -> Kept:
    kept = await heads.kept()
    assert kept is not None
    return kept


async def test_the_first_head_is_kept_and_a_later_one_of_the_same_chain_takes_its_place(heads, facts, tmp_path):
    assert await heads.kept() is None
    await heads.answered(None, answer(None))
    await heads.answered(None, answer(head(3)))
    first = await present(heads)
    await heads.answered(first, answer(head(5), head(3)))

    assert (first.seal_no, (await present(heads)).seal_no) == (3, 5)
    assert [one.name for one in seal_heads.read(tmp_path)] == [f"5:{'a' * 64}"]
    assert states(facts) == ["held"]


@pytest.mark.parametrize(
    ("latest", "there"),
    [(head(7, "b"), head(5, "b")), (head(2), None), (None, None)],
    ids=["rewritten", "restored from an older backup", "no seals at all"],
)
async def test_a_chain_without_the_kept_head_is_a_fact_and_the_head_stays_as_evidence(heads, facts, latest, there):
    await heads.answered(None, answer(head(5)))
    facts.told(facts.pending())

    await heads.answered(await present(heads), answer(latest, there))

    assert states(facts) == ["lost"]
    (fact,) = facts.pending()
    assert fact.params["lost"][0]["kept"] == f"5:{'a' * 64}"
    following = await heads.kept()
    assert (following and following.head) == latest, "the other chain is held to what it shows from now on"


async def test_an_answer_that_was_overtaken_moves_no_head_back_and_loses_none(heads, facts):
    await heads.answered(None, answer(head(3)))
    asked = await present(heads)
    await heads.answered(asked, answer(head(9), head(3)))
    await heads.answered(asked, answer(head(6), head(3)))
    assert (await present(heads)).seal_no == 9
    later = await present(heads)
    await heads.answered(later, answer(head(4, "b")))
    await heads.answered(later, answer(head(4, "b")))

    assert [one.seal_no for one in await heads._database.run(seal_heads._rows)] == [9, 4]


async def test_a_lost_head_is_told_again_after_a_restart_until_a_person_accepts_it(heads, database, tmp_path):
    await heads.answered(None, answer(head(5)))
    await heads.answered(await present(heads), answer(head(2, "b")))
    again = MachineFacts()
    restarted = SealHeads(database, again, FakeClock(), server="http://127.0.0.1:2")

    await restarted.kept()
    assert states(again) == ["lost"]
    assert seal_heads.accept(tmp_path, f"5:{'a' * 64}", "2026-11-23T00:00:00Z")
    await restarted.kept()

    assert states(again) == ["held"]
    assert not seal_heads.accept(tmp_path, f"5:{'a' * 64}", "2026-11-23T00:00:00Z")
    assert [(one.seal_no, one.accepted_at is not None) for one in seal_heads.read(tmp_path)] == [(5, True), (2, False)]


async def test_a_server_that_shows_another_chain_each_time_fills_no_disk(heads, tmp_path):
    await heads.answered(None, answer(head(1)))
    for number in range(2, MOST_LOST + 10):
        await heads.answered(await present(heads), answer(head(number, "b")))

    kept = seal_heads.read(tmp_path)
    assert len(kept) == MOST_LOST + 1
    assert kept[0].name == f"1:{'a' * 64}", "the oldest is the evidence"


def test_a_file_of_the_version_before_is_brought_up_to_date(tmp_path):
    older = sqlite3.connect(tmp_path / FILE)
    older.executescript(
        "create table setting (name text primary key, value text not null);"
        "create table approval (approval_id text primary key); pragma user_version = 5;"
    )
    older.close()
    assert seal_heads.read(tmp_path) == []

    open_file(tmp_path / FILE).close()

    assert 6 in UPGRADES
    assert not seal_heads.accept(tmp_path, "1:aa", "2026-11-23T00:00:00Z")


@dataclass
class Setting:
    """A runtime with a sealed log, its API, and the part of a companion that speaks to it."""

    runtime: Runtime
    home: Home
    seed: bytes
    leases: Leases
    owner: RuntimeCodexClient

    async def seal(self) -> None:
        await Sealer(self.runtime.pool, self.seed, SystemClock(), (WorkerLogs(),)).seal_all()

    async def append(self, event_id: str) -> None:
        await self.runtime.ledger.append(batch("w", draft(event_id, method=f"method/{event_id}")))

    async def state(self) -> str:
        """What a client sees of the machine."""
        (machine,) = await self.owner.machines()
        (fact,) = [fact for fact in machine.facts if fact.method == seal_heads.FACT]
        return fact.params["state"]


@pytest.fixture
async def setting(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, facts: MachineFacts
) -> AsyncIterator[Setting]:
    home = Home(tmp_path).make()
    seed = Keys(KeySettings(home=tmp_path), home).seal
    settings = RuntimeSettings(digest_key=b"d" * 32, delivery_key=b"d" * 32, seal_key=seed)
    async with AsyncExitStack() as stack:
        dsn = await stack.enter_async_context(cluster.database())
        monkeypatch.setenv("AUTOPILOT_HOME", str(tmp_path))
        monkeypatch.setenv("DATABASE_URL", dsn)
        runtime = await build(settings, dsn=dsn)
        runtime.background = [runtime.ledger.run]  # nothing is sealed but by the test: the worker's log alone
        await stack.enter_async_context(runtime)
        api = await stack.enter_async_context(serving(dsn, runtime))
        executor = await tokens.mint(api.pool, scopes=("execute",), machine_id="m1", surface="companion")
        person = await tokens.mint(api.pool, scopes=("observe", "administer"))
        client = RuntimeCodexClient(api.url, executor.token, surface="companion")
        owner = RuntimeCodexClient(api.url, person.token)
        kept_in = Database(home.companion / FILE)
        await kept_in.open()
        stack.push_async_callback(kept_in.close)
        clock = SystemClock()
        heads = SealHeads(kept_in, facts, clock, server=client.base_url)
        leases = Leases(
            await stack.enter_async_context(client),
            MACHINE,
            Presence(client, MACHINE, facts=facts, heads=heads, clock=clock, session_id="s"),
            threads=Threads(Naming()),
            database=kept_in,
            outbox=Outbox(),
            clock=clock,
            heartbeat_seconds=30.0,
        )
        await leases.register()
        await insert_worker(runtime, "w")
        made = Setting(runtime, home, seed, leases, await stack.enter_async_context(owner))
        for event_id in ("one", "two", "three"):
            await made.append(event_id)
            await made.seal()
        yield made


async def rewritten(setting: Setting) -> None:
    """What a thief of the signing key does: another event, and all seals made anew over it."""
    await setting.runtime.pool.execute("update event set frame = replace(frame, 'method/two', 'method/2ww')")
    await setting.runtime.pool.execute("delete from seal")
    await setting.seal()
    for event_id in ("four", "five", "six", "seven"):
        await setting.append(event_id)
        await setting.seal()


async def cut_back(setting: Setting) -> None:
    """What restoring an older backup does."""
    await setting.runtime.pool.execute("delete from seal where seal_no = 3")
    await setting.runtime.pool.execute("delete from event where seq = 3")
    await setting.runtime.pool.execute("update worker_head set latest_seq = 2")


@pytest.mark.parametrize("change", [rewritten, cut_back])
async def test_only_the_kept_head_finds_a_database_that_was_rewritten_with_the_key_or_restored(
    setting: Setting, change: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    await setting.leases.heartbeat()
    await setting.leases.heartbeat()
    assert await setting.state() == "held"
    assert await audit.verify() == Exit.OK
    (fine,) = await seals.kept(setting.home)
    assert fine.verdict is Verdict.OK
    await change(setting)

    assert await audit.verify() == Exit.FAILED
    assert "rolled_back" in capsys.readouterr().out
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(audit, "heads_of_companion", lambda _home, _url: ([], []))
        assert await audit.verify() == Exit.OK, "the database alone can't tell"
    await setting.leases.heartbeat()
    await setting.leases.heartbeat()

    assert await setting.state() == "lost"
    (found,) = await seals.kept(setting.home)
    assert found.verdict is Verdict.PROBLEM
    assert "restored from an older backup, or rewritten" in found.says
    assert await audit.verify() == Exit.FAILED, "the evidence stays, although the new chain is followed"


@pytest.mark.parametrize("public_url", [None, "https://elsewhere.example/"])
async def test_a_head_that_another_server_showed_is_told_and_not_held_against_this_database(
    setting: Setting, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, public_url: str | None
) -> None:
    """A companion worked for a server elsewhere before this folder had an installation of its own."""
    if public_url is not None:
        monkeypatch.setenv("AUTOPILOT_PUBLIC_URL", public_url)
    await setting.leases.heartbeat()
    with closing(sqlite3.connect(setting.home.companion / FILE)) as db, db:
        db.execute("update seal_head set shown_by = 'https://elsewhere.example', digest = ?", ("00" * 32,))

    code, said = await audit.verify(), capsys.readouterr().out

    assert (code, "rolled_back" in said) == ((Exit.OK, False) if public_url is None else (Exit.FAILED, True))
    assert ("Not held to seal" in said) is (public_url is None)


async def test_a_person_who_restored_a_backup_accepts_that_the_head_is_lost(setting: Setting, capsys) -> None:
    await setting.leases.heartbeat()
    await cut_back(setting)
    await setting.leases.heartbeat()
    assert await audit_heads.heads() == Exit.FAILED
    name = next(one.name for one in seal_heads.read(setting.home.companion) if one.is_lost)
    assert f"autopilot audit accept {name}" in capsys.readouterr().out

    with pytest.raises(CommandFailed, match="No head"):
        await audit_heads.accept("3:00")
    await audit_heads.accept(name, options=Options(json=True))
    await setting.leases.heartbeat()
    await setting.leases.heartbeat()

    assert await audit.verify() == Exit.OK
    assert await audit_heads.heads() == Exit.OK
    assert await setting.state() == "held"
    assert [finding.verdict for finding in await seals.kept(setting.home)] == [Verdict.OK]


async def test_a_machine_that_keeps_nothing_asks_for_nothing_and_is_shown_the_head(setting: Setting) -> None:
    client = cast("Any", setting.leases)._client

    nothing = await client.heartbeat("m1", [])
    unknown = await client.heartbeat("m1", [], kept_seal=head(99))

    assert (nothing.latest_seal.seal_no, nothing.seal_there) == (3, None)
    assert (unknown.latest_seal, unknown.seal_there) == (nothing.latest_seal, None)
