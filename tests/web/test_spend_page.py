"""The spend screen, over what real reports counted."""

from __future__ import annotations

from tests.api.contract.test_prices import PRICES, table
from tests.api.contract.test_spend import use
from tests.api.contract.world import World, lease
from tests.web.browser import Browser, Element, visitor

from autopilot.client import RuntimeCodexClient
from autopilot.testing.spend import thread, turn, usage


def tiles(page: Element) -> dict[str, str]:
    return {tile.all("small")[0].text: tile.one("strong").text for tile in page.all("div", class_="tile")}


async def test_one_sees_what_one_s_own_workers_used_and_nobody_else_s(ada: Browser, eve: Browser) -> None:
    assert ada.person is not None
    assert eve.person is not None
    await use(ada.person, 1234)
    await use(eve.person, 8)

    page = await ada.get("/spend")

    assert tiles(page)["Tokens"] == "1.23 k"
    drawing = page.one("svg", class_="columns")
    assert "most on" in (drawing.attributes["aria-label"] or "")
    assert any("1,234 tokens" in title.text for title in drawing.all("title"))
    assert "1,234" in page.one("figure").one("tbody").text
    assert tiles(await eve.get("/spend"))["Tokens"] == "8"


async def test_it_is_told_by_model_worker_and_machine(ada: Browser) -> None:
    assert ada.person is not None
    worker_id = await use(ada.person, 800)

    assert "gpt-5" in (await ada.get("/spend?by=model")).one(aria_label="Spend by model").text
    by_worker = (await ada.get("/spend?by=worker&days=7")).one(aria_label="Spend by worker")
    assert by_worker.one("a").attributes["href"] == f"/w/{worker_id.replace(':', '%3A')}"
    assert "laptop" in (await ada.get("/spend?by=machine&days=365")).one(aria_label="Spend by machine").text
    assert ada.person.email in (await ada.get("/spend?by=user")).one(aria_label="Spend by user").text
    assert "Not shared with a team" in (await ada.get("/spend?by=team")).one(aria_label="Spend by team").text


async def test_nothing_used_is_no_failure(ada: Browser) -> None:
    page = await ada.get("/spend?from=2026-01-01&to=2026-01-31")
    assert "Nothing was used on these days." in page.text
    assert not page.all("figure")


async def test_days_that_are_none_are_told_in_a_sentence(ada: Browser) -> None:
    page = await ada.get("/spend?from=2026-13-01&to=2026-01-31", status=422)
    assert "This is no day" in page.text
    page = await ada.get("/spend?from=2026-02-01&to=2026-01-31", status=422)
    assert "From must not be after to" in page.text


async def test_money_is_shown_where_a_price_table_is_set(own_world: World) -> None:
    ada = await visitor(own_world, "ada")
    assert ada.person is not None
    await use(ada.person, 800)
    assert "There is no price table" in (await ada.get("/spend")).text
    admin = await own_world.api.mint("admin@example.org", "admin")
    async with RuntimeCodexClient(own_world.api.url, admin.token) as client:
        await client.set_prices(table(PRICES))

    page = await ada.get("/spend")

    assert tiles(page)["Cost"].endswith("USD")
    assert "gpt-5" in page.one(aria_label="Prices").text
    await ada.http.aclose()


async def test_a_budget_says_what_is_left(ada: Browser) -> None:
    assert ada.person is not None
    assert "No budget binds you." in (await ada.get("/spend")).text
    text = "[[budget]]\nname = 'daily'\nper = 'user'\nperiod = 'day'\ntokens = 1000\nwarn_at = 0.5\n"
    body = {"subject": "user", "format": "toml", "text": text, "expected_version": 0}
    assert (await ada.person.post("/policies", body)).status_code == 200
    await use(ada.person, 750)

    line = (await ada.get("/spend")).one("ul", class_="limits").text

    assert "daily" in line
    assert "250 left of 1 k, a day" in line
    assert "750 of 1,000 tokens" in line


async def test_models_are_compared_over_time_in_colours_and_in_words(ada: Browser) -> None:
    assert ada.person is not None
    await use(ada.person, 800)
    assert "Models over time" not in (await ada.get("/spend")).text
    machine, worker_id = await ada.person.machine(), await ada.person.open_worker()
    await lease(machine, worker_id)
    for payload in (thread(model="<b>small"), turn("turn-1"), usage(200)):
        await machine.append(worker_id, **payload)

    plot = (await ada.get("/spend")).all("figure")[-1]

    assert [one.text for one in plot.one("ul", class_="legend").all("li")] == ["gpt-5", "<b>small"]
    words = plot.one("svg", class_="columns").attributes["aria-label"] or ""
    assert words.startswith("Tokens of each model, by day; ")
    assert words.endswith(": gpt-5 80 %, <b>small 20 %")
    assert [cell.text for cell in plot.one("tbody").all("td")][1:] == ["800", "200"]
