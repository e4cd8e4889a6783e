"""The owner's things, shared with a team, and everybody who might ask for them: what the matrix is about."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

from tests.api.contract.world import Person, World, announce, ask, store
from tests.api.served import bearer

import access_matrix
from autopilot.api import opaque
from autopilot.client.write_signer import WriteSigner
from autopilot.ops.clock import SystemClock

MATRIX = access_matrix.load()
ROLES = [one.name for one in MATRIX.of_group("role")]
CREDENTIALS = [one.name for one in MATRIX.of_group("credential")]
MACHINES = [one.name for one in MATRIX.of_group("machine")]
GUEST = "guest"
FRESH = "owner"
"""The credential of the columns of roles, as the owner's column has it."""
PEOPLE = [(role, credential) for role in ROLES for credential in [FRESH, *CREDENTIALS]]
SECRET = "what-only-the-team-may-read"
BYSTANDERS = {"former", "stranger", "crew", "foreign"}
"""Who must never read it."""
FULL_ACCESS = '[approval_policy]\nallow = ["never", "on-request"]'
READ_ONLY = {"cwd": "/x", "sandbox": "read-only", "approvalPolicy": "on-request"}
SCOPES = {"observe": ("observe",), "bare_admin": ("admin",)}
SCOPES |= dict.fromkeys(("admin", "stale_admin"), ("observe", "administer", "admin"))
_numbers = itertools.count(1)


def number() -> int:
    """Another one each time."""
    return next(_numbers)


@dataclass
class Caller(Person):
    """Somebody of a column, or of a role with another credential."""

    role: str = ""
    credential: str = FRESH

    @property
    def is_machine(self) -> bool:
        return self.role in MACHINES

    @property
    def name(self) -> str:
        return self.role if self.credential == FRESH else f"{self.role} as {self.credential}"

    def wanted(self, row: access_matrix.Row) -> set[str]:
        """What the matrix lets this caller get.

        That of the credential where the role makes no difference; else `ok` where both are let do it, or a refusal for
        either of them.
        """
        of_role = MATRIX.cell(row, self.role)
        if self.credential == FRESH:
            return {of_role}
        of_credential = MATRIX.cell(row, self.credential)
        if of_role == MATRIX.cell(row, FRESH):
            return {of_credential}
        return {of_role, of_credential} - {access_matrix.DONE}


@dataclass
class Scene:
    """What is asked for, and who asks."""

    world: World
    ada: Person
    machine: Person
    team_id: str
    ids: dict[str, str]
    """Of the things that paths name."""
    signer: WriteSigner
    callers: list[Caller] = field(default_factory=list)

    @property
    def pool(self) -> Any:
        return self.world.api.pool

    async def account(self, role: str, name: str = "") -> Person:
        """A new user in this role of the team."""
        email = f"{name or role}{number()}@example.org"
        minted = await self.world.api.mint(email, "observe", "administer")
        made = Person(self.world, email, minted.userId, minted.token)
        await self.join(made.user_id, role)
        return made

    async def join(self, user_id: int, role: str) -> None:
        """Put somebody into the team, where the role is one of it."""
        in_team = {"owner": "owner", "coowner": "owner", "operator": "operator", "viewer": "viewer"}
        if role in in_team:
            sql = "insert into api.membership (team_id, user_id, role) values ($1, $2, $3) on conflict do nothing"
            await self.pool.execute(sql, self.team_id, user_id, in_team[role])

    async def with_credential(self, who: Person, role: str, credential: str) -> Caller:
        """A new session of somebody."""
        minted = await self.world.api.mint(who.email, *SCOPES.get(credential, ("observe", "administer")))
        session_id = await self.session_of(minted.token)
        if credential in {"stale", "stale_admin"}:
            sql = "update api.session set stepped_up_until = clock_timestamp() where session_id = $1"
            await self.pool.execute(sql, session_id)
        if credential == "keyed":
            its = "(select device_id from api.session where session_id = $1)"
            sql = f"update api.device set public_key = $2 where device_id = {its}"
            await self.pool.execute(sql, session_id, self.signer._public)
        return Caller(self.world, who.email, who.user_id, minted.token, role=role, credential=credential)

    async def session_of(self, token: str) -> str:
        sql = "select session_id from api.access_token where token_digest = $1"
        return await self.pool.fetchval(sql, opaque.token_digest(token))

    async def guest(self) -> Caller:
        """Somebody without an account, whom the owner showed the worker."""
        body = {"name": "Gil", "worker_ids": [self.ids["worker_id"]]}
        invited = await self.ada.post("/api/guests", body)
        assert invited.status_code == 201, invited.text
        secret = {"secret": invited.json()["data"]["secret"]}
        entered = await self.world.api.client.post("/api/guests/enter", json=secret)
        assert entered.status_code == 200, entered.text
        return Caller(self.world, "", 0, entered.json()["token"], role=GUEST)

    async def another_like(self, who: Caller) -> Caller:
        """Somebody new of the same kind: for a call that ends what it is made with."""
        if who.role == GUEST:
            return await self.guest()
        if who.is_machine:
            made = await (await self.account("stranger")).machine()
            return Caller(made.world, made.email, made.user_id, made.token, made.worker_id, role=who.role)
        return await self.with_credential(await self.account(who.role), who.role, who.credential)

    async def put_into_team(self, machine: Person) -> None:
        sql = "update runtime.machine set team_id = $2 where machine_id = $1"
        await self.world.runtime.pool.execute(sql, machine.worker_id, self.team_id)


