"""Health, metrics, the OpenAPI document and its page."""

from __future__ import annotations

import html.parser

from tests.api.served import EchoRuntime, ServedApi, bearer, serving

from autopilot import contract
from autopilot.api.http import paths
from autopilot.contract import openapi
from autopilot.contract.errors import Unavailable
from autopilot.contract.port import RuntimeRequest, RuntimeResponse


async def test_ready_means_that_database_and_runtime_answer(api: ServedApi):
    assert (await api.client.get("/healthz")).json() == {"ok": True}
    assert (await api.client.get("/readyz")).json() == {"ok": True}
    asked = api.runtime.calls[-1]
    assert (asked.method, asked.path, asked.claims.user_id) == ("GET", "/workers", None)


async def test_a_runtime_that_is_away_is_named(database: str):
    async def away(_: RuntimeRequest) -> RuntimeResponse:
        raise Unavailable("gone", reason_code="runtime_unreachable")

    runtime = EchoRuntime()
    runtime.answer = away
    async with serving(database, runtime) as api:
        answer = await api.client.get("/readyz")

        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        assert answer.json()["error"]["details"][0]["missing"] == ["runtime"]
        assert (await api.client.get("/healthz")).status_code == 200


async def test_a_database_that_lacks_a_migration_is_not_ready(api: ServedApi):
    await api.pool.execute("delete from api.schema_migration")

    assert (await api.client.get("/readyz")).json()["error"]["details"][0]["missing"] == ["database"]


async def test_strangers_cannot_make_readiness_a_load(api: ServedApi):
    for _ in range(20):
        await api.client.get("/readyz")

    assert len(api.runtime.calls) < 20


async def test_metrics_count_answers_by_route_and_never_by_id(api: ServedApi):
    token = (await api.mint("ada@example.org")).token
    await api.client.get("/api/runtime/codex/workers/secret-worker", headers=bearer(token))

    text = (await api.client.get("/metrics")).text
    assert 'route="/workers/{worker_id}"' in text
    assert "secret-worker" not in text
    assert "autopilot_api_streams_open 0.0" in text


async def test_the_openapi_document_is_the_contracts(api: ServedApi):
    answer = await api.client.get("/api/openapi.json")

    assert answer.json() == openapi.document()
    assert answer.json()["info"]["version"] == contract.VERSION == answer.headers["x-autopilot-contract"]


class Page(html.parser.HTMLParser):
    """The words and the links of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.words = ""
        self.links: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = dict(attrs)
        assert tag not in {"script", "img", "link", "iframe"}
        if facts.get("href"):
            self.links.append(str(facts["href"]))
        if facts.get("id"):
            self.ids.add(str(facts["id"]))

    def handle_data(self, data: str) -> None:
        self.words += data


async def test_the_page_shows_every_call_and_loads_nothing_from_elsewhere(api: ServedApi):
    answer = await api.client.get("/api/docs")
    page = Page(answer.text)

    assert answer.headers["content-type"].startswith("text/html")
    assert "style-src 'sha256-" in answer.headers["content-security-policy"]
    for path, item in openapi.document()["paths"].items():
        assert path in page.words
        for parameter in item.get("parameters", []):
            assert parameter.get("name", "") in page.words
    assert all(link == "openapi.json" or link.removeprefix("#") in page.ids for link in page.links)


def test_the_facades_table_and_the_document_name_the_same_calls():
    documented = {
        (method.upper(), path)
        for path, item in openapi.document()["paths"].items()
        for method in item
        if method in {"get", "post"}
    }
    ours = {(method, paths.BASE + path) for methods, path, _ in paths.TABLE for method in methods.split()}

    def shape(calls: set[tuple[str, str]]) -> set[tuple[str, str]]:
        return {(m, "/".join("{}" if part.startswith("{") else part for part in p.split("/"))) for m, p in calls}

    facade = {call for call in shape(documented) if call[1].startswith(paths.BASE)}
    assert facade == shape(ours)


async def test_whoever_opens_the_bare_url_is_led_to_the_page(api: ServedApi):
    answer = await api.client.get("/", follow_redirects=False)

    assert (answer.status_code, answer.headers["location"]) == (307, "/api/docs")
