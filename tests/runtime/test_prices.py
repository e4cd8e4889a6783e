"""What spend costs: exact amounts by the price of the day, and a past that no new table changes unasked."""

from __future__ import annotations

import asyncio
import random
from datetime import date, timedelta
from fractions import Fraction

import pytest

from autopilot.contract.port import Claims
from autopilot.runtime.spend_counts import Counts
from autopilot.testing.runtime import OBSERVER, OWNER, STRANGER, call, insert_worker

ADMIN = Claims(user_id=9, device_id="device-admin", scopes=frozenset({"administer", "admin"}), step_up=True)
FIRST = date(2026, 11, 1)
WAYS = ("day", "worker", "thread", "model", "machine")


def toml(*prices, currency="USD"):
    """`(model, day, input, cached, output)`."""
    tables = (
        f'[[price]]\nmodel = "{model}"\nfrom = {day}\ninput = {cost}\ncached_input = {cached}\noutput = {output}\n'
        for model, day, cost, cached, output in prices
    )
    return f'currency = "{currency}"\n{"".join(tables)}'


async def put(runtime, text, *, expected=0, claims=ADMIN, **more):
    body = {"format": "toml", "text": text, "expected_version": expected, **more}
    return await call(runtime, "POST", "/prices", body, claims=claims)


async def used(runtime, worker_id, counts, *, day=FIRST, thread_id="t", model="gpt-5", machine_id="m1"):
    await runtime.pool.execute(
        "insert into spend_day select worker_no, $2, $3, $4, $5, $6, $7, $8, $9, $10 from worker where worker_id = $1",
        worker_id,
        day,
        thread_id,
        model,
        machine_id,
        *counts,
    )


async def report(runtime, by="day", claims=OWNER):
    answer = await call(runtime, "GET", "/spend", query=f"from=2026-11-01&to=2026-11-30&by={by}", claims=claims)
    assert answer.status == 200, answer.body
    return answer.data


async def test_without_a_table_there_is_no_money(runtime):
    await insert_worker(runtime, "w")
    await used(runtime, "w", Counts(1, 0, 1, 0, 2))

    said, shown = await report(runtime), await call(runtime, "GET", "/prices", claims=OBSERVER)

    assert [said[name] for name in ("money", "currency", "prices_version", "unpriced")] == [None, None, None, []]
    assert said["groups"][0]["money"] is None
    assert (shown.data["version"], shown.data["text"], shown.data["prices"]) == (0, None, [])


async def test_a_table_is_shown_as_it_was_written_and_as_it_was_read(runtime):
    text = toml(("gpt-5", "2026-11-01", "1.25", "0.125", "10"))

    added = await put(runtime, text)
    shown = (await call(runtime, "GET", "/prices", claims=STRANGER)).data

    assert added.status == 200, added.body
    assert shown == added.data
    assert (shown["version"], shown["text"], shown["currency"], shown["actor"]["user_id"]) == (1, text, "USD", 9)
    assert shown["prices"] == [
        {
            "model": "gpt-5",
            "first_day": "2026-11-01",
            "input_micros": 1_250_000,
            "cached_input_micros": 125_000,
            "output_micros": 10_000_000,
        }
    ]


@pytest.mark.parametrize("claims", [OWNER, OBSERVER, Claims(user_id=1, scopes=frozenset({"execute"}), machine_id="m")])
async def test_only_an_admin_sets_prices(runtime, claims):
    refused = await put(runtime, toml(), claims=claims)

    assert (refused.status, refused.reason) == (403, "scope")


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"format": "yaml"}, 422, "format"),
        ({"expected_version": -1}, 422, "expected_version"),
        ({"text": "\x00"}, 422, "text"),
        ({"text": "currency = 1"}, 422, "currency"),
        ({"reprice": "yes"}, 422, "reprice"),
        ({"expected_version": 7}, 409, "expected_version"),
    ],
)
async def test_what_can_t_be_set_is_refused_by_name(runtime, body, status, field):
    sound = {"format": "toml", "text": toml(), "expected_version": 0}

    refused = await call(runtime, "POST", "/prices", {**sound, **body}, claims=ADMIN)

    assert refused.status == status, refused.body
    assert refused.json["error"]["details"][0]["field"] == field
    assert (await call(runtime, "GET", "/prices")).data["version"] == 0


async def test_cached_tokens_have_their_own_price_and_reasoning_is_output(runtime):
    await insert_worker(runtime, "w")
    await used(runtime, "w", Counts(1_000_000, 400_000, 300_000, 200_000, 1_300_000))
    await put(runtime, toml(("gpt-5", "2026-11-01", "1.25", "0.125", "10")))

    said = await report(runtime)

    assert said["money"] == {"micros": 600_000 * 1.25 + 400_000 * 0.125 + 300_000 * 10, "unpriced_tokens": 0}
    assert (said["groups"][0]["money"], said["currency"], said["prices_version"]) == (said["money"], "USD", 1)


