"""The schema as the emitters see it: messages, sets and calls, freed of descriptors.

Owns the JSON profile's meaning (what `optional` is, which messages are raw JSON, how an enum value is written on the
wire). Relies on the descriptors that buf hands to a plugin. Never writes a file.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message as ProtoMessage

PACKAGE = "autopilot.v1"
_RAW = {f".{PACKAGE}.Json": "json", f".{PACKAGE}.JsonObject": "object"}
_F = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    _F.TYPE_STRING: "string",
    _F.TYPE_INT64: "int",
    _F.TYPE_INT32: "int",
    _F.TYPE_DOUBLE: "float",
    _F.TYPE_BOOL: "bool",
}
_JSON_NAME = 10  # of FieldDescriptorProto, in the path of a source location


class SchemaError(Exception):
    """A rule of proto/README.md is broken; the message names the place."""


@dataclass(frozen=True)
class Field:
    """One key of a JSON object."""

    name: str
    """As on the wire, and in Python."""
    kind: str
    """`string`, `int`, `float`, `bool`, `json` (anything), `object` (any object) or `message`."""
    message: str | None
    """The message's name, where `kind` is `message`."""
    repeated: bool
    optional: bool
    doc: str
    rule: dict[str, Any]
    """What `Rule` says, without what it leaves unsaid; `shape` is the shape's name."""
    place: str
    """Of a call's field: `query`, `header`; `path` and `body` follow from the call."""
    proto_name: str


@dataclass(frozen=True)
class Message:
    """One JSON object."""

    name: str
    module: str
    doc: str
    fields: tuple[Field, ...]
    exactly_one: tuple[str, ...] = ()
    """Names of fields of which exactly one must have a value."""


@dataclass(frozen=True)
class Value:
    """One value of a set of strings."""

    constant: str
    text: str
    doc: str


@dataclass(frozen=True)
class StringSet:
    """A set of strings: an enum of the proto."""

    name: str
    module: str
    doc: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class ShapeRule:
    """What a kind of string looks like: `pattern`, `format`, `max_length`."""

    name: str
    doc: str
    rule: dict[str, Any]


@dataclass(frozen=True)
class Call:
    """One call over HTTP."""

    name: str
    service: str
    doc: str
    request: str
    response: str
    http: dict[str, Any]


@dataclass
class Schema:
    """Everything, in the order of the files and of what is in them."""

    version: str = ""
    """Of the contract."""
    errors: dict[int, Value] = field(default_factory=dict)
    """HTTP status -> its error code."""
    modules: dict[str, str] = field(default_factory=dict)
    """Module -> its doc."""
    messages: dict[str, Message] = field(default_factory=dict)
    sets: dict[str, StringSet] = field(default_factory=dict)
    shapes: dict[str, ShapeRule] = field(default_factory=dict)
    services: dict[str, str] = field(default_factory=dict)
    """Service -> its doc."""
    calls: list[Call] = field(default_factory=list)

    def call_messages(self) -> set[str]:
        """Names of messages that only describe a call: what is in its path, query, headers and body."""
        return {call.request for call in self.calls}


def read(files: Iterable[descriptor_pb2.FileDescriptorProto], wanted: Iterable[str]) -> Schema:
    """The schema of the `wanted` file names among `files` (which include what they import).

    Raises:
        SchemaError: a rule of the profile is broken.
    """
    return _Reader(list(files), list(wanted)).read()


