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


def fact(method="warning", occurred_at="2026-11-22T08:15:17.836000Z", **params):
    return {"method": method, "params": params, "occurred_at": occurred_at}


async def told(runtime, *facts):
    return await Companion(runtime).post("/machines/m1/heartbeat", {"workers": [], "facts": list(facts)})


async def facts_listed(runtime):
    (listed,) = (await call(runtime, "GET", "/machines", claims=OBSERVER)).data
    return listed["facts"]


async def test_the_last_fact_of_each_kind_is_kept_with_its_machine(runtime):
    await Companion(runtime).register()
    await told(runtime, fact(message="one"), fact("account/updated", authMode="chatgpt"))
    answer = await told(runtime, fact(message="two", occurred_at="2026-11-22T09:00:00Z"))

    assert answer.status == 200
    assert await facts_listed(runtime) == [
        fact("account/updated", authMode="chatgpt"),
        fact(message="two", occurred_at="2026-11-22T09:00:00.000000Z"),
    ]
    assert (await Companion(runtime).register()).data["facts"] == await facts_listed(runtime)


@pytest.mark.parametrize("kept", [{"seal_no": 0, "digest": "a" * 64}, {"seal_no": 1, "digest": "A" * 64}, {}])
async def test_a_kept_head_that_is_none_is_refused(runtime, kept):
    await Companion(runtime).register()

    answer = await Companion(runtime).post("/machines/m1/heartbeat", {"workers": [], "kept_seal": kept})

    assert answer.status == 422
    assert answer.json["error"]["details"][0]["field"].startswith("kept_seal")


async def test_a_heartbeat_without_facts_changes_none(runtime):
    await Companion(runtime).register()
    await told(runtime, fact(message="one"))
    await told(runtime)

    assert [one["params"] for one in await facts_listed(runtime)] == [{"message": "one"}]


async def test_a_fact_keeps_its_numbers_and_loses_its_secrets(runtime):
    await Companion(runtime).register()
    big = 2**70
    await told(runtime, fact(resetsAt=big, access_token="very-secret", totalTokens=7))

    (kept,) = await facts_listed(runtime)

    assert kept["params"] == {"resetsAt": big, "access_token": "[redacted]", "totalTokens": 7}


async def test_a_machine_keeps_the_kinds_said_last_and_no_more(runtime):
    await Companion(runtime).register()
    for start in (0, 20):
        facts = [fact(f"kind/{n:03}", occurred_at=f"2026-11-22T08:00:{n:02}Z") for n in range(start, start + 20)]
        assert (await told(runtime, *facts)).status == 200

    methods = [one["method"] for one in await facts_listed(runtime)]

    assert methods == [f"kind/{n:03}" for n in range(8, 40)]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        (fact("two words"), "facts[0].method"),
        (fact("m" * 121), "facts[0].method"),
        (fact(occurred_at="yesterday"), "facts[0].occurred_at"),
        (fact(occurred_at="2026-11-22T08:00:00"), "facts[0].occurred_at"),
        (fact(message="w" * 16 * 1024), "facts[0].params"),
        ({"method": "warning", "params": [], "occurred_at": "2026-11-22T08:00:00Z"}, "facts[0].params"),
        ({"method": "warning"}, "facts[0]"),
    ],
)
async def test_a_fact_with_a_wrong_value_names_it(runtime, wrong, field):
    await Companion(runtime).register()

    answer = await told(runtime, wrong)

    assert answer.status == 422
    assert answer.json["error"]["details"][0]["field"] == field
    assert await facts_listed(runtime) == []


async def test_more_facts_than_a_machine_keeps_are_refused(runtime):
    await Companion(runtime).register()

    answer = await told(runtime, *[fact(f"kind/{n}") for n in range(33)])

    assert (answer.status, answer.json["error"]["details"][0]["field"]) == (422, "facts")


async def test_health_says_whose_codex_a_machine_works_on(runtime):
    companion = await leased(runtime)
    await companion.register(codex_version="0.163.0")

    async def codex():
        return (await call(runtime, "GET", "/workers/w/snapshot", claims=OBSERVER)).data["health"]["codex"]

    before = await codex()
    told_at = {"version": "0.169.0", "since": "2026-11-22T08:00:00.000000Z"}
    said = {"message": "in words", "server": "shared", "drift": "same", **told_at}
    await told(runtime, fact("desktop/codex", **said))
    joined = await codex()
    await told(runtime, fact("desktop/codex", message="it does not start", server="none"))
    gone = await codex()

    assert (before["state"], before["detail"]) == ("ok", {"version": "0.163.0"})
    assert (joined["state"], joined["detail"]) == ("ok", {name: said[name] for name in said if name != "message"})
    assert (gone["state"], gone["detail"]) == ("down", {"version": "0.163.0", "server": "none"})
