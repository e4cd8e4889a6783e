"""Finds what would break a client between two OpenAPI documents of one major version.

Strict, for a shape may stand in requests and responses alike: a type, pattern or reference never changes, a range
never narrows, a property never goes and never becomes required. Descriptions, examples and additions are free. Knows
the JSON Schema that `json_schema` writes, not all of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]
_SAME = ("type", "$ref", "pattern", "format", "const", "default", "oneOf", "not")
_FLOORS = ("minimum", "minLength", "minItems")
_CEILINGS = ("maximum", "maxLength", "maxItems")


def breaks(old: Json, new: Json) -> list[str]:
    """One sentence for each break; none when `new` has a higher major version.

    Raises:
        ValueError: `new` has a lower version than `old`.
    """
    old_version, new_version = _version(old), _version(new)
    if new_version < old_version:
        raise ValueError(f"the contract went back from {old_version} to {new_version}")
    if new_version[0] > old_version[0]:
        return []
    return [*_paths(old, new), *_components(old, new)]


def _version(document: Json) -> tuple[int, ...]:
    return tuple(int(part) for part in document["info"]["version"].split("."))


def _paths(old: Json, new: Json) -> Iterator[str]:
    for path, item in old["paths"].items():
        if path not in new["paths"]:
            yield f"{path}: the path was removed"
            continue
        for method, operation in item.items():
            where = f"{method.upper()} {path}"
            if method not in new["paths"][path]:
                yield f"{where}: the method was removed"
                continue
            yield from _operation(where, operation, new["paths"][path][method])


def _operation(where: str, old: Json, new: Json) -> Iterator[str]:
    if not old.get("security") and new.get("security"):
        yield f"{where}: a token became necessary"
    if set(old.get("x-scopes", [])) - set(new.get("x-scopes", [])) and new.get("x-scopes"):
        yield f"{where}: a scope is no longer enough"
    yield from _parameters(where, old.get("parameters", []), new.get("parameters", []))
    yield from _body(where, old.get("requestBody"), new.get("requestBody"))
    for status, response in old["responses"].items():
        if status not in new["responses"]:
            yield f"{where}: status {status} was removed"
            continue
        yield from _content(f"{where} {status}", response, new["responses"][status])


def _parameters(where: str, old: list[Json], new: list[Json]) -> Iterator[str]:
    before = {(one["in"], one["name"]): one for one in old}
    after = {(one["in"], one["name"]): one for one in new}
    for key, one in before.items():
        label = f"{where}: parameter {key[1]}"
        if key not in after:
            yield f"{label} was removed"
            continue
        if after[key]["required"] and not one["required"]:
            yield f"{label} became required"
        yield from _schema(label, one["schema"], after[key]["schema"])
    for key, one in after.items():
        if key not in before and one["required"]:
            yield f"{where}: parameter {key[1]} is new and required"


def _body(where: str, old: Json | None, new: Json | None) -> Iterator[str]:
    if new is not None and new["required"] and not (old and old["required"]):
        yield f"{where}: a body became required"
    if old is None:
        return
    if new is None:
        yield f"{where}: the body was removed"
        return
    yield from _content(f"{where} body", old, new)


def _content(where: str, old: Json, new: Json) -> Iterator[str]:
    if old.get("$ref") != new.get("$ref"):
        yield f"{where}: became another response"
    for media, one in old.get("content", {}).items():
        if media not in new.get("content", {}):
            yield f"{where}: {media} was removed"
            continue
        yield from _schema(where, one.get("schema", {}), new["content"][media].get("schema", {}))


def _components(old: Json, new: Json) -> Iterator[str]:
    for kind in ("schemas", "responses"):
        for name, one in old["components"][kind].items():
            if name not in new["components"][kind]:
                yield f"{name}: was removed"
                continue
            compare = _schema if kind == "schemas" else _content
            yield from compare(name, one, new["components"][kind][name])


def _schema(where: str, old: Json, new: Json) -> Iterator[str]:
    for key in _SAME:
        if old.get(key) != new.get(key):
            yield f"{where}: {key} changed from {old.get(key)!r} to {new.get(key)!r}"
    yield from _ranges(where, old, new)
    if old.get("additionalProperties", True) and not new.get("additionalProperties", True):
        yield f"{where}: unknown keys are no longer accepted"
    for name in sorted(set(new.get("required", [])) - set(old.get("required", []))):
        yield (
            f"{where}.{name}: is new and required"
            if name not in old.get("properties", {})
            else (f"{where}.{name}: became required")
        )
    for name, one in old.get("properties", {}).items():
        if name not in new.get("properties", {}):
            yield f"{where}.{name}: was removed"
            continue
        yield from _schema(f"{where}.{name}", one, new["properties"][name])
    yield from _parts(where, old, new)


def _ranges(where: str, old: Json, new: Json) -> Iterator[str]:
    for key in _FLOORS:
        if key in new and new[key] > old.get(key, float("-inf")):
            yield f"{where}: {key} was raised to {new[key]}"
    for key in _CEILINGS:
        if key in new and new[key] < old.get(key, float("inf")):
            yield f"{where}: {key} was lowered to {new[key]}"
    if "enum" in new:
        gone = [value for value in old["enum"] if value not in new["enum"]] if "enum" in old else ["any other value"]
        for value in gone:
            yield f"{where}: {value!r} is no longer accepted"


def _parts(where: str, old: Json, new: Json) -> Iterator[str]:
    for key in ("anyOf", "allOf"):
        if len(old.get(key, [])) != len(new.get(key, [])):
            yield f"{where}: {key} changed"
            continue
        for before, after in zip(old.get(key, []), new.get(key, []), strict=True):
            yield from _schema(where, before, after)
    if "items" in old or "items" in new:
        yield from _schema(f"{where}[]", old.get("items", {}), new.get("items", {}))
