"""Which surface can do what: each operation of the API beside the SDK, the command line, the web and the iPhone app.

Found out, not declared. What each call of the SDK asks the server for is seen by calling it with nobody at the other
end; who uses a call is read in the sources: a surface does what its own files call, and what the modules of the client
core that it imports call for it. What a surface lacks needs a reason in docs/parity.toml; a reason without a gap is as
wrong as a gap without a reason. Writes docs/parity.md; with `check` says whether it is what it should be.
"""

from __future__ import annotations

import ast
import asyncio
import functools
import inspect
import logging
import re
import sys
import tomllib
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

import httpx2

from autopilot.client import Approver, Joiner, MemoryTokenStore, RuntimeCodexClient, Session
from autopilot.client.http import Http
from autopilot.client.tokens import Credentials
from autopilot.contract import PairingDevice, openapi

ROOT = Path(__file__).resolve().parent.parent
PAGE, REASONS = ROOT / "docs/parity.md", ROOT / "docs/parity.toml"
CORE = ROOT / "src/autopilot/client"
SURFACES = {
    "CLI": ROOT / "src/autopilot/cli",
    "web": ROOT / "src/autopilot/web",
    "iPhone": ROOT / "ios/src/autopilot_ios",
}
HOLDERS = {"RuntimeCodexClient": "client", "Session": "session", "Approver": "approver", "Joiner": "joiner"}
"""What an object of each class is called where it is used: the last part of its name."""
GIVEN: dict[str, Any] = {
    "rejected": "token",
    "credential": {
        "id": "x",
        "rawId": "x",
        "type": "public-key",
        "response": {"clientDataJSON": "x", "authenticatorData": "x", "signature": "x", "attestationObject": "x"},
        "clientExtensionResults": {},
    },
}
"""What some calls look at before they ask."""
MIXIN = re.compile(r"^class \w+Calls\b", re.MULTILINE)
"""A module of the client that only says how the server is asked."""
BESIDES = {"answerPairing": {"Approver.step", "Joiner.step"}}
"""What a call asks for only after an answer of a server's."""
IN_USE = {"Session.renew", "Session.request_step_up", "Session.finish_step_up"}
"""By whoever has a session, unasked: `Session.access_token`, and `Session.ask_code`."""
SILENT = {"aclose", "approver", "approver_from", "access_token", "keep_to", "on_state", "sign", "saved", "restored"}


class _NobodyThereError(Exception):
    """The call was seen."""


class _Ear(httpx2.AsyncBaseTransport):
    """Hears what is asked for, and answers nothing."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.heard.append((request.method, request.url.path))
        raise _NobodyThereError


def operations() -> dict[str, tuple[str, str, re.Pattern[str]]]:
    """By id: method, path, and what its paths look like."""
    found = {}
    for path, methods in openapi.document()["paths"].items():
        parts = ["[^/]*" if part.startswith("{") else re.escape(part) for part in path.split("/")]
        for method, operation in methods.items():
            found[operation["operationId"]] = (method.upper(), path, re.compile("/".join(parts)))
    return found


async def sdk() -> dict[str, set[str]]:
    """Which calls of the SDK (`Class.name`) ask for an operation."""
    known = operations()
    found: dict[str, set[str]] = {name: set() for name in known}
    for owner, name in _calls():
        ear = _Ear()
        await _call(owner, name, ear)
        if name == "renew":
            await _call(owner, name, ear, "guest")
        for method, path in ear.heard:
            for operation, (its_method, _path, pattern) in known.items():
                if its_method == method and pattern.fullmatch(path):
                    found[operation].add(f"{owner.__name__}.{name}")
    return found


@functools.cache
def _calls() -> tuple[tuple[type, str], ...]:
    return tuple(
        (owner, name)
        for owner in (RuntimeCodexClient, Session, Approver, Joiner)
        for name, value in inspect.getmembers(owner)
        if not name.startswith("_") and inspect.isfunction(value) and name not in SILENT
    )


async def _call(owner: type, name: str, ear: _Ear, scope: str | None = None) -> None:
    """Call it with whatever fits its annotations; `scope`: as a guest."""
    http = Http("http://localhost", tokens=None, transport=ear)
    store = MemoryTokenStore()
    store.save(Credentials("token", "refresh", user_id=1, guest_scope=scope))
    made: dict[type, Any] = {
        RuntimeCodexClient: lambda: RuntimeCodexClient("http://localhost", "token", transport=ear),
        Session: lambda: Session("http://localhost", store, transport=ear),
        Approver: lambda: Approver(http),
        Joiner: lambda: Joiner(http, PairingDevice()),
    }
    function = getattr(made[owner](), name)
    hints = typing.get_type_hints(getattr(owner, name))
    given: dict[str, Any] = {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.default is inspect.Parameter.empty:
            given[parameter.name] = _some(hints[parameter.name], parameter.name)
    with suppress(Exception):  # nobody answers, and some look at what they were given first
        async with asyncio.timeout(2):
            answer = function(**given)
            if hasattr(answer, "__anext__"):
                await anext(answer)
            elif inspect.isawaitable(answer):
                await answer


def _some(hint: Any, name: str) -> Any:
    """A value of this type."""
    origin = typing.get_origin(hint) or hint
    if name in GIVEN:
        return GIVEN[name]
    if is_dataclass(hint):
        return _message(hint)
    if origin in (typing.Union, types.UnionType):
        return _some(typing.get_args(hint)[0], name)
    if origin is typing.Literal:
        return typing.get_args(hint)[0]
    if "TokenStore" in str(hint):
        return MemoryTokenStore()
    plain: dict[Any, Any] = {str: "x", int: 1, bool: True, bytes: b"{}", float: 1.0}
    is_mapping = isinstance(origin, type) and issubclass(origin, Mapping)
    return plain.get(origin, {} if is_mapping else [])


def _message(hint: Any) -> Any:
    """A message with what it can't be without."""
    hints = typing.get_type_hints(hint)
    needed = [one for one in fields(hint) if one.init and one.default is MISSING and one.default_factory is MISSING]
    return hint(**{one.name: _some(hints[one.name], one.name) for one in needed})


