"""`autopilot up` as a person runs it: real processes, real Postgres, real Codex on the scripted model."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import stat
import time
from pathlib import Path

import httpx2
import psutil
import pytest
from tests.e2e.installation import Up, command, running_up
from tests.pressure import withheld_ms

from autopilot.cli.lan import listening_socket
from autopilot.companion.codex.scripted_model import script
from autopilot.ops.clock import SystemClock

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

CLOCK = SystemClock()
SCRIPT = script({"shell": "echo from-the-shell"}, {"say": "All done."})


async def first_worker(up: Up) -> str:
    """The demo's worker, once it is there."""
    async with asyncio.timeout(60):
        while not (found := (await up.cli("workers", "--json")).json):
            pass
    return str(found[0]["worker_id"])


async def test_the_demo_worker_appears_and_belongs_to_the_owner(up: Up) -> None:
    worker = await first_worker(up)

    shown = (await up.cli("show", worker, "--json")).json

    assert shown["adapter"] == "desktop_bridge"
    assert shown["status"] == "running"
    assert shown["role"] == "owner"


async def test_the_machine_is_listed_with_what_its_codex_says_of_it(up: Up) -> None:
    await first_worker(up)
    async with asyncio.timeout(60):
        while not (listed := (await up.cli("machines", "--json")).json)[0]["facts"]:
            pass

    shown = await up.cli("machines")

    assert {"remoteControl/status/changed"} <= {fact["method"] for fact in listed[0]["facts"]}
    assert shown.out.splitlines()[1].startswith(listed[0]["machine_id"])
    assert "remoteControl/status/changed" in shown.out


async def test_the_list_is_asked_for_certain_workers(up: Up) -> None:
    worker = await first_worker(up)
    (machine,) = (await up.cli("machines", "--json")).json
    like_it = ("--search", worker[-12:].upper(), "--machine", machine["name"], "--backend", "desktop")

    found = await up.cli("workers", "--json", *like_it)
    none = await up.cli("workers", "--search", "no such words")
    refused = await up.cli("workers", "--json", "--search", "x" * 201)

    assert [one["worker_id"] for one in found.json] == [worker]
    assert "No worker is like that." in none.out + none.err
    assert json.loads(refused.err or refused.out)["error"]["details"][0]["field"] == "q"


async def test_a_turn_that_is_sent_is_watched_to_its_end(up: Up) -> None:
    await first_worker(up)
    await up.cli("watch", "--until-idle")

    sent = await up.cli("send", SCRIPT, "--json")
    watched = await up.cli("watch", "--until-idle", "--from", "recent")

    assert sent.json["state"] == "completed"
    assert "$ /bin/bash -lc 'echo from-the-shell'\nfrom-the-shell\n(exit code 0" in watched.out
    assert "codex\nAll done.\n" in watched.out
    assert "turn completed" in watched.out


async def test_a_watch_as_json_is_one_event_a_line_without_gaps(up: Up) -> None:
    await first_worker(up)

    watched = await up.cli("watch", "--json", "--until-idle", "--from", "start")

    seqs = [json.loads(line)["seq"] for line in watched.out.splitlines()]
    assert seqs == list(range(1, len(seqs) + 1))


async def test_the_handshake_reaches_the_companion(up: Up) -> None:
    await first_worker(up)

    shaken = (await up.cli("handshake", "--json")).json

    assert shaken["acked_seq"] > shaken["asked_seq"]
    assert shaken["desktop_session_id"]


async def test_a_new_thread_becomes_a_worker_which_can_be_stopped_and_resumed(up: Up) -> None:
    known = {worker["worker_id"] for worker in (await up.cli("workers", "--json")).json}
    sent = (await up.cli("send", "--new", "--json", SCRIPT)).json
    assert sent["worker_id"] not in known

    stopped = (await up.cli("stop", sent["worker_id"], "--json")).json
    async with asyncio.timeout(30):
        while (await up.cli("show", sent["worker_id"], "--json")).json["status"] != "stopped":
            pass
    again = (await up.cli("stop", sent["worker_id"], "--json")).json
    refused = await up.cli("send", SCRIPT, "--worker", sent["worker_id"])
    resumed = (await up.cli("send", SCRIPT, "--worker", sent["worker_id"], "--resume", "--json", "--wait", "60")).json

    assert stopped["status"] in ("stopping", "stopped")
    assert (again["status"], again["idempotent_replay"]) == ("stopped", True)
    assert refused.code == 7
    assert resumed["state"] == "completed"


