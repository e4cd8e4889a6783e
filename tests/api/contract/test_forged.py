"""What only a machine or the runtime may say can't be forged with a phone's token, not even the owner's own."""

from __future__ import annotations

from typing import Any

import pytest
from tests.api.contract.world import Person, ask, error, lease

from autopilot.testing import approvals

FORGED: dict[str, tuple[str, dict[str, Any]]] = {
    "an approval": ("worker.approval.requested", {}),
    "that it was applied": ("worker.approval.applied", {"approval_id": "ap_x", "outcome": "accept"}),
    "that it was closed": ("worker.approval.closed", {"approval_id": "ap_x", "reason": "turn_ended"}),
    "a decision": ("worker.approval.decided", {"approval_id": "ap_x", "decision": {"option_id": "accept"}}),
    "a response": ("worker.response", {"request_id": "r1", "response": {}}),
    "an error": ("worker.error", {"request_id": "r1", "error": {"code": "x", "message": "x"}}),
    "usage": ("worker.usage", {"tokens": 1}),
    "a stop": ("worker.stopped", {"verified": True}),
    "a heartbeat": ("worker.heartbeat", {}),
    "a start": ("worker.started", {}),
    "a step of a receipt": ("worker.request.completed", {"request_id": "r1"}),
    "a denial": ("worker.policy.denied", {"rule_id": "x"}),
    "a lease": ("worker.lease.claimed", {"machine_id": "m"}),
    "Codex's word": ("worker.event", {"source": "autopilot-desktop", "method": "turn/completed", "params": {}}),
    "an ack": ("worker.event", {"source": "ada", "method": "desktop/handshake_ack", "handshake_id": "h"}),
}


@pytest.fixture
async def leased(ada: Person) -> Person:
    """Ada's machine, which holds the lease of her worker."""
    machine = await ada.machine()
    await lease(machine, ada.worker_id)
    return machine


@pytest.mark.parametrize("what", FORGED)
async def test_a_phone_forges_nothing_in_its_own_workers_log(ada: Person, leased: Person, what: str):
    event_type, payload = FORGED[what]
    if what == "an approval":
        payload = approvals.asked(approvals.question(ada.worker_id))
    before = (await ada.get(f"/workers/{ada.worker_id}")).json()["data"]["latest_seq"]

    answer = await ada.post(
        f"/workers/{ada.worker_id}/events", {"event": {"event_type": event_type, "payload": payload}}
    )

    detail = error(answer, 403, "forbidden")
    assert detail["reason_code"] in {"event_type", "lease"}
    assert (await ada.get(f"/workers/{ada.worker_id}")).json()["data"]["latest_seq"] == before
    assert leased.worker_id


async def test_a_phone_reports_no_receipt_acknowledges_no_feed_and_beats_for_no_machine(ada: Person, leased: Person):
    machine = f"/machines/{leased.worker_id}"
    report = {"receipts": [{"worker_id": None, "request_id": "r1", "state": "completed", "response": {}}]}

    error(await ada.post(f"{machine}/receipts", report), 403, "forbidden", "scope")
    error(await ada.post(f"{machine}/feed/ack", {"cursor": 0}), 403, "forbidden", "scope")
    error(await ada.post(f"{machine}/heartbeat", {"desktop_session_id": "d", "workers": []}), 403, "forbidden", "scope")
    error(await ada.get(f"{machine}/feed?tail_ms=1"), 403, "forbidden", "scope")
    error(await ada.post("/machines", {"machine_id": "mine", "name": "x"}), 403, "forbidden", "scope")


async def test_a_machine_answers_no_question_that_its_codex_asked(ada: Person, leased: Person):
    approval_id = await ask(leased, ada.worker_id)

    error(await leased.post(f"/approvals/{approval_id}/decision", {"option_id": "accept"}), 403, "forbidden", "scope")
    assert (await ada.get(f"/approvals/{approval_id}")).json()["data"]["state"] == "pending"


async def test_no_client_hands_over_lines_of_the_audit_or_says_that_a_device_is_revoked(ada: Person, leased: Person):
    for who in (ada, leased):
        for path in ("/audit/records", "/devices/dev_x/revoked", "/audit%2Frecords", "/workers/../audit/records"):
            answer = await who.world.api.client.request(
                "POST",
                f"/api/runtime/codex{path}",
                json={"records": []},
                headers={"authorization": f"Bearer {who.token}"},
            )
            assert answer.status_code in {404, 405, 422}, answer.text
