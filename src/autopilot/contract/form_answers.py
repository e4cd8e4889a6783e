"""Whether what was filled in fits a form: the same rule for the server, which tells a person, and for an executor.

A form's schema comes from a tool server that nobody vouches for: only what forms of the Model Context Protocol may use
is looked at (a flat object of texts, numbers, yes-or-no and choices); what has another shape counts as absent; no
patterns are run, since one could take for ever, and no references followed. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_TYPES: dict[object, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
}


def faults(form: Mapping[str, Any], content: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Each field of the content that does not fit the form, and what is wrong with it."""
    properties = form.get("properties")
    properties = properties if isinstance(properties, dict) else {}
    required = form.get("required")
    for name in required if isinstance(required, list) else []:
        if isinstance(name, str) and name not in content:
            yield name, "is missing"
    for name, value in content.items():
        schema = properties.get(name)
        if isinstance(schema, dict):
            message = _value_fault(schema, value)
            if message is not None:
                yield name, message
        elif form.get("additionalProperties") is False:
            yield name, "is no field of the form"


def _value_fault(schema: dict[str, Any], value: Any) -> str | None:
    """What is wrong with the value of one field; None where nothing is."""
    kind = schema.get("type")
    types = _TYPES.get(kind) if isinstance(kind, str) else None
    if types is not None and (not isinstance(value, types) or (isinstance(value, bool) and kind != "boolean")):
        return f"must be of type {kind}"
    choices = _choices(schema)
    if choices is not None and value not in choices:
        return "must be one of the choices"
    if isinstance(value, list):
        return _list_fault(schema, value)
    size = len(value) if isinstance(value, str) else value
    low, high = ("minLength", "maxLength") if isinstance(value, str) else ("minimum", "maximum")
    return None if isinstance(value, bool) else _range_fault(schema, size, low, high)


def _list_fault(schema: dict[str, Any], values: list[Any]) -> str | None:
    items = schema.get("items")
    if isinstance(items, dict) and any(_value_fault(items, value) is not None for value in values):
        return "holds something that is not among the choices"
    return _range_fault(schema, len(values), "minItems", "maxItems")


def _range_fault(schema: dict[str, Any], size: object, low: str, high: str) -> str | None:
    for name, says in ((low, "at least"), (high, "at most")):
        bound = schema.get(name)
        if not isinstance(size, (int, float)) or not isinstance(bound, (int, float)):
            continue
        if size < bound if name == low else size > bound:
            return f"must be {says} {bound}" + (" long" if name.endswith("Length") else "")
    return None


def _choices(schema: dict[str, Any]) -> list[Any] | None:
    """`enum`, or the titled choices of `oneOf` and `anyOf`; None where anything goes."""
    for name in ("enum", "oneOf", "anyOf"):
        values = schema.get(name)
        if isinstance(values, list):
            return values if name == "enum" else [one.get("const") for one in values if isinstance(one, dict)]
    return None
