"""What was used, as people ask for it: groups, days, totals, and nobody else's workers."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from autopilot.contract.port import Claims
from autopilot.runtime import spend_routes
from autopilot.testing.machines import Companion
from autopilot.testing.runtime import OBSERVER, OWNER, STRANGER, call, insert_worker

TODAY = date(2026, 11, 22)
COUNTS = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_output_tokens", "total_tokens")


async def used(runtime, worker_id, tokens, *, day=TODAY, thread_id="t", model="gpt-5", machine_id="m1"):
    """Put what was counted into the table, on a day of one's own choosing."""
    await runtime.pool.execute(
        "insert into spend_day select worker_no, $2, $3, $4, $5, $6 - $6 / 4, $6 / 2, $6 / 4, $6 / 8, $6 "
        "from worker where worker_id = $1",
        worker_id,
        day,
        thread_id,
        model,
        machine_id,
        tokens,
    )


async def ask(runtime, query="from=2026-11-01&to=2026-11-30", claims=OWNER):
    return await call(runtime, "GET", "/spend", query=query, claims=claims)


async def report(runtime, by="day", claims=OWNER):
    answer = await ask(runtime, f"from=2026-11-01&to=2026-11-30&by={by}", claims)
    assert answer.status == 200, answer.body
    return answer.data


def brief(data):
    """Each group as its keys and its total."""
    names = ("day", "worker_id", "thread_id", "model", "machine_id")
    return [
        (*(one[name] for name in names if one[name] is not None), one["tokens"]["total_tokens"])
        for one in data["groups"]
    ]


@pytest.fixture
async def busy(runtime):
    """Two workers and three days."""
    await insert_worker(runtime, "a")
    await insert_worker(runtime, "b")
    await used(runtime, "a", 100, day=date(2026, 11, 20))
    await used(runtime, "a", 800, thread_id="u", model="small")
    await used(runtime, "b", 400)
    await used(runtime, "b", 8, machine_id="m2")
    await used(runtime, "b", 80, day=date(2026, 11, 21), model="")
    return runtime


@pytest.mark.parametrize(
    ("by", "groups"),
    [
        ("day", [("2026-11-20", 100), ("2026-11-21", 80), ("2026-11-22", 1208)]),
        ("worker", [("a", 900), ("b", 488)]),
        ("thread", [("a", "u", 800), ("b", "t", 488), ("a", "t", 100)]),
        ("model", [("small", 800), ("gpt-5", 508), (80,)]),
        ("machine", [("m1", 1380), ("m2", 8)]),
        (
            "day_model",
            [
                ("2026-11-20", "gpt-5", 100),
                ("2026-11-21", 80),
                ("2026-11-22", "small", 800),
                ("2026-11-22", "gpt-5", 408),
            ],
        ),
    ],
)
async def test_what_was_used_is_shown_by_day_worker_thread_model_and_machine(busy, by, groups):
    data = await report(busy, by)

    assert brief(data) == groups
    assert (data["first_day"], data["last_day"], data["by"], data["left_out"]) == ("2026-11-01", "2026-11-30", by, 0)
    assert data["totals"] == dict(zip(COUNTS, (1041, 694, 347, 173, 1388), strict=True))
    assert {name: sum(one["tokens"][name] for one in data["groups"]) for name in COUNTS} == data["totals"]


@pytest.mark.parametrize("by", ["day", "worker", "thread", "model", "machine", "day_model"])
async def test_what_another_s_workers_used_is_never_counted(busy, by):
    guest = Claims(guest_scope="g", device_id="d", scopes=frozenset({"administer"}), surface="ios")
    await insert_worker(busy, "s", STRANGER)
    await insert_worker(busy, "g", guest)
    await used(busy, "s", 7)
    await used(busy, "g", 16)

    totals = [
        (await report(busy, by, claims))["totals"]["total_tokens"] for claims in (OWNER, OBSERVER, STRANGER, guest)
    ]

    assert totals == [1388, 1388, 7, 16]


async def test_whoever_used_nothing_sees_nothing(busy):
    data = await report(busy, claims=STRANGER)

    assert (data["groups"], data["left_out"], data["totals"]) == ([], 0, dict.fromkeys(COUNTS, 0))


async def test_a_token_that_only_executes_sees_no_spend(busy):
    refused = await ask(busy, claims=Claims(user_id=1, device_id="d", machine_id="m1", scopes=frozenset({"execute"})))

    assert (refused.status, refused.reason) == (403, "scope")


