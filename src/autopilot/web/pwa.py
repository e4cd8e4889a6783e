"""What makes the web app one that is installed: manifest, icons, start screens, and the service worker's file.

The service worker has no digest in its name: browsers look for a newer one under the same. It names the version that it
is of, and every asset, so that a new version is a new file. Relies on `Assets`; keeps nothing.
"""

from __future__ import annotations

import json
from importlib.resources import files

import htpy as h
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from autopilot.web.answers import html
from autopilot.web.assets import Assets
from autopilot.web.looks import Looks
from autopilot.web.parts.head import LIGHT
from autopilot.web.parts.layout import bare_page

LOOK_AGAIN = "no-cache"


def routes(assets: Assets) -> list[Route]:
    """The paths; no session is needed for them."""
    manifest = json.dumps(_manifest(assets), ensure_ascii=False).encode()
    worker = _service_worker(assets)

    async def show_manifest(_request: Request) -> Response:
        return Response(manifest, media_type="application/manifest+json", headers={"cache-control": LOOK_AGAIN})

    async def show_worker(_request: Request) -> Response:
        headers = {"cache-control": LOOK_AGAIN, "content-security-policy": "default-src 'none'; connect-src 'self'"}
        return Response(worker, media_type="text/javascript; charset=utf-8", headers=headers)

    async def show_offline(request: Request) -> Response:
        words = [
            h.h1["You are offline"],
            h.p["This screen was not kept on this device. What you have looked at lately is."],
            h.p[h.a(".button.primary", href="/")["Workers"]],
        ]
        return html(bare_page("Offline", assets, words, looks=Looks.of(request)))

    async def show_icon(request: Request) -> Response:
        return assets["icon-192.png"].answer(request, cache_control="public, max-age=86400")

    return [
        Route("/manifest.webmanifest", show_manifest, methods=["GET"]),
        Route("/sw.js", show_worker, methods=["GET"]),
        Route("/offline", show_offline, methods=["GET"]),
        Route("/favicon.ico", show_icon, methods=["GET"]),
    ]


def _manifest(assets: Assets) -> dict[str, object]:
    icons = [
        {"src": assets["icon-192.png"].path, "sizes": "192x192", "type": "image/png", "purpose": "any"},
        {"src": assets["icon-512.png"].path, "sizes": "512x512", "type": "image/png", "purpose": "any"},
        {"src": assets["icon-maskable-512.png"].path, "sizes": "512x512", "type": "image/png", "purpose": "maskable"},
    ]
    shortcuts = [{"name": "Inbox", "url": "/inbox"}, {"name": "New session", "url": "/new"}]
    return {
        "id": "/",
        "name": "Autopilot",
        "short_name": "Autopilot",
        "description": "See and steer Codex sessions.",
        "start_url": "/",
        "scope": "/",
        "display": "standalone",
        "background_color": LIGHT,
        "theme_color": LIGHT,
        "icons": icons,
        "shortcuts": shortcuts,
    }


def _service_worker(assets: Assets) -> bytes:
    source = (files("autopilot.web") / "static" / "sw.js").read_text("utf-8")
    kept = [path for path in assets.paths() if path.endswith((".css", ".js", ".svg"))]
    return f"const VERSION = {json.dumps(assets.version)};\nconst ASSETS = {json.dumps(kept)};\n{source}".encode()
