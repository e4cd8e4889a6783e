"""Between messages and plain JSON values, in pure Python: what a phone uses where the server has msgspec.

Accepts, refuses and words its refusals exactly as `msgspec.convert` does for the same dataclasses; the vectors of
`tests/vectors` hold both to it. Relies on generated dataclasses alone. Never parses JSON text and never checks ranges.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from types import NoneType, UnionType
from typing import Any, TypeAlias, TypeVar, get_args, get_origin

Json: TypeAlias = Any
"""A raw JSON value."""
JsonObject: TypeAlias = dict[str, Any]
"""A raw JSON object."""

Message = TypeVar("Message")
_Decoder: TypeAlias = Callable[[Any], Any]
_NAMES: dict[type, str] = {
    str: "str",
    bool: "bool",
    int: "int",
    float: "float",
    dict: "object",
    list: "array",
    NoneType: "null",
}


class DecodeError(ValueError):
    """The value is no such message.

    Attributes:
        path: where, as `$.events[0].seq`; `$` is the value itself.
    """

    def __init__(self, problem: str, steps: tuple[str, ...] = ()) -> None:
        self.problem = problem
        self.path = "$" + "".join(steps)
        super().__init__(f"{problem} - at `{self.path}`" if steps else problem)
        self._steps = steps

    def under(self, step: str) -> DecodeError:
        """The same problem, seen from one level up."""
        return DecodeError(self.problem, (step, *self._steps))


def decode(kind: type[Message], value: Json) -> Message:
    """The message that a JSON value (what `json.loads` returns) stands for. Unknown keys are ignored.

    Raises:
        DecodeError: a required key is missing, or a value has the wrong type; `path` names it.
    """
    return _message(kind)(value)


def encode(message: Any) -> JsonObject:
    """The JSON object that stands for a message: every key, in the schema's order; absent values are None.

    Raw values inside are the message's own, not copies.
    """
    return {name: to_json(getattr(message, name)) for name, to_json in _encoders(type(message))}


@cache
def _encoders(kind: type) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    return tuple((declared.name, _encoder(declared.type)) for declared in fields(kind))


def _encoder(annotation: Any) -> Callable[[Any], Any]:
    annotation, _ = _without_null(annotation)
    if get_origin(annotation) is tuple:
        item = _encoder(get_args(annotation)[0])
        return lambda values: [item(value) for value in values]
    if is_dataclass(annotation):
        return lambda value: None if value is None else encode(value)
    if annotation is str:
        return lambda value: None if value is None else str(value)
    return lambda value: value


@cache
def _message(kind: type) -> _Decoder:
    """Decoder of one message. Its fields are looked at once."""
    known = [(declared.name, _value(declared.type)) for declared in fields(kind)]
    required = [declared.name for declared in fields(kind) if declared.default is MISSING]

    def read(value: Any) -> Any:
        if type(value) is not dict:
            raise _unexpected("object", value)
        found = {}
        for name, decoder in known:
            if name in value:
                try:
                    found[name] = decoder(value[name])
                except DecodeError as error:
                    raise error.under(f".{name}") from None
        for name in required:
            if name not in found:
                raise DecodeError(f"Object missing required field `{name}`")
        return kind(**found)

    return read


def _value(annotation: Any) -> _Decoder:
    """Decoder of one annotation that the generator writes."""
    annotation, nullable = _without_null(annotation)
    if annotation is Any:
        return lambda value: value
    if get_origin(annotation) is tuple:
        return _array(_value(get_args(annotation)[0]))
    if is_dataclass(annotation):
        return _typed(dict, _message(annotation), nullable=nullable)
    return _typed(get_origin(annotation) or annotation, None, nullable=nullable)


def _without_null(annotation: Any) -> tuple[Any, bool]:
    if isinstance(annotation, UnionType):
        return get_args(annotation)[0], True
    return annotation, False


def _typed(kind: type, inner: _Decoder | None, *, nullable: bool) -> _Decoder:
    expected = f"{_NAMES[kind]} | null" if nullable else _NAMES[kind]

    def read(value: Any) -> Any:
        if type(value) is kind:
            return inner(value) if inner else value
        if value is None and nullable:
            return None
        if kind is float and type(value) is int:
            return float(value)
        raise _unexpected(expected, value)

    return read


def _array(item: _Decoder) -> _Decoder:
    def read(value: Any) -> Any:
        if type(value) is not list:
            raise _unexpected("array", value)
        found = []
        for index, entry in enumerate(value):
            try:
                found.append(item(entry))
            except DecodeError as error:
                raise error.under(f"[{index}]") from None
        return tuple(found)

    return read


def _unexpected(expected: str, value: Any) -> DecodeError:
    return DecodeError(f"Expected `{expected}`, got `{_NAMES.get(type(value), type(value).__name__)}`")
