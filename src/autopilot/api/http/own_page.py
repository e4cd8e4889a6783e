"""The few pages that the API itself shows a browser: where single sign-on ends, and links without a web app.

Without a script, without anything from elsewhere; one small stylesheet, let in by its digest. It looks like the web app
(web/static/css/00-theme.css), which knows nothing of it. Whoever makes a page escapes what is not theirs.
"""

from __future__ import annotations

import base64
import hashlib

from starlette.responses import Response

STYLE = """
:root{color-scheme:light dark;--bg:#f2f2f7;--card:#fff;--fg:#0b0b0f;--muted:#63636a}
@media (prefers-color-scheme:dark){:root{--bg:#000;--card:#1a1a1d;--fg:#f4f4f6;--muted:#a0a0a8}}
*{box-sizing:border-box}html,body{height:100%;margin:0}
body{font:1rem/1.45 -apple-system,system-ui,"Segoe UI",Roboto,sans-serif;background:var(--bg);color:var(--fg);
display:grid;place-items:center;padding:16px}
main{width:min(100%,420px);background:var(--card);border-radius:14px;padding:28px 24px;overflow-wrap:anywhere}
h1{font-size:1.75rem;line-height:1.2;margin:0 0 12px}p{margin:0 0 10px}p:last-child{margin:0}
code{font-family:ui-monospace,SFMono-Regular,Menlo,monospace}
.code{text-align:center;background:var(--bg);border-radius:12px;padding:18px 8px;margin:16px 0}
.code code{font-size:2rem;font-weight:700;letter-spacing:.06em;user-select:all}
.fine{color:var(--muted);font-size:.875rem}
"""
CONTENT_SECURITY = (
    f"default-src 'none'; style-src 'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)


def own_page(title: str, body: str, status: int = 200) -> Response:
    """A page; `title` and `body` are HTML."""
    head = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{title} - Autopilot</title><style>{STYLE}</style>"
    )
    whole = f"{head}<main><h1>{title}</h1>{body}</main></html>"
    return Response(whole, status, media_type="text/html", headers={"content-security-policy": CONTENT_SECURITY})
