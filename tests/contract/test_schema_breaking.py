"""A change that breaks a client of the released contract is caught; an addition is not."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from autopilot.contract import openapi
from autopilot_schema import breaking, released

LIST = "/api/runtime/codex/workers"
STREAM = "/api/runtime/codex/workers/{workerId}/stream"
Change = Callable[[dict[str, Any]], object]


def schemas(document: dict[str, Any]) -> dict[str, Any]:
    return document["components"]["schemas"]


def properties(document: dict[str, Any], name: str) -> dict[str, Any]:
    return schemas(document)[name]["properties"]


def parameter(document: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in document["paths"][LIST]["get"]["parameters"] if one["name"] == name)


BREAKING: dict[str, tuple[Change, str]] = {
    "a path goes": (lambda d: d["paths"].pop(STREAM), "the path was removed"),
    "a method goes": (lambda d: d["paths"][LIST].pop("post"), "the method was removed"),
    "a success status goes": (lambda d: d["paths"][LIST]["post"]["responses"].pop("202"), "status 202 was removed"),
    "an error status goes": (lambda d: d["paths"][LIST]["get"]["responses"].pop("429"), "status 429 was removed"),
    "a status becomes another response": (
        lambda d: d["paths"][LIST]["get"]["responses"].update({"403": {"$ref": "#/components/responses/Error404"}}),
        "became another response",
    ),
    "a media type goes": (
        lambda d: d["paths"][STREAM]["get"]["responses"]["200"]["content"].pop("text/event-stream"),
        "text/event-stream was removed",
    ),
    "a parameter goes": (
        lambda d: d["paths"][LIST]["get"]["parameters"].remove(parameter(d, "before")),
        "parameter before was removed",
    ),
    "a parameter becomes required": (
        lambda d: parameter(d, "status").update(required=True),
        "parameter status became required",
    ),
    "a new parameter is required": (
        lambda d: d["paths"][LIST]["get"]["parameters"].append(
            {"name": "team", "in": "query", "required": True, "schema": {"type": "string"}}
        ),
        "parameter team is new and required",
    ),
    "a parameter's range narrows": (
        lambda d: parameter(d, "limit")["schema"].update(maximum=100),
        "maximum was lowered",
    ),
    "a default changes": (lambda d: parameter(d, "limit")["schema"].update(default=20), "default changed"),
    "an enum narrows": (lambda d: parameter(d, "status")["schema"]["enum"].remove("failed"), "no longer accepted"),
    "a free string becomes an enum": (
        lambda d: properties(d, "CreateWorker")["adapter"].update(enum=["desktop_bridge"]),
        "'any other value' is no longer accepted",
    ),
    "a body becomes required": (
        lambda d: d["paths"][LIST]["post"]["requestBody"].update(required=True),
        "a body became required",
    ),
    "a body goes": (lambda d: d["paths"][LIST]["post"].pop("requestBody"), "the body was removed"),
    "a token becomes necessary": (
        lambda d: d["paths"]["/healthz"]["get"].update(security=[{"bearer": []}]),
        "a token became necessary",
    ),
    "a scope is no longer enough": (
        lambda d: d["paths"][LIST]["get"].update({"x-scopes": ["execute"]}),
        "a scope is no longer enough",
    ),
    "a property goes": (lambda d: properties(d, "WorkerSnapshot").pop("cwd"), "WorkerSnapshot.cwd: was removed"),
    "a type changes": (lambda d: properties(d, "Envelope")["xRequestId"].update(type="string"), "type changed"),
    "a property stops being nullable": (
        lambda d: properties(d, "WorkerSnapshot").update(spend={"$ref": "#/components/schemas/Spend"}),
        "anyOf changed",
    ),
    "a property becomes required": (
        lambda d: schemas(d)["AppendEvent"]["required"].append("payload"),
        "AppendEvent.payload: became required",
    ),
    "a new property is required": (
        lambda d: (
            properties(d, "AppendEvent").update(kind={"type": "string"}),
            schemas(d)["AppendEvent"]["required"].append("kind"),
        ),
        "AppendEvent.kind: is new and required",
    ),
    "unknown keys are refused": (
        lambda d: schemas(d)["AppendEvent"].update(additionalProperties=False),
        "unknown keys are no longer accepted",
    ),
    "a pattern changes": (lambda d: schemas(d)["WorkerId"].update(pattern="^[a-z]+$"), "WorkerId: pattern changed"),
    "a shape goes": (lambda d: schemas(d).pop("SeqFact"), "SeqFact: was removed"),
    "items change": (
        lambda d: properties(d, "AppendBody")["events"].update(items={"type": "object"}),
        "AppendBody.events[]",
    ),
    "a list may hold fewer": (
        lambda d: properties(d, "AppendBody")["events"].update(maxItems=10),
        "maxItems was lowered",
    ),
    "an error gets another code": (
        lambda d: d["components"]["responses"]["Error409"]["content"]["application/json"]["schema"]["allOf"][1][
            "properties"
        ]["error"]["properties"]["code"].update(const="fenced"),
        "const changed",
    ),
}

ADDITIONS: dict[str, Change] = {
    "nothing": lambda _: None,
    "a path": lambda d: d["paths"].update({"/api/new": {"get": {"responses": {}}}}),
    "an optional parameter": lambda d: d["paths"][LIST]["get"]["parameters"].append(
        {"name": "team", "in": "query", "required": False, "schema": {"type": "string"}}
    ),
    "a status": lambda d: d["paths"][LIST]["get"]["responses"].update({"409": {}}),
    "an optional property": lambda d: properties(d, "Envelope").update(later={"type": ["string", "null"]}),
    "a wider range": lambda d: parameter(d, "limit")["schema"].update(maximum=500),
    "a wider enum": lambda d: parameter(d, "status")["schema"]["enum"].append("paused"),
    "a component": lambda d: schemas(d).update(New={"type": "object"}),
    "words": lambda d: schemas(d)["Envelope"].update(description="other words"),
    "a minor version": lambda d: d["info"].update(version="1.1.0"),
}


@pytest.mark.parametrize("name", BREAKING)
def test_the_document_breaks_when(name: str) -> None:
    change, sentence = BREAKING[name]
    old = openapi.document()
    new = copy.deepcopy(old)
    change(new)

    found = breaking.breaks(old, new)

    assert [one for one in found if sentence in one], found


@pytest.mark.parametrize("name", ADDITIONS)
def test_the_document_does_not_break_by_adding(name: str) -> None:
    old = openapi.document()
    new = copy.deepcopy(old)
    ADDITIONS[name](new)

    assert breaking.breaks(old, new) == []


def test_a_new_major_version_may_break() -> None:
    old = openapi.document()
    new = copy.deepcopy(old)
    new["info"]["version"] = "2.0.0"
    new["paths"].clear()

    assert breaking.breaks(old, new) == []


def test_the_version_never_goes_back() -> None:
    old = openapi.document()
    new = copy.deepcopy(old)
    new["info"]["version"] = "0.9.0"

    with pytest.raises(ValueError, match="went back"):
        breaking.breaks(old, new)


@pytest.mark.parametrize(
    ("file", "before", "after", "sentence"),
    [
        ("worker", 'json_name = "workspace_ref"', 'json_name = "workspaceRef"', "json_name"),
        ("worker", "int64 latest_seq = 3", "string latest_seq = 3", "type"),
        ("worker", "optional string workspace_ref", "string workspace_ref", "cardinality"),
        ("worker", "optional string workspace_ref = 4", "optional string workspace_ref = 40", "deleted"),
        ("request", "  REQUEST_STATE_EXPIRED = 7;\n", "", "deleted"),
        ("errors", "message ErrorBody", "message ErrorEnvelope", "deleted"),
    ],
)
def test_the_proto_breaks_when_a_line_changes(
    tmp_path: Path, file: str, before: str, after: str, sentence: str
) -> None:
    shutil.copytree(released.KEPT / "v1", tmp_path / "proto")
    changed = tmp_path / "proto" / "autopilot" / "v1" / f"{file}.proto"
    text = changed.read_text()
    assert before in text
    changed.write_text(text.replace(before, after))

    found = released.breaks(proto=tmp_path / "proto", openapi=released.KEPT / "openapi.json")

    assert found
    assert sentence in "\n".join(found)


def test_the_present_contract_honours_the_released_one() -> None:
    assert released.breaks() == []
