"""The OpenAPI document is sound, describes every public call, and says what the error table says."""

from __future__ import annotations

import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from autopilot import contract
from autopilot.api.http import paths
from autopilot.contract import openapi
from autopilot.contract.errors import Problem

BASE = "/api/runtime/codex"
CALLS = {
    f"GET {BASE}/workers",
    f"POST {BASE}/workers",
    f"GET {BASE}/workers/{{workerId}}",
    f"GET {BASE}/workers/{{workerId}}/stream",
    f"GET {BASE}/workers/{{workerId}}/events",
    f"POST {BASE}/workers/{{workerId}}/events",
    f"POST {BASE}/workers/{{workerId}}/requests",
    f"GET {BASE}/workers/{{workerId}}/requests/{{requestId}}",
    f"POST {BASE}/workers/{{workerId}}/requests/{{requestId}}/cancel",
    f"POST {BASE}/workers/{{workerId}}/stop",
    f"GET {BASE}/workers/{{workerId}}/artifacts",
    f"POST {BASE}/workers/{{workerId}}/artifacts",
    f"GET {BASE}/workers/{{workerId}}/artifacts/{{artifactId}}",
    f"POST {BASE}/workers/{{workerId}}/lease",
    f"POST {BASE}/workers/{{workerId}}/lease/release",
    f"GET {BASE}/machines",
    f"POST {BASE}/machines",
    f"POST {BASE}/machines/{{machineId}}/team",
    f"POST {BASE}/machines/{{machineId}}/heartbeat",
    f"GET {BASE}/machines/{{machineId}}/feed",
    f"POST {BASE}/machines/{{machineId}}/feed/ack",
    f"POST {BASE}/machines/{{machineId}}/requests",
    f"GET {BASE}/machines/{{machineId}}/requests/{{requestId}}",
    f"POST {BASE}/machines/{{machineId}}/requests/{{requestId}}/cancel",
    f"POST {BASE}/machines/{{machineId}}/receipts",
    f"GET {BASE}/approvals",
    f"GET {BASE}/approvals/{{approvalId}}",
    f"POST {BASE}/approvals/{{approvalId}}/decision",
    f"GET {BASE}/policies",
    f"POST {BASE}/policies",
    f"POST {BASE}/policies/test",
    f"GET {BASE}/prices",
    f"POST {BASE}/prices",
    f"POST {BASE}/policies/test/approval",
    f"GET {BASE}/policies/history",
    f"GET {BASE}/policies/version",
    f"GET {BASE}/spend",
    f"GET {BASE}/budgets",
    f"GET {BASE}/audit",
    f"GET {BASE}/trace/{{requestId}}",
    f"GET {BASE}/stream",
    f"POST {BASE}/stop-all",
    "POST /api/auth/email",
    "POST /api/auth/verify",
    "POST /api/auth/refresh",
    "POST /api/auth/signout",
    "POST /api/auth/step-up",
    "GET /api/me",
    "GET /api/devices",
    "POST /api/devices/{deviceId}/rename",
    "POST /api/devices/{deviceId}/revoke",
    "POST /api/devices/revoke-others",
    "POST /api/devices/key",
    "POST /api/pairing",
    "POST /api/pairing/request",
    "POST /api/pairing/claim",
    "POST /api/pairing/find",
    "POST /api/pairing/state",
    "POST /api/pairing/collect",
    "GET /api/pairing/{pairingId}",
    "POST /api/pairing/{pairingId}/nonce",
    "POST /api/pairing/{pairingId}/decision",
    "GET /api/teams",
    "POST /api/devices/{deviceId}/confirm",
    "GET /api/auth/passkeys",
    "POST /api/auth/passkeys/register/options",
    "POST /api/auth/passkeys/register",
    "POST /api/auth/passkeys/{passkeyId}/rename",
    "POST /api/auth/passkeys/{passkeyId}/remove",
    "POST /api/auth/passkeys/sign-in/options",
    "POST /api/auth/passkeys/sign-in",
    "POST /api/teams",
    "POST /api/teams/accept",
    "GET /api/teams/{teamId}",
    "POST /api/teams/{teamId}/invitations",
    "POST /api/teams/{teamId}/invitations/{invitationId}/withdraw",
    "POST /api/teams/{teamId}/members/{userId}/role",
    "POST /api/teams/{teamId}/members/{userId}/remove",
    "POST /api/teams/{teamId}/delete",
    "GET /api/push",
    "POST /api/push/subscriptions",
    "POST /api/push/subscriptions/{subscriptionId}/remove",
    "POST /api/push/settings",
    "POST /api/push/test",
    "POST /api/push/looking",
    "POST /api/push/actions",
    "GET /api/guests",
    "POST /api/guests",
    "POST /api/guests/{guestId}/revoke",
    "POST /api/guests/enter",
    "POST /api/guests/refresh",
    "POST /api/teams/{teamId}/leave",
    "DELETE /api/me",
    "GET /api/auth/oidc",
    "POST /api/auth/oidc",
    "POST /api/auth/oidc/collect",
    "GET /api/openapi.json",
    "GET /healthz",
    "GET /readyz",
}
DOCUMENT = openapi.document()


def operations() -> dict[str, dict[str, Any]]:
    return {
        f"{method.upper()} {path}": operation
        for path, item in DOCUMENT["paths"].items()
        for method, operation in item.items()
    }


