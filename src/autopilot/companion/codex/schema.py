"""Read Codex's own schema: the names it knows, and the fields of those that we rely on. No login, no network.

Owns the shape of a `Vocabulary`, and how it is read out of the files that `codex app-server generate-json-schema`
writes. Judges nothing: `drift` does.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from autopilot.companion.codex import reliance
from autopilot.companion.codex.binary import CodexBinary, ended
from autopilot.companion.codex.messages import CodexUnavailable

GENERATE_SECONDS = 20.0
"""It takes 0.2 s; a Codex that hangs holds the companion's start up no longer than this."""
DEPTH = 3
"""`result.data[].turnId` is as deep as we look."""
FILES = {"methods": "ClientRequest", "notifications": "ServerNotification", "questions": "ServerRequest"}

Schema = dict[str, Any]
AnySchema = Schema | bool
"""`true` is the schema of anything."""


class Vocabulary(msgspec.Struct, frozen=True):
    """What a version of Codex knows, by name, sorted."""

    version: str
    methods: list[str]
    """What it can be asked."""
    notifications: list[str]
    questions: list[str]
    """What it asks of its client."""
    fields: dict[str, dict[str, str]] = {}
    """Of what we rely on: `{"turn/start": {"params.threadId": "string", …}}`; null is left out of a type."""
    required: dict[str, list[str]] = {}
    """The params without which a method is refused."""


async def ask(binary: CodexBinary) -> Vocabulary:
    """Have the binary write its schema, and read it.

    Raises:
        CodexUnavailable: it does not write one, or none that can be read.
    """
    with tempfile.TemporaryDirectory(prefix="autopilot-schema-") as folder:
        await _generate(binary, folder)
        try:
            return await asyncio.to_thread(read, Path(folder), binary.version)
        except (OSError, msgspec.DecodeError, LookupError, TypeError, AttributeError) as error:
            raise CodexUnavailable(f"the schema of {binary.path} has another shape: {error!r}") from error


async def _generate(binary: CodexBinary, folder: str) -> None:
    try:
        process = await asyncio.create_subprocess_exec(
            binary.path,
            *("app-server", "generate-json-schema", "--experimental", "--out", folder),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise CodexUnavailable(f"{binary.path} can't be run: {error}") from error
    try:
        async with asyncio.timeout(GENERATE_SECONDS):
            await process.wait()
    except TimeoutError:
        pass
    finally:  # also where the companion is ended meanwhile: nobody else would end it
        code = await ended(process)
    if code != 0:
        raise CodexUnavailable(f"{binary.path} does not write its schema (exit code {code})")


def read(folder: Path, version: str) -> Vocabulary:
    """The vocabulary in a folder of schema files."""
    known: dict[str, list[str]] = {}
    fields: dict[str, dict[str, str]] = {}
    required: dict[str, list[str]] = {}
    relied_on = reliance.relied_on()
    for kind, file in FILES.items():
        document = msgspec.json.decode((folder / f"{file}.json").read_bytes())
        variants = {one["properties"]["method"]["enum"][0]: one["properties"] for one in document["oneOf"]}
        known[kind] = sorted(variants)
        for method in sorted(relied_on & variants.keys()):
            params = variants[method].get("params", {})
            found = dict(_fields(params, document, "params", DEPTH))
            if kind == "methods":
                required[method] = sorted(_resolved(params, document).get("required", []))
                found |= _result(folder, params)
            fields[method] = dict(sorted(found.items()))
    return Vocabulary(version=version, **known, fields=fields, required=required)


def _result(folder: Path, params: Schema) -> dict[str, str]:
    """The fields of the answer, whose file is called as that of the params is; nothing ties the two together else."""
    name = params.get("$ref", "").rpartition("/")[2].removesuffix("Params")
    for path in (folder / "v2" / f"{name}Response.json", folder / "v1" / f"{name}Response.json"):
        if name and path.is_file():
            document = msgspec.json.decode(path.read_bytes())
            return dict(_fields(document, document, "result", DEPTH))
    return {}


def _fields(schema: AnySchema, document: Schema, path: str, depth: int) -> Iterator[tuple[str, str]]:
    """The fields below `path`; of a union those that all its variants have."""
    whole = _resolved(schema, document)
    if "items" in whole:
        yield from _fields(whole["items"], document, f"{path}[]", depth)
        return
    for name, below in _properties(whole, document).items():
        yield f"{path}.{name}", _type(below, document)
        if depth > 1:
            yield from _fields(below, document, f"{path}.{name}", depth - 1)


def _properties(whole: Schema, document: Schema) -> Schema:
    variants = [_properties(_resolved(one, document), document) for one in _variants(whole)]
    shared = set.intersection(*(set(one) for one in variants)) if variants else set()
    return {name: variants[0][name] for name in sorted(shared)} | whole.get("properties", {})


def _resolved(schema: AnySchema, document: Schema) -> Schema:
    """Follow references, and the wrappers around them: `allOf` of one, `anyOf` with null. `true` is anything."""
    if isinstance(schema, bool):
        return {}
    while True:
        variants = _variants(schema)
        if "$ref" in schema:
            schema = document["definitions"][schema["$ref"].rpartition("/")[2]]
        elif len(variants) == 1:
            schema = variants[0]
        else:
            return schema


def _variants(schema: Schema) -> list[Schema]:
    given = schema.get("allOf") or schema.get("anyOf") or schema.get("oneOf") or []
    return [one for one in given if isinstance(one, dict) and one.get("type") != "null"]


def _type(schema: AnySchema, document: Schema) -> str:
    whole = _resolved(schema, document)
    told = whole.get("type", [])
    names = {told} if isinstance(told, str) else set(told)
    for one in _variants(whole):
        names |= set(_type(one, document).split("|"))
    return "|".join(sorted(names - {"null"})) or "any"
