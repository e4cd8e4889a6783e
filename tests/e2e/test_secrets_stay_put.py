"""Nothing secret of a whole run is found where others look: logs, process lists, environments, addresses, the database.

What was generated (keys, passwords, tokens, codes) and what was planted in what a person says to Codex.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import httpx2
import psutil
import pytest
from tests.e2e.installation import Up, running_up
from tests.e2e.test_up import first_worker

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PLANTED = {
    "provider key": "sk-proj-" + "Pl4nted" * 6,
    "bearer": "Pl4ntedBearer" * 3,
    "our own access token": "apat_" + "Pl4ntedAccess" * 3,
    "github": "ghp_" + "Pl4nted0" * 5,
}


def generated(home: Path) -> Iterator[tuple[str, str]]:
    """What the installation made for itself."""
    for path in (home / "secrets").iterdir():
        if not path.name.endswith(".pub"):
            yield path.name, path.read_text().strip()
    for path in home.rglob("credentials.json"):
        for name, value in json.loads(path.read_text()).items():
            if "token" in name and isinstance(value, str):
                yield f"{path.parent.name}: {name}", value


def places_of_processes(up: Up) -> Iterator[tuple[str, str]]:
    """What a process list shows of all that was started, and the environments they were started with."""
    top = psutil.Process(up.process.pid)
    for process in [top, *top.children(recursive=True)]:
        try:
            name = f"{process.name()} {process.pid}"
            yield f"arguments of {name}", " ".join(process.cmdline())
            yield f"environment of {name}", json.dumps(process.environ())
        except psutil.NoSuchProcess:
            continue


def places_of_files(home: Path) -> Iterator[tuple[str, str]]:
    """Logs, and what is in them as the paths of calls."""
    for path in (home / "logs").iterdir():
        yield path.name, path.read_text()
    yield from ((path.name, path.read_text()) for path in (home / "cli").glob("*.log*"))


def places_of_companions(home: Path) -> Iterator[tuple[str, str]]:
    """The companion's own database with all that belongs to it, byte for byte: what is free in it may hold old rows."""
    for path in home.rglob("outbox.sqlite*"):
        yield str(path.relative_to(home)), path.read_bytes().decode("latin-1")


async def places_of_database(up: Up) -> list[tuple[str, str]]:
    """Every row of every table of ours."""
    url = json.loads((up.home / "run" / "installation.json").read_text())["database_url"]
    connection = await asyncpg.connect(url)
    try:
        tables = await connection.fetch(
            "select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname = any($1)",
            ["api", "runtime"],
        )
        return [
            (
                table["name"],
                "\n".join(row[0] for row in await connection.fetch(f"select t::text from {table['name']} t")),
            )
            for table in tables
        ]
    finally:
        await connection.close()


async def test_no_secret_of_a_whole_run_is_found_where_others_look(tmp_path: Path) -> None:
    async with running_up(tmp_path / "home", "--split") as up:
        worker = await first_worker(up)
        words = f"use {PLANTED['provider key']} with Authorization: Bearer {PLANTED['bearer']}, then "
        words += f"{PLANTED['our own access token']} and {PLANTED['github']}"
        await up.cli(
            "request", "turn/start", json.dumps({"input": [{"type": "text", "text": words}]}), "--worker", worker
        )
        await up.cli("watch", worker, "--until-idle")
        async with httpx2.AsyncClient(base_url=up.url, trust_env=False) as client:
            body = {"email": up.ready["owner_email"], "code": up.ready["code"]}
            signed_in = (await client.post("/api/auth/verify", json=body)).json()
            headers = {"authorization": f"Bearer {signed_in['token']}"}
            await client.get("/api/runtime/codex/workers", headers=headers, params={"access_token": PLANTED["bearer"]})
            await client.get(f"/api/runtime/codex/{PLANTED['provider key']}", headers=headers)
            await client.get("/api/devices", headers={"authorization": f"Bearer {PLANTED['our own access token']}"})
        await up.cli("keys", "rotate", "seal")
        found = [("signed in", signed_in["token"]), ("code", up.ready["code"].replace(" ", ""))]
        secrets = {value: name for name, value in [*found, *generated(up.home), *PLANTED.items()]}
        places = [*places_of_processes(up), *await places_of_database(up), *places_of_files(up.home)]
        kept = list(places_of_companions(up.home))
        cores = [path for path in (*up.home.rglob("core"), *up.home.rglob("core.*")) if path.is_file()]

    assert len(secrets) > len(PLANTED) + 5
    assert len(places) > 20
    assert any("outbox.sqlite" in name for name, _ in kept)
    leaks = [f"{name} in {place}" for place, text in places + kept for value, name in secrets.items() if value in text]
    assert leaks == []
    assert cores == []