async def test_every_hop_of_a_request_can_be_traced_by_either_of_its_ids(up: Up) -> None:
    await first_worker(up)
    sent = (await up.cli("request", "thread/read", "--json", "--request-id", "traced-1")).json
    assert sent["state"] == "completed"

    by_request = (await up.cli("trace", "traced-1", "--json")).json
    x_request_id = next(hop["x_request_id"] for hop in by_request if hop["where"] == "client")
    by_call = (await up.cli("trace", x_request_id, "--json")).json

    assert {"client", "server", "companion", "receipt", "ledger"} <= {hop["where"] for hop in by_request}
    assert {(hop["where"], hop["what"]) for hop in by_request} == {(hop["where"], hop["what"]) for hop in by_call}
    assert by_request == sorted(by_request, key=lambda hop: hop["at"])


async def test_a_doctor_finds_nothing_wrong_with_a_healthy_installation(up: Up) -> None:
    await first_worker(up)

    found = await up.cli("doctor", "--json")

    assert [finding for finding in json.loads(found.out) if finding["verdict"] == "problem"] == []
    assert found.code == 0


async def test_a_token_speaks_for_the_owner_or_for_a_user_made_on_first_use(up: Up) -> None:
    await first_worker(up)
    ours = (await up.cli("token")).out.strip()
    theirs = (await up.cli("token", "--email", "ada@example.com", "--scope", "observe")).out.strip()

    async with httpx2.AsyncClient(base_url=up.url, trust_env=False) as client:
        seen = [
            len(
                (await client.get("/api/runtime/codex/workers", headers={"authorization": f"Bearer {token}"})).json()[
                    "data"
                ]
            )
            for token in (ours, theirs)
        ]
    assert seen[0] >= 1
    assert seen[1] == 0


async def test_the_code_that_is_shown_signs_the_owner_in(up: Up) -> None:
    await first_worker(up)
    body = {"email": up.ready["owner_email"], "code": up.ready["code"]}

    async with httpx2.AsyncClient(base_url=up.url, trust_env=False) as client:
        signed_in = (await client.post("/api/auth/verify", json=body)).json()
        headers = {"authorization": f"Bearer {signed_in['token']}"}
        workers = (await client.get("/api/runtime/codex/workers", headers=headers)).json()["data"]

    assert signed_in["ok"] is True
    assert workers, "the demo's worker belongs to the owner"


async def test_a_second_up_on_the_same_home_says_where_the_first_is(up: Up) -> None:
    refused = await command(up.home, "up", "--port", "0")

    assert refused.code == 11
    assert f"already runs from {up.home} at {up.url}" in refused.err


async def test_a_taken_port_is_a_sentence(tmp_path: Path) -> None:
    with listening_socket("127.0.0.1", 0) as taken:
        port = str(taken.getsockname()[1])

        refused = await command(tmp_path / "home", "up", "--port", port)

    assert refused.code == 11
    assert "already in use" in refused.err


async def test_nothing_of_an_installation_can_be_read_by_others(up: Up) -> None:
    others = stat.S_IRWXG | stat.S_IRWXO
    private = [up.home, *(up.home / name for name in ("run", "secrets", "companion", "logs", "postgres"))]

    assert [path for path in private if path.stat().st_mode & others] == []