async def test_models_and_days_without_a_price_are_named_and_not_in_the_sum(runtime):
    await insert_worker(runtime, "w")
    for day, model in ((FIRST, "gpt-5"), (FIRST + timedelta(days=9), "gpt-5"), (FIRST, "o9"), (FIRST, "")):
        await used(runtime, "w", Counts(10, 0, 0, 0, 10), day=day, model=model)
    await put(runtime, toml(("gpt-5", "2026-11-05", "1", "1", "1")))

    said = await report(runtime, "model")

    assert said["unpriced"] == [{"model": name, "tokens": 10} for name in (None, "gpt-5", "o9")]
    assert said["money"] == {"micros": 10, "unpriced_tokens": 30}
    assert {one["model"]: tuple(one["money"].values()) for one in said["groups"]} == {
        "gpt-5": (10, 10),
        "o9": (None, 10),
        None: (None, 10),
    }


async def test_each_day_costs_what_held_on_it_and_a_later_price_leaves_it_so(runtime):
    today = await runtime.pool.fetchval("select (clock_timestamp() at time zone 'UTC')::date")
    old = ("gpt-5", "2026-01-01", "1", "1", "1")
    await insert_worker(runtime, "w")
    await used(runtime, "w", Counts(1_000_000, 0, 0, 0, 1_000_000))
    await put(runtime, toml(old))

    silently = await put(runtime, toml(("gpt-5", "2026-01-01", "2", "2", "2")), expected=1)
    later = await put(runtime, toml(old, ("gpt-5", today + timedelta(days=1), "2", "2", "2")), expected=1)

    assert (silently.status, silently.reason) == (409, "reprices")
    assert silently.json["error"]["details"][0]["models"] == [{"model": "gpt-5", "first_day": "2026-01-01"}]
    assert (later.status, (await report(runtime))["money"]["micros"]) == (200, 1_000_000)
    meant = await put(runtime, toml(("gpt-5", "2026-01-01", "2", "2", "2")), expected=2, reprice=True)
    assert (meant.status, (await report(runtime))["money"]["micros"]) == (200, 2_000_000)


async def test_of_writers_at_once_one_wins_each_version(runtime):
    for version in range(3):
        async with asyncio.timeout(30), asyncio.TaskGroup() as tasks:
            writing = [tasks.create_task(put(runtime, f"# {n}\n{toml()}", expected=version)) for n in range(6)]
        assert sorted(task.result().status for task in writing) == [200, 409, 409, 409, 409, 409]


@pytest.mark.seeds(5, 200)
async def test_every_group_and_the_total_are_the_exact_sum_rounded_once(runtime, seed):
    """Against fractions of whole numbers, with prices of six decimals that change within the month."""
    rng = random.Random(seed)
    prices: dict[str, dict[date, tuple[int, int, int]]] = {}
    for model in ("a", "b"):
        days = sorted(rng.sample(range(28), rng.randint(1, 4)))
        prices[model] = {
            FIRST + timedelta(days=day): tuple(rng.choice([0, 1, 7, rng.randrange(10**8)]) for _ in range(3))
            for day in days
        }
    written = [
        (model, day, *(f"{one // 10**6}.{one % 10**6:06}" for one in amounts))
        for model, by_day in prices.items()
        for day, amounts in by_day.items()
    ]
    assert (await put(runtime, toml(*written))).status == 200
    expected: dict[tuple[str, str | None], Fraction] = {}
    for number in range(3):
        await insert_worker(runtime, f"w{number}")
    for number in range(30):
        counts = Counts(rng.randint(0, 10**7), rng.randint(0, 10**7), rng.randint(0, 10**6), 0, rng.randint(1, 10**7))
        day, model = FIRST + timedelta(days=rng.randrange(28)), rng.choice(["a", "b", "c"])
        worker_id, machine_id = f"w{rng.randrange(3)}", f"m{rng.randrange(2)}"
        await used(runtime, worker_id, counts, day=day, thread_id=str(number), model=model, machine_id=machine_id)
        begun = [amounts for first, amounts in prices.get(model, {}).items() if first <= day]
        if begun:
            cached = min(counts.cached_input_tokens, counts.input_tokens)
            parts = (counts.input_tokens - cached, cached, counts.output_tokens)
            cost = sum((Fraction(n * price, 10**6) for n, price in zip(parts, begun[-1], strict=True)), Fraction())
            keys = (day.isoformat(), worker_id, f"{worker_id} {number}", model, machine_id, None)
            for way, key in zip((*WAYS, "all"), keys, strict=True):
                expected[way, key] = expected.get((way, key), Fraction()) + cost
    rounded = {key: int(cost + Fraction(1, 2)) for key, cost in expected.items()}

    found = {}
    for way in WAYS:
        said = await report(runtime, way)
        for group in said["groups"]:
            key = " ".join(
                group[name] for name in ("day", "worker_id", "thread_id", "model", "machine_id") if group[name]
            )
            if group["money"]["micros"] is not None:
                found[way, key] = group["money"]["micros"]
        if said["money"]["micros"] is not None:
            found["all", None] = said["money"]["micros"]
    assert found == rounded