async def test_without_days_it_is_of_the_last_thirty(runtime):
    await insert_worker(runtime, "w")
    today = await runtime.pool.fetchval("select (clock_timestamp() at time zone 'UTC')::date")

    asked = (await ask(runtime, "")).data
    last = date.fromisoformat(asked["last_day"])
    assert last - today <= timedelta(days=1)  # midnight may have passed in between
    assert (last - date.fromisoformat(asked["first_day"]), asked["by"]) == (timedelta(days=29), "day")
    up_to = (await ask(runtime, "to=2026-03-01")).data
    assert (up_to["first_day"], up_to["last_day"]) == ("2026-01-31", "2026-03-01")
    assert (await ask(runtime, "to=0001-01-05")).data["first_day"] == "0001-01-01"
    assert (await ask(runtime, "from=2026-11-22&to=2026-11-22")).status == 200
    assert (await ask(runtime, "from=2024-01-01&to=2024-12-31")).status == 200


async def test_days_are_of_utc_and_both_ends_count(runtime):
    await insert_worker(runtime, "w")
    for number in range(4):
        await used(runtime, "w", 10**number, day=TODAY + timedelta(days=number))

    async def total(first, last):
        return (await ask(runtime, f"from={first}&to={last}&by=worker")).data["totals"]["total_tokens"]

    assert await total("2026-11-23", "2026-11-24") == 110
    assert await total("2026-11-22", "2026-11-22") == 1
    assert await total("2026-11-26", "2026-11-30") == 0


@pytest.mark.parametrize(
    ("query", "field", "reason"),
    [
        ("by=week", "by", "invalid_value"),
        ("by=", "by", "invalid_value"),
        ("from=yesterday", "from", "invalid_value"),
        ("from=20261122", "from", "invalid_value"),
        ("to=2026-02-30", "to", "invalid_value"),
        ("to=2026-11-22T00:00:00Z", "to", "invalid_value"),
        ("to=", "to", "invalid_value"),
        ("from=2026-11-23&to=2026-11-22", "from", "out_of_range"),
        ("from=2025-11-21&to=2026-11-22", "from", "out_of_range"),
    ],
)
async def test_what_can_t_be_asked_for_is_refused_by_name(runtime, query, field, reason):
    refused = await ask(runtime, query)

    assert (refused.status, refused.reason) == (422, reason)
    assert refused.json["error"]["details"][0]["field"] == field


async def test_what_is_left_out_is_said_and_is_in_the_totals(busy, monkeypatch):
    monkeypatch.setattr(spend_routes, "MAX_GROUPS", 2)

    data = await report(busy, "thread")

    assert brief(data) == [("a", "u", 800), ("b", "t", 488)]
    assert (data["left_out"], data["totals"]["total_tokens"]) == (1, 1388)


async def told(runtime, machine_id, limits, claims=OWNER, occurred_at="2026-11-22T08:00:00Z"):
    """A machine whose Codex said this of its rate limits."""
    companion = Companion(runtime, machine_id, claims.user_id)
    await companion.register(name=f"name of {machine_id}")
    fact = {"method": "account/rateLimits/updated", "params": {"rateLimits": limits}, "occurred_at": occurred_at}
    answer = await companion.post(f"/machines/{machine_id}/heartbeat", {"workers": [], "facts": [fact]})
    assert answer.status == 200, answer.body


async def test_rate_limits_stand_beside_spend_machine_by_machine_and_nobody_else_s(runtime):
    window = {"usedPercent": 42, "windowDurationMins": 300, "resetsAt": 1_795_335_317}
    said = {"limitId": "codex", "limitName": None, "planType": "pro", "primary": window, "secondary": None}
    await told(runtime, "m1", said)
    await told(runtime, "m2", said, occurred_at="2026-11-22T09:00:00Z")
    await told(runtime, "theirs", said, STRANGER)

    limits = (await report(runtime))["rate_limits"]

    assert [(one["machine_id"], one["machine_name"], one["as_of"]) for one in limits] == [
        ("m2", "name of m2", "2026-11-22T09:00:00.000000Z"),
        ("m1", "name of m1", "2026-11-22T08:00:00.000000Z"),
    ]
    shown = {
        "name": "primary",
        "used_percent": 42,
        "window_minutes": 300,
        "resets_at": "2026-11-22T08:15:17.000000Z",
    }
    assert [(one["limit_id"], one["limit_name"], one["plan"], one["windows"]) for one in limits] == [
        ("codex", None, "pro", [shown])
    ] * 2


@pytest.mark.parametrize(
    ("limits", "windows"),
    [
        (None, []),
        ("many", []),
        ({"primary": None, "secondary": 5}, []),
        ({"primary": {"usedPercent": "42"}}, []),
        ({"primary": {"usedPercent": 10**30}}, []),
        ({"secondary": {"usedPercent": 99.6}}, [("secondary", 100, None, None)]),
        ({"primary": {"usedPercent": 1, "resetsAt": 2**50, "windowDurationMins": True}}, [("primary", 1, None, None)]),
    ],
)
async def test_whatever_codex_says_of_its_limits_is_shown_as_far_as_it_makes_sense(runtime, limits, windows):
    await told(runtime, "m1", limits)

    (one,) = (await report(runtime))["rate_limits"]

    assert [tuple(window.values()) for window in one["windows"]] == windows
