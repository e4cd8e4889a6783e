"""`autopilot audit verify` and `export`, on a database that runs and on one restored from a backup."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from autopilot.cli import audit
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.home import Home
from autopilot.cli.keys import Keys, KeySettings
from autopilot.cli.main import run
from autopilot.cli.options import Options
from autopilot.db.backup import backup, restore
from autopilot.ops.clock import SystemClock
from autopilot.runtime.app import build
from autopilot.runtime.seal import Sealer
from autopilot.runtime.settings import RuntimeSettings
from autopilot.testing.approvals import question
from autopilot.testing.machines import ask, leased
from autopilot.testing.postgres import TestCluster
from autopilot.testing.runtime import batch, call, draft, insert_worker

JSON = Options(json=True)
GUIDE = Path(__file__).resolve().parents[2] / "docs/guide/audit.md"


@pytest.fixture
async def sealed(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The dsn of an installation with a worker of three events: two are sealed."""
    monkeypatch.setenv("AUTOPILOT_HOME", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", database)
    seed = Keys(KeySettings(home=tmp_path), Home(tmp_path)).seal
    settings = RuntimeSettings(digest_key=b"d" * 32, delivery_key=b"d" * 32, seal_key=seed)
    runtime = await build(settings, dsn=database)
    runtime.background = [runtime.ledger.run]
    async with runtime:
        await insert_worker(runtime, "w")
        await runtime.ledger.append(batch("w", draft("e1", method="one", request_id="r1"), draft("e2", method="two")))
        await Sealer(runtime.pool, seed, SystemClock()).seal_all()
        await runtime.ledger.append(batch("w", draft("e3", method="three")))
    return database


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


async def test_a_whole_installation_verifies_and_says_what_is_not_sealed(sealed, capsys):
    assert await audit.verify(options=JSON) == Exit.OK

    (report,) = lines(capsys)
    assert (report["whole"], report["events"], report["seals"]) == (True, 2, 1)
    assert [(tail["worker_id"], tail["events"]) for tail in report["unsealed"]] == [("w", 1)]
    assert await audit.verify(kept=report["head"]) == Exit.OK
    assert "Unbroken up to the last seal: 2 sealed events, in 1 log, 1 seal." in capsys.readouterr().out


async def test_a_break_is_told_in_a_sentence_and_by_the_exit_code(sealed, capsys):
    assert await audit.verify(kept=f"1:{bytes(32).hex()}", worker="w") == Exit.FAILED

    said = capsys.readouterr().out
    assert "rolled_back  Seal 1 is kept by you, but the chain has another one of this number" in said


async def test_a_worker_that_nobody_knows_and_a_head_that_is_none_are_refused(sealed):
    with pytest.raises(CommandFailed, match="no worker nobody"):
        await audit.verify(worker="nobody")
    with pytest.raises(CommandFailed, match="not a head"):
        await audit.verify(kept="x")


async def test_a_part_of_a_head_is_refused_and_not_told_as_a_break(sealed, capsys):
    await audit.verify(options=JSON)
    whole = lines(capsys)[0]["head"]

    for part in (whole[:14], "1:", f"-{whole}", f"1:{'zz' * 32}"):
        with pytest.raises(CommandFailed, match="not a head") as refused:
            await audit.verify(kept=part)
        assert refused.value.exit_code == Exit.USAGE
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("bounds", [["--from", str(2**63)], ["--to", "-1"], ["--from", "3", "--to", "2"]])
async def test_a_range_that_no_log_can_have_makes_no_sense(sealed, bounds):
    assert await asyncio.to_thread(run, ["audit", "export", "--json", *bounds]) == Exit.USAGE


async def test_an_export_says_who_did_what_and_which_seal_covers_it(sealed, capsys):
    await audit.export(worker="w", from_seq=1, to_seq=3)

    told = lines(capsys)
    assert [(line["seq"], line["seal"], line["method"]) for line in told] == [
        (1, 1, "one"),
        (2, 1, "two"),
        (3, None, "three"),
    ]
    assert told[0]["actor"]["user_id"] == 1
    assert (told[0]["device_id"], told[0]["request_id"], told[0]["policy_version"]) == ("device-1", "r1", None)


POLICY = """
[methods]
deny = ["thread/fork"]
[approvals]
answer = { owner = ["command"], rule = ["command"] }
[[approvals.rule]]
name = "no"
kind = "command"
command = ["rm"]
decision = "decline"
"""


async def test_every_request_decision_and_denial_names_actor_device_request_policy_and_rule(
    database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    monkeypatch.setenv("AUTOPILOT_HOME", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", database)
    settings = RuntimeSettings(digest_key=b"d" * 32, delivery_key=b"d" * 32, seal_key=b"s" * 32)
    async with await build(settings, dsn=database) as runtime:
        companion = await leased(runtime)
        document = {"subject": "user", "format": "toml", "text": POLICY, "expected_version": 0}
        await call(runtime, "POST", "/policies", document)
        for path in ("/workers/w", "/machines/m1"):
            await ask(runtime, "thread/read", "r1", path=path, headers={"x-request-id": "x-1"})
            await ask(runtime, "thread/fork", "r2", path=path, headers={"x-request-id": "x-2"})
        command, files = question("w", codex_request_id=1), question("w", codex_request_id=2, kind="file_change")
        removal = question("w", codex_request_id=3, evidence={"command": ["rm", "x"]})
        for asked in (command, files, removal):
            await companion.ask_approval("w", asked)
        for asked in (command, files):
            path = f"/approvals/{asked['approval_id']}/decision"
            await call(runtime, "POST", path, {"option_id": "accept"}, headers={"x-request-id": "x-3"})
    capsys.readouterr()

    await audit.export()

    wanted = ("worker.request.received", "worker.approval.decided", "worker.policy.denied")
    told = [one for one in lines(capsys) if one["source"] == "machine" or one["event_type"] in wanted]
    assert [
        (
            one.get("event_type", one["source"]).rpartition(".")[2],
            one["request_id"] or one["approval_id"],
            one["device_id"],
            one["x_request_id"],
            (one["rule"] or {}).get("rule_id"),
        )
        for one in told
    ] == [
        ("received", "r1", "device-1", "x-1", None),
        ("received", "r2", "device-1", "x-2", None),
        ("denied", "r2", "device-1", "x-2", "methods.deny[0]"),
        ("decided", removal["approval_id"], None, None, "approvals.rule[0]"),
        ("decided", command["approval_id"], "device-1", "x-3", None),
        ("denied", files["approval_id"], "device-1", "x-3", "approvals.answer.owner"),
        ("machine", "r1", "device-1", "x-1", None),
        ("machine", "r2", "device-1", "x-2", "methods.deny[0]"),
    ]
    assert [one["actor"]["surface"] for one in told] == [*["ios"] * 3, "runtime", *["ios"] * 4]
    assert {one["policy_version"]["user"] for one in told} == {1}
    assert [one["rule"]["version"] for one in told if one["rule"]] == [1, 1, 1, 1]


async def test_a_restored_backup_verifies_with_the_keys_that_came_with_it(
    sealed: str, cluster: TestCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    file, home = tmp_path / "b", tmp_path / "elsewhere"
    await backup(sealed, file, secrets_dir=Home(tmp_path).secrets)
    async with cluster.database(template="template0") as dsn:
        await restore(file, dsn, secrets_dir=Home(home).secrets)
        monkeypatch.setenv("AUTOPILOT_HOME", str(home))
        monkeypatch.setenv("DATABASE_URL", dsn)

        assert await audit.verify(options=JSON) == Exit.OK

    (report,) = lines(capsys)
    assert (report["whole"], report["events"], report["seals"]) == (True, 2, 1)


@pytest.mark.slow
async def test_the_guide_runs_as_it_stands(sealed, tmp_path):
    script = "\n".join(["set -eu", *re.findall(r"```sh\n(.*?)```", GUIDE.read_text(), re.DOTALL)])
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/autopilot"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m autopilot.cli "$@"\n')
    program.chmod(0o755)

    done = subprocess.run(  # noqa: ASYNC221 - nothing else runs in this test
        ["/bin/sh", "-c", f'PATH="{program.parent}:$PATH"\n{script}'],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("none\n")
    assert len((tmp_path / "audit.jsonl").read_text().splitlines()) == 3