def resolved(found: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in found:
        value: Any = DOCUMENT
        for step in found["$ref"].removeprefix("#/").split("/"):
            value = value[step]
        found = value
    return found


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": DOCUMENT["components"]})


def test_every_public_call_is_described_and_no_other() -> None:
    assert set(operations()) == CALLS


def test_the_facade_serves_what_is_described_and_nothing_else() -> None:
    served = {f"{method} {BASE}{path}" for methods, path, _ in paths.TABLE for method in methods.split()}
    described = {re.sub(r"\{(\w+)Id\}", r"{\1_id}", name) for name in CALLS if BASE in name}

    assert served == described


def test_the_document_has_the_version_of_the_contract() -> None:
    assert DOCUMENT["openapi"] == "3.1.0"
    assert DOCUMENT["info"]["version"] == contract.VERSION


def test_a_copy_is_the_callers_own() -> None:
    openapi.document()["info"]["version"] = "changed"

    assert openapi.document()["info"]["version"] == contract.VERSION


@pytest.mark.parametrize("name", DOCUMENT["components"]["schemas"])
def test_every_component_is_a_valid_json_schema(name: str) -> None:
    Draft202012Validator.check_schema(DOCUMENT["components"]["schemas"][name])


def test_every_reference_leads_somewhere() -> None:
    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if "$ref" in value:
                resolved(value)
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(DOCUMENT)


def test_operation_ids_are_unique() -> None:
    ids = [operation["operationId"] for operation in operations().values()]

    assert len(ids) == len(set(ids))


def test_each_error_status_has_the_code_of_the_error_tree() -> None:
    described = {
        int(name.removeprefix("Error")): error["content"]["application/json"]["schema"]["allOf"][1]
        for name, error in DOCUMENT["components"]["responses"].items()
    }

    codes = {status: rule["properties"]["error"]["properties"]["code"]["const"] for status, rule in described.items()}

    assert codes == {status: kind.code for status, kind in Problem.by_status.items()}


def test_the_set_of_error_codes_is_that_of_the_error_tree() -> None:
    assert {code.value for code in contract.ErrorCode} == {kind.code for kind in Problem.by_status.values()}


@pytest.mark.parametrize("kind", Problem.by_status.values())
def test_every_error_body_fits_its_response(kind: type[Problem]) -> None:
    described = DOCUMENT["components"]["responses"][f"Error{kind.status}"]["content"]["application/json"]["schema"]
    fitting = Draft202012Validator(described | {"components": DOCUMENT["components"]})

    assert fitting.is_valid(kind("no", reason_code="because").body())
    assert not fitting.is_valid({"error": {"code": "other", "message": "", "details": []}})


@pytest.mark.parametrize("name", sorted(CALLS))
def test_what_needs_a_token_says_401_and_what_has_a_body_says_415(name: str) -> None:
    operation = operations()[name]

    assert ("401" in operation["responses"]) >= bool(operation["security"])
    assert ("415" in operation["responses"]) >= ("requestBody" in operation)


@pytest.mark.parametrize(
    ("name", "value", "valid"),
    [
        ("AppendBody", {"event": {"event_type": "worker.event"}}, True),
        ("AppendBody", {"events": [{"event_type": "worker.event"}], "event": None}, True),
        ("AppendBody", {}, False),
        ("AppendBody", {"events": []}, False),
        ("AppendBody", {"event": {"event_type": "worker.event"}, "events": [{"event_type": "worker.event"}]}, False),
        ("AppendEvent", {"event_type": "codex.event"}, False),
        ("AppendEvent", {"event_type": "worker.event", "payload": []}, False),
        ("AppendEvent", {"event_type": "worker.event", "payload": None, "later": 1}, True),
        ("CreateWorker", {"worker_id": "desktopw:0199~a.b_c-d"}, True),
        ("CreateWorker", {"worker_id": "a b"}, False),
        ("CreateWorker", {"worker_id": "x" * 161}, False),
        ("CreateWorker", {"adapter": "x" * 121}, False),
        ("ReceiptReport", {"request_id": "r", "state": "accepted"}, False),
        ("ClaimLease", {"machine_id": "m", "ttl_ms": 999}, False),
    ],
)
def test_ranges_are_those_of_the_contract(name: str, value: Any, valid: object) -> None:
    assert validator(name).is_valid(value) is valid


def test_the_query_of_the_list_has_its_ranges_and_defaults() -> None:
    parameters = {one["name"]: one["schema"] for one in operations()[f"GET {BASE}/workers"]["parameters"]}

    assert parameters["limit"] == {"type": "integer", "minimum": 1, "maximum": 200, "default": 50}
    assert parameters["status"]["enum"] == ["starting", "running", "stopping", "stopped", "failed"]


def test_streams_are_described_as_streams() -> None:
    followed = operations()[f"GET {BASE}/workers/{{workerId}}/stream"]

    assert list(followed["responses"]["200"]["content"]) == ["text/event-stream"]
    assert {one["name"]: one["in"] for one in followed["parameters"]} == {
        "workerId": "path",
        "cursor": "query",
        "tail_ms": "query",
        "frames": "query",
        "Last-Event-ID": "header",
    }
