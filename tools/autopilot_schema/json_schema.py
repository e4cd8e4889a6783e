"""Messages, sets and shapes as JSON Schema 2020-12, as an OpenAPI 3.1 document's components.

Says what is true of every implementation: unknown keys are accepted, a nullable key may be missing or null, a set that
may grow is an open string. Relies on `model`.
"""

from __future__ import annotations

import json
import re
from typing import Any

from autopilot_schema.model import Field, Message, Schema, StringSet

Json = dict[str, Any]
_TYPES = {"string": "string", "int": "integer", "float": "number", "bool": "boolean", "object": "object"}
_KEYS = {
    "minimum": "minimum",
    "maximum": "maximum",
    "min_length": "minLength",
    "max_length": "maxLength",
    "pattern": "pattern",
    "format": "format",
}


def components(schema: Schema) -> Json:
    """Every message that travels, every set and every shape, by name."""
    hidden = schema.call_messages()
    found: Json = {_shape_name(name): _shape(rule.doc, rule.rule) for name, rule in schema.shapes.items()}
    found |= {name: _set(one) for name, one in schema.sets.items()}
    found |= {name: _message(schema, one) for name, one in schema.messages.items() if name not in hidden}
    return dict(sorted(found.items()))


def reference(name: str) -> Json:
    """A reference to a component schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def of_field(schema: Schema, field: Field, *, nullable: bool = True) -> Json:
    """What a field's value must be; null is left out where a place (path, query, header) has no null."""
    found = _plain(schema, field)
    if field.repeated:
        bounds = {"min_items": "minItems", "max_items": "maxItems"}
        limits = {bounds[key]: field.rule[key] for key in bounds if key in field.rule}
        return {"type": "array", "items": found, **limits}
    if field.optional and nullable:
        found = _or_null(found)
    if "default_json" in field.rule:
        found["default"] = json.loads(field.rule["default_json"])
    return found


def _plain(schema: Schema, field: Field) -> Json:
    rule = field.rule
    if field.message:
        return reference(field.message)
    if field.kind == "json":
        return {}
    if "only" in rule:
        return {"type": "string", "enum": [value.text for value in schema.sets[rule["only"]].values]}
    if "known" in rule:
        return reference(rule["known"])
    if "shape" in rule:
        return reference(_shape_name(rule["shape"]))
    found: Json = {"type": _TYPES[field.kind]}
    return found | {_KEYS[key]: value for key, value in rule.items() if key in _KEYS}


def _or_null(found: Json) -> Json:
    if not found:
        return found
    if "$ref" in found:
        return {"anyOf": [found, {"type": "null"}]}
    found = found | {"type": [found["type"], "null"]}
    return found | {"enum": [*found["enum"], None]} if "enum" in found else found


def _message(schema: Schema, message: Message) -> Json:
    found: Json = {
        "type": "object",
        "description": message.doc,
        "properties": {
            field.name: of_field(schema, field) | {"description": _paragraphs(field.doc)} for field in message.fields
        },
        "required": [field.name for field in message.fields if not field.optional and not field.repeated],
        "additionalProperties": True,
    }
    if not found["required"]:
        del found["required"]
    if message.exactly_one:
        found["oneOf"] = [_has(field) for field in message.fields if field.name in message.exactly_one]
    return found


def _has(field: Field) -> Json:
    some: Json = {"type": "array", "minItems": 1} if field.repeated else {"not": {"type": "null"}}
    return {"required": [field.name], "properties": {field.name: some}}


def _set(found: StringSet) -> Json:
    values = "\n".join(f"* `{value.text}`: {value.doc}" for value in found.values)
    return {
        "type": "string",
        "description": f"{_paragraphs(found.doc)}\n\nKnown today (others may come; show them as they are):\n\n{values}",
        "examples": [value.text for value in found.values],
    }


def _shape(doc: str, rule: Json) -> Json:
    return {"type": "string", "description": _paragraphs(doc)} | {_KEYS[key]: value for key, value in rule.items()}


def _shape_name(name: str) -> str:
    return "".join(part.capitalize() for part in name.removeprefix("SHAPE_").split("_"))


def _paragraphs(doc: str) -> str:
    """A comment without the line ends that only its width made."""
    return re.sub(r"(?<!\n)\n(?!\n)", " ", doc)
