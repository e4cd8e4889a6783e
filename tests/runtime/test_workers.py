from __future__ import annotations

from datetime import timedelta

import pytest

from autopilot.contract.port import Claims
from autopilot.testing.runtime import OBSERVER, STRANGER, batch, call, draft, frames, insert_worker

SNAPSHOT = """
worker_id status latest_seq workspace_ref codex_home_ref adapter metadata started_at stopped_at updated_at
last_heartbeat_at heartbeat_age_ms heartbeat_stale_after_ms heartbeat_state title preview cwd model activity
control machine execution_mode backend lease health pending_approvals spend owner role
"""
GUEST = Claims(guest_scope="g-1", scopes=frozenset({"administer"}), surface="web")


async def create(runtime, claims=None, **body):
    return await call(runtime, "POST", "/workers", body, **({"claims": claims} if claims else {}))


async def snapshot(runtime, worker_id="w"):
    return (await call(runtime, "GET", f"/workers/{worker_id}/snapshot")).data


async def listed(runtime, query="", **more):
    answer = await call(runtime, "GET", "/workers", query=query, **more)
    return [item["worker_id"] for item in answer.data], answer.json["next"]


async def test_a_new_worker_runs_at_once_and_its_start_is_seq_1(runtime):
    answer = await create(runtime, worker_id="w", adapter="desktop_bridge", metadata={"a": 1})

    assert answer.status == 202
    assert answer.data == {"workerId": "w", "status": "running", "latestSeq": 1, "idempotentReplay": False}
    (frame,) = await frames(runtime, "w")
    assert (frame["eventType"], frame["payload"]["reason"]) == ("worker.started", "create")
    assert frame["actor"]["user_id"] == 1


async def test_creating_an_open_worker_again_changes_nothing(runtime):
    await create(runtime, worker_id="w", adapter="desktop_bridge")

    again = await create(runtime, worker_id="w", adapter="other")

    assert (again.status, again.data["idempotentReplay"], again.data["latestSeq"]) == (200, True, 1)
    assert (await snapshot(runtime))["adapter"] == "desktop_bridge"


async def test_a_stopped_worker_is_reattached_and_its_log_goes_on(runtime):
    await create(runtime, worker_id="w", adapter="a", workspace_ref="one")
    await runtime.ledger.append(batch("w", draft("end", "worker.stopped", reason="done")))
    assert (await snapshot(runtime))["status"] == "stopped"

    answer = await create(runtime, worker_id="w", workspace_ref="two")

    assert (answer.status, answer.data["latestSeq"]) == (202, 3)
    assert [frame["payload"].get("reason") for frame in await frames(runtime, "w")] == ["create", "done", "reattach"]
    now = await snapshot(runtime)
    assert (now["status"], now["stopped_at"], now["adapter"], now["workspace_ref"]) == ("running", None, "a", "two")


async def test_a_worker_without_an_id_gets_one(runtime):
    answer = await create(runtime)

    assert answer.data["workerId"].startswith("worker-")


async def test_somebody_elses_worker_is_refused_on_every_road(runtime):
    await create(runtime, worker_id="w")

    for method, path in (
        ("GET", "/workers/w/snapshot"),
        ("GET", "/workers/w/stream"),
        ("GET", "/workers/w/events"),
    ):
        answer = await call(runtime, method, path, claims=STRANGER)
        assert (answer.status, answer.reason) == (403, "role")
    assert (await create(runtime, claims=STRANGER, worker_id="w")).status == 403
    assert await listed(runtime, claims=STRANGER) == ([], None)


async def test_guests_own_workers_too(runtime):
    await create(runtime, claims=GUEST, worker_id="g")

    answer = await call(runtime, "GET", "/workers/g/snapshot", claims=GUEST)

    assert answer.data["owner"] == {"user_id": None, "guest_scope": "g-1", "team_id": None}
    assert (await call(runtime, "GET", "/workers/g/snapshot")).status == 403


