"""Registration, listing and heartbeats (docs/runtime-contract.md, "Machines")."""

from __future__ import annotations

import pytest

from autopilot.testing.machines import Companion, leased, machine_claims
from autopilot.testing.runtime import OBSERVER, OWNER, STRANGER, call, insert_worker


async def test_registering_again_refreshes_the_machine_and_keeps_its_owner(runtime):
    companion = Companion(runtime)

    first = await companion.register(name="Desk", platform="linux", codex_version="0.163.0")
    again = await companion.register(name="Desk 2", desktop_session_id="s2")

    assert (first.status, again.status) == (200, 200)
    assert again.data["name"] == "Desk 2"
    assert again.data["registered_at"] == first.data["registered_at"]
    assert again.data["last_heard_at"] >= first.data["last_heard_at"]
    (listed,) = (await call(runtime, "GET", "/machines", claims=OBSERVER)).data
    assert listed["machine_id"] == "m1"
    assert listed["desktop_session_id"] == "s2"


async def test_somebody_elses_machine_is_refused_and_not_listed(runtime):
    await Companion(runtime).register(name="Desk")

    taken = await Companion(runtime, user_id=2).register(name="Mine now")
    theirs = await call(runtime, "GET", "/machines", claims=STRANGER)
    ours = await call(runtime, "GET", "/machines", claims=OWNER)

    assert (taken.status, taken.reason) == (403, "role")
    assert theirs.data == []
    assert [machine["name"] for machine in ours.data] == ["Desk"]


@pytest.mark.parametrize("claims", [OWNER, machine_claims("m2")])
async def test_only_an_execute_token_of_exactly_this_machine_registers_it(runtime, claims):
    answer = await call(runtime, "POST", "/machines", {"machine_id": "m1"}, claims=claims)

    assert answer.status == 403
    assert answer.reason in {"scope", "machine"}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, ""),
        ({"machine_id": "a b"}, "machine_id"),
        ({"machine_id": "m" * 161}, "machine_id"),
        ({"machine_id": 7}, "machine_id"),
        ({"machine_id": "m1", "name": "n" * 256}, "name"),
    ],
)
async def test_a_registration_with_a_wrong_value_names_it(runtime, body, field):
    answer = await Companion(runtime).post("/machines", body)

    assert answer.status == 422
    assert answer.json["error"]["details"][0]["field"] == field


async def test_one_heartbeat_answers_for_every_worker_by_itself(runtime):
    companion = await leased(runtime, "held")
    for name in ("lost", "released", "stopped", "unleased"):
        await insert_worker(runtime, name)
    other = Companion(runtime, "m2")
    await other.register()
    for name in ("lost", "released", "stopped"):
        await companion.claim(name)
    await companion.release("lost")
    await other.claim("lost")
    await companion.release("released")
    await companion.append("stopped", "worker.stopped", "end", reason="done")
    before = await runtime.pool.fetchval("select expires_at from lease where machine_id = 'm1' and released_at is null")

    answer = await companion.post(
        "/machines/m1/heartbeat",
        {
            "desktop_session_id": "s7",
            "workers": [
                {"worker_id": name, "generation": 1}
                for name in ("held", "lost", "released", "stopped", "unleased", "nobody")
            ],
        },
    )

    assert answer.status == 200
    states = {worker["worker_id"]: worker["state"] for worker in answer.data["workers"]}
    assert states == {
        "held": "renewed",
        "lost": "fenced",
        "released": "expired",
        "stopped": "stopped",
        "unleased": "unknown",
        "nobody": "unknown",
    }
    held, lost = answer.data["workers"][:2]
    assert held["expires_at"] > before.isoformat()
    assert lost["generation"] == 2
    assert await runtime.pool.fetchval(
        "select last_heartbeat_at is not null from worker_beat join worker using (worker_no) where worker_id = 'held'"
    )
    assert (await call(runtime, "GET", "/machines")).data[0]["desktop_session_id"] == "s7"


async def test_a_heartbeat_tells_nothing_of_another_principals_worker(runtime):
    theirs = Companion(runtime, "theirs", user_id=2)
    await theirs.register()
    await insert_worker(runtime, "w", STRANGER)
    await theirs.claim("w")
    companion = Companion(runtime)
    await companion.register()

    answer = await companion.post("/machines/m1/heartbeat", {"workers": [{"worker_id": "w", "generation": 1}]})

    assert answer.data["workers"] == [{"worker_id": "w", "state": "unknown", "generation": None, "expires_at": None}]


async def test_a_heartbeat_of_a_machine_that_never_registered_is_not_found(runtime):
    answer = await Companion(runtime).post("/machines/m1/heartbeat", {"workers": []})

    assert (answer.status, answer.reason) == (404, "no_such_machine")
