"""The calls of single sign-on, and the page that a browser ends at. Source: docs/protocol.md, "Single sign-on".

Beginning and collecting count against the network address like every sign-in call; so does coming back, which is a
browser's. The page has no script, no link that leads away, and nothing in it that was not escaped.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from autopilot.api import notices
from autopilot.api.alarm import Alarm
from autopilot.api.audit import Caller
from autopilot.api.database import answering
from autopilot.api.http.answers import json_answer
from autopilot.api.http.auth import SURFACE_HEADER, SURFACES, device_key
from autopilot.api.http.own_page import own_page
from autopilot.api.http.reception import Reception, decoded, named
from autopilot.api.limits import Limit
from autopilot.api.mail import Postman
from autopilot.api.oidc import OidcSignIns, Returned, Shown
from autopilot.api.oidc_client import CALLBACK
from autopilot.api.oidc_id_token import NotProved
from autopilot.api.recovery_watch import RecoveryWatch
from autopilot.api.sessions import DeviceNote
from autopilot.api.tokens import signed_in
from autopilot.contract import BeginSso, CollectSso, SsoOffer, encode
from autopilot.contract.errors import MethodNotAllowed, NotFound, Problem, RateLimited, Unavailable, Unprocessable

CODE_CHARACTERS = 4096
"""Of the provider's own code; longer than any."""
_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class OidcRoutes:
    """The paths; without a provider they are there, and say so."""

    sign_ins: OidcSignIns | None
    postman: Postman
    reception: Reception
    rate: Limit
    alarm: Alarm
    recoveries: RecoveryWatch

    def routes(self) -> list[Route]:
        """The paths."""
        return [
            Route("/api/auth/oidc", self.offer, methods=["GET"]),
            Route("/api/auth/oidc", self.begin, methods=["POST"]),
            Route("/api/auth/oidc/collect", self.collect, methods=["POST"]),
            Route(CALLBACK, self.come_back, methods=["GET"]),
        ]

    async def offer(self, _request: Request) -> Response:
        """Whether there is a provider, and what it is called."""
        return json_answer({"data": encode(SsoOffer(name=self._there().provider.client.name))})

    async def begin(self, request: Request) -> Response:
        """Begin at a device."""
        caller, sign_ins = self._counted(request), self._there()
        body = await self.reception.open_body(request, BeginSso)
        begun = await sign_ins.begin(_hex(body.challenge, "challenge"), caller)
        return json_answer({"data": encode(begun)})

    async def collect(self, request: Request) -> Response:
        """Fetch the tokens, at the device that began."""
        caller, sign_ins = self._counted(request), self._there()
        raw = await self.reception.raw_body(request)
        body = decoded(CollectSso, raw)
        device = DeviceNote(
            surface=caller.surface,
            name=named(body.device_name, "device_name"),
            platform=named(body.device_platform, "device_platform") or None,
            address=caller.address,
            public_key=device_key(request, body.public_key, raw),
        )
        with answering():
            tokens = await sign_ins.collect(_hex(body.verifier, "verifier"), body.code, device, caller)
        notices.tell_recovery(self.postman, tokens, device)
        self.recoveries.signed_in(tokens)
        return json_answer(encode(signed_in(tokens)))

    async def come_back(self, request: Request) -> Response:
        """Where the provider sends the browser: a page that shows the code, or why there is none."""
        if request.method != "GET":  # a look ahead (HEAD) must not use it up
            raise MethodNotAllowed("HEAD is not a method of this path", reason_code="method", allowed=["GET"])
        sign_ins = self._there()
        try:
            caller = self._counted(request, surface="web")
            shown = await sign_ins.come_back(_returned(request), caller)
        except NotProved as refused:
            return _refused(refused, sign_ins.provider.client.name)
        except (Unavailable, RateLimited) as problem:
            return _problem(problem)
        return _shown(shown)

    def _there(self) -> OidcSignIns:
        if self.sign_ins is None:
            raise NotFound("this server has no single sign-on", reason_code="sso_off")
        return self.sign_ins

    def _counted(self, request: Request, *, surface: str | None = None) -> Caller:
        hint = surface or request.headers.get(SURFACE_HEADER, "")
        caller = self.reception.caller(request, hint if hint in SURFACES else "sdk")
        self.alarm.admit(self.rate, caller)
        return caller


def _returned(request: Request) -> Returned:
    state, code = _only(request, "state") or "", _only(request, "code")
    if len(code or "") > CODE_CHARACTERS:
        raise NotProved("malformed", "the provider's answer can't be read")
    return Returned(state=state, code=code, issuer=_only(request, "iss"), error=_only(request, "error"))


def _only(request: Request, name: str) -> str | None:
    """A parameter of the query.

    Raises:
        NotProved: it is there twice.
    """
    values = request.query_params.getlist(name)
    if len(values) > 1:
        raise NotProved("malformed", "the provider's answer can't be read")
    return values[0] if values else None


def _hex(written: str, field: str) -> str:
    if _HEX.fullmatch(written) is None:
        raise Unprocessable("32 bytes in lower-case hex are needed", reason_code="invalid_value", field=field)
    return written


def _shown(shown: Shown) -> Response:
    half = len(shown.code) // 2
    who = f"The provider says that you are {shown.email}."
    return _page(
        "Go back to your app",
        [who, "Type this code there. It is good for ten minutes, once."],
        code=f"{shown.code[:half]} {shown.code[half:]}",
        last="Did you not begin this in an app or terminal of your own? Then close this page, and give the code to "
        "nobody: who has it signs in as you.",
    )


def _refused(refused: NotProved, provider: str) -> Response:
    words = f"{refused.message[:1].upper()}{refused.message[1:]}."
    last = (
        "Close this page. Where you began you can begin again, or sign in another way. To come as somebody else, sign "
        f"out at {provider} first: it remembers who you were."
    )
    return _page("You are not signed in", [words], 403, last=last)


def _problem(problem: Problem) -> Response:
    page = _page("Not now", [f"{problem.message[:1].upper()}{problem.message[1:]}.", "Then begin again in your app."],
                 problem.status or 503)  # fmt: skip
    page.headers["retry-after"] = str(max(1, round(problem.retry_after_seconds or 1)))
    return page


def _page(title: str, lines: list[str], status: int = 200, *, code: str = "", last: str = "") -> Response:
    parts = [f"<p>{html.escape(line)}</p>" for line in lines]
    if code:
        parts.insert(1, f'<p class="code"><code>{html.escape(code)}</code></p>')
    if last:
        parts.append(f'<p class="fine">{html.escape(last)}</p>')
    return own_page(html.escape(title), "".join(parts), status)