async def test_observers_make_no_workers(runtime):
    assert (await create(runtime, claims=OBSERVER, worker_id="w")).reason == "scope"


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"worker_id": "a b"}, ["worker_id"]),
        ({"worker_id": ""}, ["worker_id"]),
        ({"worker_id": 1, "adapter": "x" * 121}, ["worker_id", "adapter"]),
        ({"workspace_ref": "x" * 256, "codex_home_ref": "x" * 256}, ["workspace_ref", "codex_home_ref"]),
        ({"workspace_ref": "a\0b"}, ["workspace_ref"]),
        ({"metadata": []}, ["metadata"]),
        ({"metadata": {"a": "x" * 70_000}}, ["metadata"]),
    ],
)
async def test_a_body_out_of_range_has_a_detail_for_each_field(runtime, body, fields):
    answer = await create(runtime, **body)

    assert answer.status == 422
    assert [detail["field"] for detail in answer.json["error"]["details"]] == fields


async def test_metadata_keeps_its_order_and_loses_its_secrets(runtime):
    await create(runtime, worker_id="w", metadata={"z": 1, "a": 2, "api_key": "k"})

    assert list((await snapshot(runtime))["metadata"].items()) == [("z", 1), ("a", 2), ("api_key", "[redacted]")]


async def test_the_list_is_newest_activity_first_and_pages_through(runtime):
    for name in "abcde":
        await create(runtime, worker_id=name)
    await runtime.ledger.append(batch("b", draft("x")))

    first, following = await listed(runtime, "limit=2")
    second, after = await listed(runtime, f"limit=2&before={following}")
    third, end = await listed(runtime, f"limit=2&before={after}")

    assert (first, second, third, end) == (["b", "e"], ["d", "c"], ["a"], None)


async def test_the_list_filters_by_status_and_workspace(runtime):
    await create(runtime, worker_id="a", workspace_ref="desktop:///one")
    await create(runtime, worker_id="b", workspace_ref="desktop:///two")
    await runtime.ledger.append(batch("b", draft("end", "worker.stopped")))

    assert await listed(runtime, "status=running") == (["a"], None)
    assert await listed(runtime, "status=stopped") == (["b"], None)
    assert await listed(runtime, "workspace_ref=desktop%3A%2F%2F%2Ftwo") == (["b"], None)
    assert await listed(runtime, "workspace_ref=desktop") == ([], None)


@pytest.mark.parametrize(
    "query", ["status=gone", "limit=0", "limit=201", "limit=x", "before=%21", "before=MS4", "workspace_ref=%00"]
)
async def test_a_list_out_of_range_is_unprocessable(runtime, query):
    assert (await call(runtime, "GET", "/workers", query=query)).status == 422


async def test_a_snapshot_has_every_field_of_the_contract(runtime):
    await create(runtime, worker_id="w")

    found = await snapshot(runtime)

    assert list(found) == SNAPSHOT.split()
    assert found["lease"]["state"] == "never"
    assert found["activity"] == {"value": "unknown", "seq": 1}
    assert {name: fact["state"] for name, fact in found["health"].items()} == {
        "api": "ok",
        "machine": "unknown",
        "codex": "unknown",
        "data": "ok",
    }


async def test_a_summary_is_a_snapshot_and_the_projection(runtime):
    await create(runtime, worker_id="w")

    (summary,) = (await call(runtime, "GET", "/workers")).data

    assert list(summary) == [*(await snapshot(runtime)), "convex_projection"]
    assert summary["convex_projection"] is None


@pytest.mark.parametrize(
    ("started_ago", "heard_ago", "status", "state"),
    [
        (10, None, "running", "fresh"),
        (121, None, "running", "missing"),
        (1000, 10, "running", "fresh"),
        (1000, 121, "running", "stale"),
        (10, 1000, "running", "fresh"),
        (1000, 10, "stopped", "stopped"),
        (1000, 10, "failed", "failed"),
    ],
)
async def test_heartbeats_are_classified_by_the_later_of_start_and_beat(runtime, started_ago, heard_ago, status, state):
    await create(runtime, worker_id="w")
    ago = None if heard_ago is None else timedelta(seconds=heard_ago)
    await runtime.pool.execute("update worker_beat set last_heartbeat_at = now() - $1::interval", ago)
    await runtime.pool.execute(
        "update worker_state set started_at = now() - $1::interval, status = $2", timedelta(seconds=started_ago), status
    )

    found = await snapshot(runtime)

    assert found["heartbeat_state"] == state
    assert found["heartbeat_age_ms"] // 1000 == min(started_ago, heard_ago or started_ago)