@pytest.mark.parametrize("shape", [(), ("--split",)], ids=["one-process", "two-processes"])
async def test_a_clean_stop_takes_less_than_two_seconds_with_open_streams_and_leaves_nothing(
    tmp_path: Path, shape: tuple[str, ...]
) -> None:
    async with running_up(tmp_path / "home", *shape) as up:
        worker = await first_worker(up)
        children = psutil.Process(up.process.pid).children(recursive=True)
        token = (await up.cli("token")).out.strip()
        headers = {"authorization": f"Bearer {token}"}
        path = f"/api/runtime/codex/workers/{worker}/stream?cursor=0"
        async with (
            httpx2.AsyncClient(base_url=up.url, trust_env=False) as client,
            client.stream("GET", path, headers=headers) as stream,
        ):
            assert stream.status_code == 200
            began, withheld = time.monotonic(), withheld_ms()
            code = await up.stop()
            took = time.monotonic() - began - (withheld_ms() - withheld) / 1000

    assert (code, took < 2.0) == (0, True), f"took {took:.2f} s"
    assert [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE] == []
    assert codex_of(up) is None


def codex_of(up: Up) -> psutil.Process | None:
    """The Codex that works for this installation, if one lives."""
    for process in psutil.process_iter(["cmdline"]):
        if (
            any(str(up.home) in part for part in process.info["cmdline"] or [])
            and "app-server" in process.info["cmdline"]
        ):
            return process
    return None


async def test_a_killed_supervisor_takes_its_children_along_but_not_codex_and_the_next_one_goes_on(
    tmp_path: Path,
) -> None:
    home = tmp_path / "home"
    async with running_up(home) as first:
        worker = await first_worker(first)
        await first.cli("watch", worker, "--until-idle")
        children = psutil.Process(first.process.pid).children(recursive=False)
        codex = codex_of(first)
        assert codex is not None
        await first.kill()
        await asyncio.to_thread(psutil.wait_procs, children, 10)
        still_there = codex.is_running()
        before = (tmp_path / "home/logs").exists()

    async with running_up(home) as second:
        async with asyncio.timeout(60):
            while (await second.cli("handshake", worker)).code != 0:
                pass
        again = codex_of(second)
        watched = await second.cli("watch", worker, "--json", "--until-idle", "--from", "start")

    seqs = [json.loads(line)["seq"] for line in watched.out.splitlines()]
    assert before
    assert still_there
    assert again is not None
    assert again.pid == codex.pid
    assert seqs == list(range(1, len(seqs) + 1))


async def test_whatever_dies_is_started_again_and_the_stream_goes_on(tmp_path: Path) -> None:
    async with running_up(tmp_path / "home") as up:
        worker = await first_worker(up)
        for name in ("serve", "companion", "postgres"):
            (victim,) = [
                child
                for child in psutil.Process(up.process.pid).children(recursive=True)
                if name in " ".join(child.cmdline()[:5]) and "io worker" not in " ".join(child.cmdline())
            ][:1]
            os.kill(victim.pid, signal.SIGKILL)
            async with asyncio.timeout(60):
                while (await up.cli("handshake", worker, "--timeout", "5")).code != 0:
                    pass

        assert up.process.returncode is None


async def test_a_watch_goes_on_after_the_server_was_killed(tmp_path: Path) -> None:
    async with running_up(tmp_path / "home") as up:
        worker = await first_worker(up)
        await up.cli("watch", worker, "--until-idle")
        opened = streams_opened(up)
        (server,) = [child for child in psutil.Process(up.process.pid).children() if "serve" in child.cmdline()]
        async with asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(up.cli("watch", worker, "--until-idle", "--from", "now"))
            async with asyncio.timeout(30):
                while streams_opened(up) == opened:
                    await CLOCK.sleep(0.05)
            server.kill()
            sent = await up.cli("send", SCRIPT, "--json")
        watched = watching.result()

    assert sent.json["state"] == "completed"
    assert watched.code == 0
    assert "from-the-shell" in watched.out
    assert "connection lost" in watched.err


def streams_opened(up: Up) -> int:
    """How many streams commands have opened so far."""
    return sum(line.get("operation") == "workers.stream" for line in up.log("client"))
