"""Prices through the SDK, over a real server as one process and as two."""

from __future__ import annotations

import pytest
from tests.api.contract.test_spend import client_of, use
from tests.api.contract.world import Person, World, error, person

from autopilot.client import RuntimeCodexClient
from autopilot.contract import SetPrices
from autopilot.contract.errors import Conflict, Forbidden, Unprocessable

PRICES = """\
currency = "USD"
[[price]]
model = "gpt-5"
from = 2026-01-01
input = 1.25
cached_input = 0.125
output = 10
"""


def table(text: str, expected: int = 0, *, reprice: bool | None = None) -> SetPrices:
    return SetPrices(format="toml", text=text, expected_version=expected, reprice=reprice)


async def test_an_admin_s_prices_are_everybody_s(own_world: World) -> None:
    ada, eve = await person(own_world, "ada"), await person(own_world, "eve")
    await use(ada, 800)
    admin = await ada.world.api.mint("admin@example.org", "admin")
    async with client_of(ada) as client:
        assert (await client.prices()).version == 0
        with pytest.raises(Forbidden):
            await client.set_prices(table(PRICES))
        async with RuntimeCodexClient(str(ada.world.api.client.base_url), admin.token) as setting:
            assert (await setting.set_prices(table(PRICES))).version == 1
            with pytest.raises(Conflict) as conflict:
                await setting.set_prices(table(PRICES))
            assert conflict.value.fact("latest_version") == 1
            with pytest.raises(Conflict) as silently:
                await setting.set_prices(table(PRICES.replace("10", "20"), 1))
            assert silently.value.reason_code == "reprices"
            with pytest.raises(Unprocessable) as faulty:
                await setting.set_prices(table(PRICES.replace("1.25", "'x'"), 1))
            assert (faulty.value.fact("path"), faulty.value.fact("line")) == ("price[0].input", 5)
        report = await client.spend(by="machine")
    assert report.money is not None
    assert report.money.micros == 200 * 1.25 + 400 * 0.125 + 200 * 10
    assert (report.currency, report.prices_version, report.unpriced) == ("USD", 1, ())
    assert (await eve.get("/prices")).json()["data"]["version"] == 1
    assert (await eve.get("/spend")).json()["data"]["money"] == {"micros": 0, "unpriced_tokens": 0}


async def test_a_machine_sees_no_prices_and_sets_none(ada: Person) -> None:
    machine = await ada.machine()

    error(await machine.get("/prices"), 403, "forbidden", "scope")
    error(
        await machine.post("/prices", {"format": "toml", "text": PRICES, "expected_version": 0}),
        403,
        "forbidden",
        "scope",
    )