async def test_facts_carry_the_seq_they_are_true_for(runtime):
    await create(runtime, worker_id="w")
    thread = {"name": None, "preview": "", "cwd": "/p", "model": "m", "status": {"type": "idle"}}
    total = {
        "inputTokens": 5,
        "cachedInputTokens": 1,
        "outputTokens": 2,
        "reasoningOutputTokens": 0,
        "totalTokens": 7,
    }
    said = [
        ("thread/started", {"thread": thread}),
        ("turn/started", {}),
        ("item/completed", {"item": {"type": "userMessage", "content": [{"type": "text", "text": "do\n it"}]}}),
        ("thread/name/updated", {"threadName": "Title"}),
        ("thread/tokenUsage/updated", {"tokenUsage": {"total": total}}),
        ("thread/status/changed", {"status": {"type": "active", "activeFlags": ["waitingOnApproval"]}}),
    ]
    await runtime.ledger.append(
        batch("w", *(draft(f"e{n}", method=method, params=params) for n, (method, params) in enumerate(said)))
    )

    found = await snapshot(runtime)

    assert {name: found[name] for name in ("title", "preview", "cwd", "model", "activity")} == {
        "title": {"value": "Title", "seq": 5},
        "preview": {"value": "do it", "seq": 4},
        "cwd": {"value": "/p", "seq": 2},
        "model": {"value": "m", "seq": 2},
        "activity": {"value": "waiting_for_approval", "seq": 7},
    }
    assert found["spend"]["total_tokens"] == 7
    assert found["spend"]["seq"] == 6


async def test_an_unknown_worker_is_404_everywhere(runtime):
    for path in ("/workers/nobody/snapshot", "/workers/nobody/events", "/workers/nobody/stream"):
        answer = await call(runtime, "GET", path)
        assert (answer.status, answer.reason) == (404, "no_such_worker")


async def test_unknown_routes_are_404_and_other_methods_405(runtime):
    assert (await call(runtime, "GET", "/nothing")).status == 404
    assert (await call(runtime, "GET", "/workers/w")).status == 404
    assert (await call(runtime, "DELETE", "/workers")).status == 405


async def test_pages_go_both_ways(runtime):
    await insert_worker(runtime, "w")
    await runtime.ledger.append(batch("w", *(draft(f"e{n}") for n in range(1, 11))))

    async def page(query):
        answer = await call(runtime, "GET", "/workers/w/events", query=query)
        return [envelope["seq"] for envelope in answer.data]

    assert await page("limit=3") == [8, 9, 10]
    assert await page("before=8&limit=3") == [5, 6, 7]
    assert await page("before=3&limit=3") == [1, 2]
    assert await page("before=1") == []
    assert await page("before=99&limit=1") == [10]
    assert await page("after=0&limit=3") == [1, 2, 3]
    assert await page("after=8") == [9, 10]
    assert await page("after=10") == []
    assert (await call(runtime, "GET", "/workers/w/events", query="after=11")).reason == "ahead_of_log"
    assert (await call(runtime, "GET", "/workers/w/events", query="after=1&before=3")).status == 400
    assert (await call(runtime, "GET", "/workers/w/events", query="limit=501")).status == 422


async def test_a_page_is_bounded_in_bytes_too(runtime):
    await insert_worker(runtime, "w")
    for number in range(4):
        await runtime.ledger.append(batch("w", draft(f"e{number}", text="x" * 3_500_000)))

    forwards = await call(runtime, "GET", "/workers/w/events", query="after=0")
    backwards = await call(runtime, "GET", "/workers/w/events", query="before=5")

    assert [envelope["seq"] for envelope in forwards.data] == [1, 2]
    assert [envelope["seq"] for envelope in backwards.data] == [3, 4]