def used(sources: Sequence[Path]) -> set[str]:
    """Which calls of the SDK these files make, and the modules of the client core that they import."""
    found: set[str] = set()
    seen = {path for path in CORE.glob("*.py") if MIXIN.search(path.read_text())} | {CORE / "client.py"}
    todo = list(sources)
    while todo:
        path = todo.pop()
        if path in seen or path == CORE / "__init__.py":
            continue
        seen.add(path)
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute):
                found |= _called(node)
            elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("autopilot.client"):
                todo += _modules(node)
    return found


def _called(node: ast.Attribute) -> set[str]:
    """The call of the SDK that this is, going by what its object is called."""
    holder = (_name(node.value) or "").lstrip("_")
    owners = {owner for owner, name in HOLDERS.items() if holder.endswith(name)}
    return {f"{owner.__name__}.{name}" for owner, name in _calls() if owner.__name__ in owners and name == node.attr}


def _name(node: ast.expr) -> str | None:
    """The last part of what an attribute is asked of: `client` of `visitor.client`."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Call):
        return _name(node.func)
    return None


def _modules(node: ast.ImportFrom) -> list[Path]:
    base = ROOT / "src" / Path(*(node.module or "").split("."))
    paths = [base.with_suffix(".py"), *(base / f"{name.name}.py" for name in node.names)]
    return [path for path in paths if path.is_file()]


def table() -> tuple[list[tuple[str, dict[str, str]]], list[str]]:
    """A row for each operation, and what is wrong with the reasons."""
    reasons: dict[str, dict[str, str]] = tomllib.loads(REASONS.read_text())
    by_sdk = asyncio.run(sdk())
    for operation, names in BESIDES.items():
        by_sdk[operation] |= names
    surfaces = {name: used(list(root.rglob("*.py"))) for name, root in SURFACES.items()}
    for name in ("CLI", "iPhone"):
        surfaces[name] |= IN_USE
    rows, wrong = [], [f"{name}: no such operation" for name in reasons if name not in by_sdk]
    for operation, names in by_sdk.items():
        cells = {"SDK": ", ".join(f"`{one}`" for one in sorted(names))}
        cells |= {surface: "yes" if names & calls else "" for surface, calls in surfaces.items()}
        said = reasons.get(operation, {})
        wrong += _wrong(operation, cells, said)
        whole = {surface: cell or f"no: {said.get(surface) or said.get('all')}" for surface, cell in cells.items()}
        rows.append((operation, whole))
    return rows, wrong


def _wrong(operation: str, cells: dict[str, str], said: dict[str, str]) -> Iterator[str]:
    for surface, cell in cells.items():
        if not cell and not (said.get(surface) or said.get("all")):
            yield f"{operation}: {surface} lacks it, without a reason in docs/parity.toml"
        if cell and said.get(surface):
            yield f"{operation}: {surface} has it; the reason in docs/parity.toml is of yesterday"


def page(rows: list[tuple[str, dict[str, str]]]) -> str:
    """The document."""
    names = ["SDK", *SURFACES]
    lines = [
        "# Who can do what",
        "",
        "Every operation of the API beside what reaches it. Made by `tools/parity.py` (`make gen`) from the sources:",
        "a call of the SDK counts for a surface where that surface, or the part of the client core that it uses,",
        "makes it. A gap carries its reason (`docs/parity.toml`).",
        "",
        "| operation | " + " | ".join(names) + " |",
        "| --- | " + " | ".join("---" for _name in names) + " |",
    ]
    for operation, cells in rows:
        lines.append(f"| `{operation}` | " + " | ".join(cells[name] for name in names) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write the page, or check it."""
    logging.disable(logging.CRITICAL)
    rows, wrong = table()
    text = page(rows)
    if sys.argv[1:] == ["check"]:
        if PAGE.read_text() != text:
            wrong.append("docs/parity.md is not what `make gen` makes of the sources")
    else:
        PAGE.write_text(text)
    for one in wrong:
        print(f"parity: {one}", file=sys.stderr)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
