"""One x-request-id through every hop of a request."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.e2e.installation import Up, running_up
from tests.e2e.test_up import first_worker

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def lines(up: Up, log: str, x_request_id: str, logger: str) -> list[str]:
    """The events that a log's `logger` wrote under this id."""
    return [
        line["event"]
        for line in up.log(log)
        if line.get("x_request_id") == x_request_id and line["logger"].startswith(logger)
    ]


@pytest.mark.parametrize(
    ("shape", "api", "runtime"),
    [((), "server", "server"), (("--split",), "api", "runtime")],
    ids=["one-process", "two-processes"],
)
async def test_one_x_request_id_is_found_at_every_hop(
    tmp_path: Path, shape: tuple[str, ...], api: str, runtime: str
) -> None:
    async with running_up(tmp_path / "home", *shape) as up:
        worker = await first_worker(up)
        await up.cli("watch", worker, "--until-idle")
        asked = (await up.cli("request", "thread/read", "--request-id", "correlated", "--json")).json
        hops = (await up.cli("trace", "correlated", "--json")).json

        (x_request_id,) = {hop["x_request_id"] for hop in hops if hop["where"] == "client"}

    assert asked["state"] == "completed"
    assert "http.request" in lines(up, api, x_request_id, "autopilot.http")
    assert lines(up, runtime, x_request_id, "autopilot.runtime" if not shape else "autopilot.http")
    assert lines(up, "companion", x_request_id, "autopilot.companion")
    assert "accepted" in [hop["what"] for hop in hops if hop["where"] == "receipt"]
    assert {"worker.request.received", "worker.response"} <= {hop["what"] for hop in hops if hop["where"] == "ledger"}
