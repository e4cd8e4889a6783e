"""Every request has an id from the first hop on, one line in the log, and its place in the metrics."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from structlog.testing import capture_logs

from autopilot.ops.access import REQUEST_ID, TRACEPARENT, Access
from autopilot.ops.log import current_request_id
from autopilot.ops.metrics import Metrics
from autopilot.testing.clock import FakeClock


async def show(request: Request) -> Response:
    state = request.scope["state"]
    return JSONResponse({"bound": current_request_id(), "state": state["x_request_id"], "trace": state["traceparent"]})


async def breaks(_request: Request) -> Response:
    raise RuntimeError("broken")


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def app(metrics: Metrics) -> Access:
    routes = [Route("/show/{name}", show), Route("/breaks", breaks), Route("/healthz", show)]
    return Access(Starlette(routes=routes), metrics=metrics, clock=FakeClock())


async def get(app: Access, path: str, **headers: str) -> httpx2.Response:
    transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
    async with httpx2.AsyncClient(transport=transport, base_url="http://test.invalid") as client:
        return await client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})


async def test_the_callers_id_and_trace_are_bound_and_echoed(app: Access) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    response = await get(app, "/show/a", x_request_id="r-1", traceparent=trace)

    assert response.json() == {"bound": "r-1", "state": "r-1", "trace": trace}
    assert response.headers["x-request-id"] == "r-1"


@pytest.mark.parametrize("bad", ["", "a b", "x" * 129, "a\x7f"])
async def test_an_unsound_id_is_replaced(app: Access, bad: str) -> None:
    response = await get(app, "/show/a", x_request_id=bad, traceparent="00-" + "0" * 32 + "-b7ad6b7169203331-01")

    assert REQUEST_ID.fullmatch(response.headers["x-request-id"])
    assert response.headers["x-request-id"] != bad
    assert TRACEPARENT.fullmatch(response.json()["trace"])


async def test_a_request_is_one_line_and_one_count_by_route(app: Access, metrics: Metrics) -> None:
    with capture_logs() as lines:
        await get(app, "/show/a?secret=1")
        await get(app, "/show/b")
        await get(app, "/nowhere")

    requests = [line for line in lines if line["event"] == "http.request"]
    assert [(line["path"], line["status"]) for line in requests] == [
        ("/show/a", 200),
        ("/show/b", 200),
        ("/nowhere", 404),
    ]
    assert "secret" not in str(lines)
    rendered = metrics.render()[0].decode()
    assert 'autopilot_http_requests_total{method="GET",route="/show/{name}",status="200"} 2.0' in rendered
    assert 'route="none",status="404"} 1.0' in rendered


async def test_a_failure_is_counted_too(app: Access, metrics: Metrics) -> None:
    await get(app, "/breaks")

    rendered = metrics.render()[0].decode()
    assert re.search(r'route="/breaks",status="500"\} 1\.0', rendered)
    assert "autopilot_http_requests_open 0.0" in rendered


async def test_health_checks_are_not_for_the_log_of_the_day(app: Access) -> None:
    with capture_logs() as lines:
        await get(app, "/healthz")

    assert [line["log_level"] for line in lines] == ["debug"]


async def test_requests_at_once_keep_their_ids_apart(app: Access) -> None:
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(get(app, "/show/a", x_request_id=f"r{n}")) for n in range(20)]

    seen: list[Any] = [task.result().json()["bound"] for task in tasks]
    assert seen == [f"r{n}" for n in range(20)]