async def staged(world: World) -> Scene:
    """A worker with something in it to read, its machine, the team, and one caller of each kind."""
    minted = await world.api.mint(f"ada{number()}@example.org", "observe", "administer")
    email = (await world.api.client.get("/api/me", headers=bearer(minted.token))).json()["user"]["email"]
    ada = Person(world, email, minted.userId, minted.token)
    team_id = (await ada.post("/api/teams", {"name": "crew"})).json()["data"]["team_id"]
    clock = SystemClock()
    made = Scene(world, ada, await ada.machine(), team_id, {}, WriteSigner(b"k" * 32, clock.now))
    made.ids = await things(made)
    await open_full_access(made)
    users = {role: ada if role == "owner" else await made.account(role) for role in ROLES}
    await made.join(users["former"].user_id, "operator")
    assert (await ada.post(f"/api/teams/{team_id}/members/{users['former'].user_id}/remove", {})).status_code == 200
    for role, credential in PEOPLE:
        made.callers.append(await made.with_credential(users[role], role, credential))
    made.callers.append(await made.guest())
    crew, foreign = await users["operator"].machine(), await users["stranger"].machine()
    await made.put_into_team(crew)
    machines = {"machine": made.machine, "sibling": await ada.machine(), "crew": crew, "foreign": foreign}
    for role, one in machines.items():
        made.callers.append(Caller(world, one.email, one.user_id, one.token, one.worker_id, role=role))
    return made


async def refresh(scene: Scene) -> None:
    """Nothing runs out in the middle of a cell, however slow this goes: no token, no step-up, no lease."""
    await scene.pool.execute(
        "update api.access_token set issued_at = now(), expires_at = now() + interval '15 minutes'"
        " where expires_at > now()"
    )
    await scene.pool.execute(
        "update api.session set stepped_up_until = clock_timestamp() + interval '10 minutes'"
        " where stepped_up_until > clock_timestamp()"
    )
    await hold(scene.machine, scene.ids["worker_id"])


async def hold(machine: Person, worker_id: str) -> None:
    """The machine's lease begins anew."""
    claim = {"machine_id": machine.worker_id, "ttl_ms": 600_000}
    assert (await machine.post(f"/workers/{worker_id}/lease", claim)).status_code == 200


async def open_full_access(scene: Scene) -> None:
    """Let the installation's policy not be what full access is refused for."""
    admin = await scene.with_credential(scene.ada, "owner", "admin")
    documents = (await admin.get("/policies")).json()["data"]["documents"]
    version = max((one["version"] for one in documents if one["subject"] == "installation"), default=0)
    body = {"subject": "installation", "format": "toml", "text": FULL_ACCESS, "expected_version": version}
    answer = await admin.post("/policies", body)
    assert answer.status_code == 200, answer.text


async def things(scene: Scene) -> dict[str, str]:
    """A worker that the owner's machine executes, in the team, and what hangs on it."""
    ada, machine = scene.ada, scene.machine
    await scene.put_into_team(machine)
    worker_id = await ada.open_worker(workspace_ref=SECRET, metadata={"x": SECRET})
    await hold(machine, worker_id)
    await ada.append(worker_id, text=SECRET)
    asked = {"request": {"request_id": "r1", "method": "turn/start", "params": {"x": SECRET}}}
    assert (await ada.post(f"/workers/{worker_id}/requests?wait_ms=0", asked)).status_code == 202
    asked["request"] |= {"method": "thread/start", "params": {**READ_ONLY, "x": SECRET}}
    assert (await ada.post(f"/machines/{machine.worker_id}/requests?wait_ms=0", asked)).status_code == 202
    approval_id = await ask(machine, worker_id, title=SECRET, evidence={"reason": SECRET})
    artifact_id = await announce(machine, worker_id, SECRET)
    await store(machine, worker_id, SECRET)
    return {
        "worker_id": worker_id,
        "machine_id": machine.worker_id,
        "request_id": "r1",
        "approval_id": approval_id,
        "artifact_id": artifact_id,
        "team_id": scene.team_id,
    }
