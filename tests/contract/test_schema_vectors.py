"""The golden vectors: msgspec, the pure decoder, the proto and the OpenAPI document agree on every message.

`json` is what travels; `encoded` what a message is written as, where that is not the same; `rule` names a rule beyond
types that it breaks. An invalid vector has the sentence that both decoders refuse it with; `proto` or `json_schema`
says why that authority alone is content with it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from jsonschema import Draft202012Validator

from autopilot import contract
from autopilot.contract import DecodeError, decode, encode, openapi
from autopilot_schema import tree

FOLDER = Path(__file__).parent.parent / "vectors"
VECTORS = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}
VALID = [vector for file in VECTORS.values() for vector in file.get("valid", [])]
INVALID = VECTORS["invalid"]["invalid"]
COMPONENTS = openapi.document()["components"]
RAW = {"autopilot.v1.Json", "autopilot.v1.JsonObject"}


def named(vector: dict[str, Any]) -> str:
    return f"{vector['message']}: {vector.get('what') or vector['error']}"


def kind_of(vector: dict[str, Any]) -> type:
    return getattr(contract, vector["message"])


valid = pytest.mark.parametrize("vector", VALID, ids=named)
invalid = pytest.mark.parametrize("vector", INVALID, ids=named)


@pytest.fixture(scope="module")
def proto(tmp_path_factory: pytest.TempPathFactory) -> descriptor_pool.DescriptorPool:
    image = tmp_path_factory.mktemp("image") / "contract.binpb"
    done = tree.run("buf", "build", "-o", image)
    assert done.returncode == 0, done.stderr
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(image.read_bytes()).file:
        pool.Add(file)
    return pool


def parsed(pool: descriptor_pool.DescriptorPool, name: str, value: Any) -> Any:
    """The proto message that the value stands for, without its raw parts.

    Raises:
        json_format.ParseError: it stands for none.
    """
    descriptor = pool.FindMessageTypeByName(f"autopilot.v1.{name}")
    message = message_factory.GetMessageClass(descriptor)()
    json_format.ParseDict(without_raw(descriptor, value), message, ignore_unknown_fields=True)
    return message


def without_raw(descriptor: Any, value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    fields = {declared.json_name: declared for declared in descriptor.fields}
    return {name: inner(fields.get(name), one) for name, one in value.items() if not is_raw(fields.get(name))}


def inner(declared: Any, value: Any) -> Any:
    if declared is None or declared.message_type is None:
        return value
    if isinstance(value, list):
        return [without_raw(declared.message_type, one) for one in value]
    return without_raw(declared.message_type, value)


def is_raw(declared: Any) -> bool:
    return bool(declared and declared.message_type and declared.message_type.full_name in RAW)


def differences(message: Any, instance: Any) -> Iterator[str]:
    """Where a proto message and a dataclass say different things."""
    names = [field.name for field in dataclasses.fields(instance)]
    if names != [declared.json_name for declared in message.DESCRIPTOR.fields]:
        yield f"{message.DESCRIPTOR.name}: other fields"
    for declared in message.DESCRIPTOR.fields:
        if is_raw(declared):
            continue
        held, ours = getattr(message, declared.name), getattr(instance, declared.json_name)
        where = f"{message.DESCRIPTOR.name}.{declared.json_name}"
        if declared.is_repeated:
            if len(held) != len(ours):
                yield f"{where}: other length"
            for one, other in zip(held, ours, strict=False):
                yield from differences(one, other) if declared.message_type else unequal(where, one, other)
        elif declared.has_presence and not message.HasField(declared.name):
            yield from unequal(where, None, ours)
        elif declared.message_type:
            yield from differences(held, ours)
        else:
            yield from unequal(where, held, ours)


def unequal(where: str, theirs: Any, ours: Any) -> Iterator[str]:
    if (type(theirs), theirs) != (type(ours), ours):
        yield f"{where}: {theirs!r} is not {ours!r}"


@valid
def test_both_decoders_read_the_same(vector: dict[str, Any]) -> None:
    kind = kind_of(vector)

    read = decode(kind, vector["json"])

    assert msgspec.json.decode(json.dumps(vector["json"]), type=kind) == read
    assert msgspec.convert(vector["json"], kind) == read


@valid
def test_both_encoders_write_the_same_in_the_same_order(vector: dict[str, Any]) -> None:
    read = decode(kind_of(vector), vector["json"])
    expected = json.dumps(vector.get("encoded", vector["json"]))

    assert json.dumps(encode(read)) == expected
    assert json.dumps(json.loads(msgspec.json.encode(read))) == expected


@valid
def test_what_was_written_is_read_as_it_was(vector: dict[str, Any]) -> None:
    read = decode(kind_of(vector), vector["json"])

    assert decode(kind_of(vector), encode(read)) == read


@valid
def test_the_proto_says_the_same(vector: dict[str, Any], proto: descriptor_pool.DescriptorPool) -> None:
    message = parsed(proto, vector["message"], vector["json"])

    assert list(differences(message, decode(kind_of(vector), vector["json"]))) == []


def schema_of(vector: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/components/schemas/{vector['message']}", "components": COMPONENTS})


@valid
def test_the_openapi_document_allows_it_unless_it_breaks_a_rule(vector: dict[str, Any]) -> None:
    written = encode(decode(kind_of(vector), vector["json"]))

    assert schema_of(vector).is_valid(vector["json"]) is ("rule" not in vector)
    assert schema_of(vector).is_valid(written) is ("rule" not in vector)


@invalid
def test_both_decoders_refuse_in_the_same_words(vector: dict[str, Any]) -> None:
    kind = kind_of(vector)

    with pytest.raises(DecodeError) as pure:
        decode(kind, vector["json"])
    with pytest.raises(msgspec.ValidationError) as fast:
        msgspec.json.decode(json.dumps(vector["json"]), type=kind)

    assert str(pure.value) == vector["error"]
    assert str(fast.value) == vector["error"]


@invalid
def test_the_proto_refuses_it_too_or_the_vector_says_why_not(
    vector: dict[str, Any], proto: descriptor_pool.DescriptorPool
) -> None:
    try:
        parsed(proto, vector["message"], vector["json"])
    except (json_format.ParseError, TypeError):
        assert "proto" not in vector
    else:
        assert vector["proto"]


@invalid
def test_the_openapi_document_forbids_it_or_the_vector_says_why_not(vector: dict[str, Any]) -> None:
    assert schema_of(vector).is_valid(vector["json"]) is ("json_schema" in vector)


def test_every_message_has_a_vector_and_every_vector_a_message() -> None:
    messages = {name for name in contract.__all__ if dataclasses.is_dataclass(getattr(contract, name))}

    assert {vector["message"] for vector in VALID} == messages
