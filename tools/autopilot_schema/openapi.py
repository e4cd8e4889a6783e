"""The OpenAPI 3.1 document: the calls of the services, over the components of `json_schema`.

Owns which statuses follow from a call's method, token and fields, so that none is undocumented. Relies on `model`.
"""

from __future__ import annotations

import json
import re

from autopilot_schema import json_schema
from autopilot_schema.json_schema import Json, reference
from autopilot_schema.model import Call, Field, Message, Schema, SchemaError

_ABOUT = (
    "Self-hosted remote control of OpenAI Codex sessions over an append-only ledger. JSON in, JSON out; absent values "
    "are null; times are RFC 3339, UTC; unknown keys are accepted and ignored. Within a major version of the contract "
    "only additions."
)
_HEADERS: Json = {
    "x-request-id": {
        "description": "The id of this call: the client's, or one made here.",
        "schema": {"type": "string"},
    },
    "x-autopilot-contract": {"description": "Version of the contract.", "schema": {"type": "string"}},
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "string", "pattern": "^[0-9]+$"}},
}
_ALWAYS = ("x-request-id", "x-autopilot-contract")
_ASKS_TO_WAIT = {429, 503}


def document(schema: Schema) -> str:
    """The document as JSON text, the same for the same schema."""
    paths: Json = {}
    for call in schema.calls:
        paths.setdefault(call.http["path"], {})[call.http["method"].lower()] = _operation(schema, call)
    found = {
        "openapi": "3.1.0",
        "info": {
            "title": "Autopilot",
            "version": schema.version,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": _tag(name), "description": doc} for name, doc in schema.services.items()],
        "paths": paths,
        "components": {
            "schemas": json_schema.components(schema),
            "headers": _HEADERS,
            "responses": {_error_name(status): _error(schema, status) for status in schema.errors},
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer", "description": "An access token."}},
        },
    }
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"


def _operation(schema: Schema, call: Call) -> Json:
    request = schema.messages[call.request]
    placed = [(field, _place(call, field)) for field in request.fields]
    _check_template(call, [field.name for field, place in placed if place == "path"])
    found: Json = {
        "operationId": call.name[0].lower() + call.name[1:],
        "summary": call.doc,
        "description": _description(call, request),
        "tags": [_tag(call.service)],
        "security": [] if call.http.get("open") else [{"bearer": []}],
        "parameters": [_parameter(schema, field, place) for field, place in placed if place != "body"],
    }
    if call.http.get("scopes"):
        found["x-scopes"] = call.http["scopes"]
    for field, place in placed:
        if place == "body":
            found["requestBody"] = _body(schema, field)
    found["responses"] = _successes(call) | {
        str(status): {"$ref": f"#/components/responses/{_error_name(status)}"}
        for status in _errors(call, {place for _, place in placed})
    }
    return found


def _description(call: Call, request: Message) -> str:
    scopes = call.http.get("scopes")
    words = " ".join(request.doc.split())
    return f"{words}\n\nNeeds a token with the scope {' or '.join(scopes)}." if scopes else words


def _place(call: Call, field: Field) -> str:
    if field.proto_name == call.http.get("body"):
        return "body"
    return "path" if f"{{{field.name}}}" in call.http["path"] else field.place


def _check_template(call: Call, names: list[str]) -> None:
    wanted = re.findall(r"\{(\w+)\}", call.http["path"])
    if wanted != names:
        raise SchemaError(f"{call.name}: the path wants {wanted}, the request has {names}")


def _parameter(schema: Schema, field: Field, place: str) -> Json:
    return {
        "name": field.name.replace("_", "-") if place == "header" else field.name,
        "in": place,
        "required": not field.optional,
        "description": " ".join(field.doc.split()),
        "schema": json_schema.of_field(schema, field, nullable=False),
    }


def _body(schema: Schema, field: Field) -> Json:
    message = schema.messages[field.message or ""]
    needed = bool(message.exactly_one) or any(not one.optional and not one.repeated for one in message.fields)
    return {"required": needed, "content": {"application/json": {"schema": reference(message.name)}}}


def _successes(call: Call) -> Json:
    found: Json = {}
    for success in call.http["success"]:
        content = _content(call, success.get("message", call.response))
        known = found.setdefault(
            str(success["status"]),
            {"description": success["when"], "headers": _header_references(*_ALWAYS), "content": content},
        )
        if known["content"] is not content:
            media = known["content"]["application/json"]
            media["schema"] = {"anyOf": [media["schema"], content["application/json"]["schema"]]}
    return found


def _content(call: Call, message: str) -> Json:
    media_type = call.http.get("media_type", "application/json")
    if media_type == "application/json":
        return {media_type: {"schema": reference(message)}}
    if media_type != "text/event-stream":
        return {media_type: {"schema": {"type": "string"}}}
    # No schema: readers of the document take one for each event's, and OpenAPI 3.1 has no word for that.
    return {media_type: {"x-event-data": reference(message)}}


def _errors(call: Call, places: set[str]) -> list[int]:
    """Statuses that this call may answer besides its successes.

    What the server's door may say of any call, under load or attack, belongs to all but those of the server itself.
    """
    found = set(call.http.get("errors", []))
    if call.service != "ServerService":
        found |= {400, 429, 431, 503}
        if call.http["method"] == "POST":
            found |= {408, 413, 415}
        if not call.http.get("open"):
            found |= {401}
        if call.http.get("scopes"):
            found |= {403}
        if "path" in places:
            found |= {404}
        if places:
            found |= {422}
    return sorted(found)


def _error(schema: Schema, status: int) -> Json:
    value = schema.errors[status]
    named = {"properties": {"error": {"properties": {"code": {"const": value.text}}}}}
    headers = _header_references(*_ALWAYS, *(["Retry-After"] if status in _ASKS_TO_WAIT else []))
    return {
        "description": value.doc,
        "headers": headers,
        "content": {"application/json": {"schema": {"allOf": [reference("ErrorBody"), named]}}},
    }


def _header_references(*names: str) -> Json:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _error_name(status: int) -> str:
    return f"Error{status}"


def _tag(service: str) -> str:
    return service.removesuffix("Service").lower()
