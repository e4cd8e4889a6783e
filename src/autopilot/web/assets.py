"""What browsers load beside pages: one stylesheet, one script, htmx, icons. Made once, at the start.

The files of `static/css` and of `static/js` are joined in the order of their names; their name on the wire has a digest
of their content, so that a browser keeps them for ever and never an old one. Never reads a file after the start.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from autopilot.contract.errors import NotFound

FOREVER = "public, max-age=31536000, immutable"
TYPES = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "png": "image/png",
    "svg": "image/svg+xml",
    "ico": "image/x-icon",
}
SMALL_BYTES = 1000
"""What is smaller is not worth compressing."""


@dataclass(frozen=True, slots=True)
class Asset:
    """One file on the wire."""

    name: str
    """With its digest."""
    body: bytes
    zipped: bytes | None
    media_type: str

    @property
    def path(self) -> str:
        """Where it is."""
        return f"/static/{self.name}"

    def answer(self, request: Request, *, cache_control: str = FOREVER) -> Response:
        """To a browser that asks for it."""
        headers = {"cache-control": cache_control, "vary": "Accept-Encoding"}
        body = self.body
        if self.zipped is not None and "gzip" in request.headers.get("accept-encoding", ""):
            body, headers["content-encoding"] = self.zipped, "gzip"
        return Response(body, media_type=self.media_type, headers=headers)


class Assets:
    """All of them, by the name that pages call them by."""

    def __init__(self) -> None:
        folder = files("autopilot.web") / "static"
        found = [
            _asset("app.css", _joined(folder / "css")),
            _asset("app.js", _joined(folder / "js")),
            *(_asset(file.name, file.read_bytes()) for file in _files(folder / "vendor") if file.name.endswith(".js")),
            *(_asset(file.name, file.read_bytes()) for file in _files(folder / "icons")),
        ]
        self._by_source = dict(found)
        self._by_name = {asset.name: asset for asset in self._by_source.values()}
        self.version = hashlib.sha256("".join(sorted(self._by_name)).encode()).hexdigest()[:12]
        """Another one means that something of them is other."""

    def __getitem__(self, source: str) -> Asset:
        """By the name of its file."""
        return self._by_source[source]

    def paths(self) -> list[str]:
        """Of all."""
        return sorted(asset.path for asset in self._by_name.values())

    def routes(self) -> list[Route]:
        """Where they are served; no session is needed."""
        return [Route("/static/{name}", self._answer, methods=["GET"])]

    async def _answer(self, request: Request) -> Response:
        asset = self._by_name.get(request.path_params["name"])
        if asset is None:
            raise NotFound("no such file", reason_code="no_such_route")
        return asset.answer(request)


def _asset(source: str, body: bytes) -> tuple[str, Asset]:
    stem, _, kind = source.rpartition(".")
    digest = hashlib.sha256(body).hexdigest()[:10]
    is_text = kind in {"css", "js", "svg"} and len(body) > SMALL_BYTES
    zipped = gzip.compress(body, 9, mtime=0) if is_text else None
    return source, Asset(f"{stem}-{digest}.{kind}", body, zipped, TYPES[kind])


def _files(folder: Traversable) -> Iterable[Traversable]:
    return sorted(folder.iterdir(), key=lambda file: file.name) if folder.is_dir() else ()


def _joined(folder: Traversable) -> bytes:
    return b"\n".join(file.read_bytes() for file in _files(folder))