class _Reader:
    def __init__(self, files: list[descriptor_pb2.FileDescriptorProto], wanted: list[str]) -> None:
        self.files = [file for file in files if file.name in wanted]
        self.pool = descriptor_pool.DescriptorPool()
        for file in files:
            self.pool.Add(file)
        self.schema = Schema()

    def read(self) -> Schema:
        for file in sorted(self.files, key=lambda file: file.name):
            module = file.name.rsplit("/", 1)[-1].removesuffix(".proto")
            docs = _Docs(file)
            self.schema.modules[module] = docs.at(12)
            if module == "profile":
                self.schema.version = str(self.options(file.options, "contract_version"))
                self._shapes(file, docs)
                continue
            for i, enum in enumerate(file.enum_type):
                self._set(module, enum, docs, i)
            for i, message in enumerate(file.message_type):
                self._message(module, message, docs, i)
            for i, service in enumerate(file.service):
                self._service(service, docs, i)
        _check(self.schema)
        return self.schema

    def options(self, options: ProtoMessage, extension: str) -> dict[str, Any] | list[Any] | str | int | None:
        """The value of one of our own options, as plain data; None when it is not there."""
        kind = message_factory.GetMessageClass(self.pool.FindMessageTypeByName(options.DESCRIPTOR.full_name))
        known: Any = kind.FromString(options.SerializeToString())
        handle: Any = self.pool.FindExtensionByName(f"{PACKAGE}.{extension}")
        if handle.is_repeated:
            return list(known.Extensions[handle])
        if not known.HasExtension(handle):
            return None
        value = known.Extensions[handle]
        if handle.enum_type is not None:
            return str(handle.enum_type.values_by_number[value].name)
        return _plain(value) if isinstance(value, ProtoMessage) else value

    def _shapes(self, file: descriptor_pb2.FileDescriptorProto, docs: _Docs) -> None:
        for i, enum in enumerate(file.enum_type):
            for j, value in enumerate(enum.value):
                rule = self.options(value.options, "shape")
                if isinstance(rule, dict):
                    self.schema.shapes[value.name] = ShapeRule(value.name, docs.at(5, i, 2, j), rule)

    def _set(self, module: str, enum: descriptor_pb2.EnumDescriptorProto, docs: _Docs, i: int) -> None:
        prefix = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", enum.name).upper() + "_"
        values = []
        for j, value in enumerate(enum.value):
            if value.number == 0:
                continue
            constant = value.name.removeprefix(prefix)
            text = self.options(value.options, "text")
            values.append(Value(constant, str(text or constant.lower()), docs.at(5, i, 2, j)))
            status = self.options(value.options, "status")
            if isinstance(status, int):
                self.schema.errors[status] = values[-1]
        self.schema.sets[enum.name] = StringSet(enum.name, module, docs.at(5, i), tuple(values))

    def _message(self, module: str, message: descriptor_pb2.DescriptorProto, docs: _Docs, i: int) -> None:
        if (
            message.nested_type
            or message.enum_type
            or any(not f.proto3_optional for f in message.field if f.HasField("oneof_index"))
        ):
            raise SchemaError(f"{message.name}: nested types, maps and oneofs have no place in the profile")
        fields = []
        for j, declared in enumerate(message.field):
            where = f"{message.name}.{declared.name}"
            if not docs.has(4, i, 2, j, _JSON_NAME):
                raise SchemaError(f"{where}: json_name is missing")
            fields.append(self._field(where, declared, docs.at(4, i, 2, j)))
        exactly_one = self.options(message.options, "exactly_one")
        self.schema.messages[message.name] = Message(
            message.name,
            module,
            docs.at(4, i),
            tuple(fields),
            tuple(exactly_one) if isinstance(exactly_one, list) else (),
        )

    def _field(self, where: str, declared: descriptor_pb2.FieldDescriptorProto, doc: str) -> Field:
        kind = _RAW.get(declared.type_name) or _SCALARS.get(declared.type)
        message = None
        if kind is None and declared.type == _F.TYPE_MESSAGE:
            kind, message = "message", declared.type_name.rsplit(".", 1)[-1]
        if kind is None:
            raise SchemaError(f"{where}: this type has no place in the profile")
        if not declared.json_name.isidentifier():
            raise SchemaError(f"{where}: {declared.json_name!r} can't be a Python name")
        rule = self.options(declared.options, "rule")
        return Field(
            name=declared.json_name,
            kind=kind,
            message=message,
            repeated=declared.label == _F.LABEL_REPEATED,
            optional=declared.proto3_optional,
            doc=doc,
            rule=rule if isinstance(rule, dict) else {},
            place="header" if self.options(declared.options, "place") == "PLACE_HEADER" else "query",
            proto_name=declared.name,
        )

    def _service(self, service: descriptor_pb2.ServiceDescriptorProto, docs: _Docs, i: int) -> None:
        self.schema.services[service.name] = docs.at(6, i)
        for j, method in enumerate(service.method):
            http = self.options(method.options, "http")
            if not isinstance(http, dict):
                raise SchemaError(f"{service.name}.{method.name}: option http is missing")
            self.schema.calls.append(
                Call(
                    name=method.name,
                    service=service.name,
                    doc=docs.at(6, i, 2, j),
                    request=method.input_type.rsplit(".", 1)[-1],
                    response=method.output_type.rsplit(".", 1)[-1],
                    http=http,
                )
            )


class _Docs:
    """Comments of one file, by the path of what they stand above."""

    def __init__(self, file: descriptor_pb2.FileDescriptorProto) -> None:
        self.locations = {tuple(location.path): location for location in file.source_code_info.location}

    def has(self, *path: int) -> bool:
        return path in self.locations

    def at(self, *path: int) -> str:
        location = self.locations.get(path)
        lines = location.leading_comments.splitlines() if location else []
        return "\n".join(line.strip() for line in lines).strip()


def _plain(message: ProtoMessage) -> dict[str, Any]:
    """What a message says, by proto name; what it leaves unsaid is missing."""
    return {declared.name: _plain_value(declared, value) for declared, value in message.ListFields()}


def _plain_value(declared: Any, value: Any) -> Any:
    if declared.enum_type is not None:
        return declared.enum_type.values_by_number[value].name
    if declared.message_type is not None:
        return [_plain(item) for item in value] if declared.is_repeated else _plain(value)
    return list(value) if declared.is_repeated else value


def _check(schema: Schema) -> None:
    """What is referred to by name must exist, and what becomes a class must have names that one can have."""
    no_classes = schema.call_messages()
    for message, declared in _all_fields(schema):
        where = f"{message.name}.{declared.name}"
        if keyword.iskeyword(declared.name) and message.name not in no_classes:
            raise SchemaError(f"{message.name}.{declared.proto_name}: {declared.name!r} can't be a Python name")
        for key in ("known", "only"):
            if declared.rule.get(key, None) not in {None, *schema.sets}:
                raise SchemaError(f"{where}: there is no enum {declared.rule[key]}")
        if declared.rule.get("shape") not in {None, *schema.shapes}:
            raise SchemaError(f"{where}: shape {declared.rule['shape']} has no rule")
    for call in schema.calls:
        if "success" not in call.http:
            raise SchemaError(f"{call.name}: it never succeeds")
        for success in call.http["success"]:
            if success.get("message", call.response) not in schema.messages:
                raise SchemaError(f"{call.name}: there is no message {success['message']}")


def _all_fields(schema: Schema) -> Iterator[tuple[Message, Field]]:
    for message in schema.messages.values():
        for declared in message.fields:
            yield message, declared
