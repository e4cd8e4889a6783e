"""The OpenAPI document, and a page of it that a person can read.

Rendered from the document alone, on the server, with a small stylesheet of our own: nothing is loaded from elsewhere.
"""

from __future__ import annotations

import base64
import hashlib
import html
from collections.abc import Iterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from autopilot.api.http.answers import encoder

METHODS = ("get", "post", "put", "patch", "delete")
STYLE = """
:root{color-scheme:light dark;--ink:#1d2125;--soft:#5d6670;--line:#d9dee3;--paper:#fff;--code:#f4f6f8;--mark:#0b6bcb}
@media (prefers-color-scheme:dark){:root{--ink:#e6e9ec;--soft:#9aa4ae;--line:#343b42;--paper:#15181b;--code:#1e2327;
--mark:#6cb2ff}}
body{font:16px/1.55 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:62rem;margin:0 auto;
padding:1.5rem}
h1{font-size:1.6rem;margin:0}h2{margin:2.5rem 0 .5rem;font-size:1.2rem}.soft{color:var(--soft)}
section{border-top:1px solid var(--line);padding:1rem 0}
h3{font:600 1rem/1.4 ui-monospace,monospace;margin:0 0 .4rem;overflow-wrap:anywhere}
b.method{color:var(--mark);display:inline-block;min-width:3.6em}
table{border-collapse:collapse;width:100%;font-size:.92rem;margin:.4rem 0}
td{border-top:1px solid var(--line);padding:.3rem .8rem .3rem 0;vertical-align:top}td:first-child{white-space:nowrap}
code{font:.9em ui-monospace,monospace;background:var(--code);padding:.1em .3em;border-radius:3px}
a{color:var(--mark)}p{margin:.4rem 0}
"""


class DocsRoutes:
    """Two paths, both written once at start; and the root, which leads a person who opens the bare URL to the page."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = encoder.encode(document)
        self._page = render(document).encode()

    def routes(self) -> list[Route]:
        """The paths."""
        return [
            Route("/api/openapi.json", self.openapi, methods=["GET"]),
            Route("/api/docs", self.page, methods=["GET"]),
        ]

    @staticmethod
    async def root(_request: Request) -> Response:
        """To the page, where there is no web app."""
        return Response(status_code=307, headers={"location": "/api/docs"})

    async def openapi(self, _request: Request) -> Response:
        """The document."""
        return Response(self._document, media_type="application/json")

    async def page(self, _request: Request) -> Response:
        """The page."""
        policy = f"default-src 'none'; style-src 'sha256-{_style_digest()}'; frame-ancestors 'none'; base-uri 'none'"
        return Response(self._page, media_type="text/html", headers={"content-security-policy": policy})


def render(document: dict[str, Any]) -> str:
    """The page of an OpenAPI document."""
    info = document["info"]
    body = "".join(_sections(document))
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{_text(info['title'])}</title><style>{STYLE}</style>"
        f'<h1>{_text(info["title"])}</h1><p class="soft">Contract {_text(info["version"])} · '
        '<a href="openapi.json">openapi.json</a></p>'
        f"{_prose(info.get('description'))}{body}</html>"
    )


def _sections(document: dict[str, Any]) -> Iterator[str]:
    for path, item in document.get("paths", {}).items():
        shared = item.get("parameters", [])
        for method in METHODS:
            if method in item:
                yield _section(document, path, method, item[method], shared)
    yield "<h2>Shapes</h2>"
    for name, schema in document.get("components", {}).get("schemas", {}).items():
        words = _prose(schema.get("description"))
        yield f'<section id="{_text(name)}"><h3>{_text(name)}</h3>{words}{_fields(schema)}</section>'


def _section(document: dict[str, Any], path: str, method: str, operation: dict[str, Any], shared: list[Any]) -> str:
    parameters = [_resolved(document, parameter) for parameter in [*shared, *operation.get("parameters", [])]]
    rows = [
        (
            f"{_code(one['name'])} <span class=soft>{_text(one['in'])}</span>",
            _kind(one.get("schema", {})),
            one.get("description"),
        )
        for one in parameters
    ]
    rows += [("body", kind, None) for kind in _kinds(_resolved(document, operation.get("requestBody", {})))]
    answers = [
        (_code(status), ", ".join(_kinds(answer)), answer.get("description"))
        for status, answer in (
            (status, _resolved(document, one)) for status, one in operation.get("responses", {}).items()
        )
    ]
    words = _prose(operation.get("summary")) + _prose(operation.get("description"))
    title = f'<b class="method">{method.upper()}</b> {_text(path)}'
    return f"<section><h3>{title}</h3>{words}{_table(rows)}{_table(answers)}</section>"


def _fields(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return "<p>" + " ".join(_code(str(value)) for value in schema["enum"]) + "</p>"
    required = set(schema.get("required", []))
    return _table(
        (
            _code(name),
            _kind(field) + ("" if name in required else ' <span class="soft">optional</span>'),
            field.get("description"),
        )
        for name, field in schema.get("properties", {}).items()
    )


def _kinds(holder: dict[str, Any]) -> list[str]:
    return [
        f"{_kind(one.get('schema', {}))} <span class=soft>{_text(media)}</span>"
        for media, one in holder.get("content", {}).items()
    ]


def _kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = _text(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    for choice, shown in (("anyOf", None), ("oneOf", None), ("allOf", 1)):  # allOf: a message, and what narrows it
        if choice in schema:
            return " or ".join(_kind(one) for one in schema[choice][:shown])
    if "const" in schema:
        return _code(str(schema["const"]))
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {_kind(schema.get('items', {}))}"
    if kind == "object" and "properties" in schema:
        inside = ", ".join(f"{_code(name)}: {_kind(field)}" for name, field in schema["properties"].items())
        return "{" + inside + "}"
    return _text(" or ".join(kind) if isinstance(kind, list) else kind)


def _table(rows: Any) -> str:
    lines = "".join(f"<tr><td>{first}<td>{second}<td>{_text(words or '')}</tr>" for first, second, words in rows)
    return f"<table>{lines}</table>" if lines else ""


def _prose(words: str | None) -> str:
    return "".join(f"<p>{_text(part)}</p>" for part in (words or "").split("\n\n") if part.strip())


def _resolved(document: dict[str, Any], holder: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in holder:
        found: Any = document
        for part in holder["$ref"].removeprefix("#/").split("/"):
            found = found[part.replace("~1", "/").replace("~0", "~")]
        holder = found
    return holder


def _code(words: str) -> str:
    return f"<code>{_text(words)}</code>"


def _text(words: Any) -> str:
    return html.escape(str(words))


def _style_digest() -> str:
    return base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
