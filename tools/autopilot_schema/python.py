"""Emits the dataclasses and sets of `autopilot.contract._generated`: one module for each proto file, and an index.

Each class is frozen, slotted and keyword-only; attributes have the wire's names; annotations are real objects, not
strings, so that decoders read them for free. Relies on `model`. Never formats: ruff does, afterwards.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from autopilot_schema.model import Field, Message, Schema, SchemaError, StringSet

HEADER = "# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.\n"
_TYPES = {"string": "str", "int": "int", "float": "float", "bool": "bool", "json": "Any", "object": "dict[str, Any]"}
_WIDTH = 112


def modules(schema: Schema) -> dict[str, str]:
    """File name -> text, for the whole package."""
    files = {}
    for module, doc in schema.modules.items():
        text = _module(schema, module, doc)
        if text:
            files[f"{module}.py"] = text
    files["__init__.py"] = _index(schema)
    return files


def public_names(schema: Schema) -> dict[str, str]:
    """Name -> module, of everything that is exported, in order."""
    hidden = schema.call_messages()
    names = {name: found.module for name, found in (schema.sets | schema.messages).items() if name not in hidden}
    return dict(sorted(names.items()))


def _module(schema: Schema, module: str, doc: str) -> str:
    hidden = schema.call_messages()
    sets = [found for found in schema.sets.values() if found.module == module]
    messages = [found for found in schema.messages.values() if found.module == module and found.name not in hidden]
    if not sets and not messages:
        return ""
    body = [_set(found) for found in sets] + [_class(found) for found in _ordered(messages)]
    names = sorted([found.name for found in sets] + [found.name for found in messages])
    exports = f"__all__ = {names!r}\n"
    imports = "\n".join(_imports(schema, module, sets, messages))
    return f"{HEADER}{_docstring(doc, '')}\n\n{imports}\n\n{exports}\n\n" + "\n\n".join(body)


def _imports(schema: Schema, module: str, sets: list[StringSet], messages: list[Message]) -> Iterator[str]:
    if messages:
        yield "from dataclasses import dataclass"
    if sets:
        yield "from enum import StrEnum"
    if any(found.kind in {"json", "object"} for message in messages for found in message.fields):
        yield "from typing import Any"
    yield ""
    wanted: dict[str, set[str]] = {}
    for message in messages:
        for found in message.fields:
            if found.message and schema.messages[found.message].module != module:
                wanted.setdefault(schema.messages[found.message].module, set()).add(found.message)
    for other, names in sorted(wanted.items()):
        yield f"from autopilot.contract._generated.{other} import {', '.join(sorted(names))}"


def _ordered(messages: list[Message]) -> list[Message]:
    """Each message after those it is made of."""
    by_name = {message.name: message for message in messages}
    done: dict[str, Message] = {}

    def visit(message: Message, above: tuple[str, ...]) -> None:
        if message.name in above:
            raise SchemaError(f"{message.name} contains itself")
        for found in message.fields:
            if found.message in by_name and found.message not in done:
                visit(by_name[found.message], (*above, message.name))
        done.setdefault(message.name, message)

    for message in messages:
        visit(message, ())
    return list(done.values())


def _set(found: StringSet) -> str:
    lines = [f"class {found.name}(StrEnum):", _docstring(found.doc, "    "), ""]
    for value in found.values:
        lines += [f"    {value.constant} = {value.text!r}", _docstring(value.doc, "    ")]
    return "\n".join(lines) + "\n"


def _class(message: Message) -> str:
    lines = [
        "@dataclass(frozen=True, slots=True, kw_only=True)",
        f"class {message.name}:",
        _docstring(message.doc, "    "),
        "",
    ]
    for found in message.fields:
        lines += [f"    {found.name}: {annotation(found)}", _docstring(_field_doc(found), "    ")]
    return "\n".join(lines) + "\n"


def annotation(found: Field) -> str:
    """Type and default: required, nullable (missing is null), or a list (missing is empty)."""
    plain = found.message or _TYPES[found.kind]
    if found.repeated:
        return f"tuple[{plain}, ...] = ()"
    if found.optional:
        return f"{plain} = None" if plain == "Any" else f"{plain} | None = None"
    return plain


def _field_doc(found: Field) -> str:
    name = found.rule.get("only") or found.rule.get("known")
    return f"{found.doc} (`{name}`)" if name else found.doc


def _docstring(doc: str, indent: str) -> str:
    paragraphs = [textwrap.fill(part, _WIDTH) for part in doc.split("\n\n")]
    quote = 'r"""' if "\\" in doc else '"""'
    text = "\n\n".join(paragraphs)
    ending = "\n" if "\n" in text else ""
    return textwrap.indent(f'{quote}{text}{ending}"""', indent)


def _index(schema: Schema) -> str:
    names = public_names(schema)
    by_module: dict[str, list[str]] = {}
    for name, module in names.items():
        by_module.setdefault(module, []).append(name)
    typed = "".join(
        f"    from autopilot.contract._generated.{module} import {', '.join(found)}\n"
        for module, found in sorted(by_module.items())
    )
    table = "".join(f"    {name!r}: {module!r},\n" for name, module in names.items())
    return (
        f'{HEADER}"""Index of the generated messages and sets. Each module is loaded at the first use of a name."""\n\n'
        f"from importlib import import_module\nfrom typing import TYPE_CHECKING, Any\n\n"
        f"if TYPE_CHECKING:\n{typed}\n"
        f"VERSION = {schema.version!r}\n"
        '"""Of the contract: in the OpenAPI document and the header `x-autopilot-contract`."""\n\n'
        f"MODULES = {{\n{table}}}\n"
        f'"""Name -> the module that defines it."""\n\n'
        f"__all__ = {list(names)!r}\n\n"
        "def __getattr__(name: str) -> Any:\n"
        "    if name not in MODULES:\n"
        "        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')\n"
        "    value = getattr(import_module(f'{__name__}.{MODULES[name]}'), name)\n"
        "    globals()[name] = value\n"
        "    return value\n"
    )
