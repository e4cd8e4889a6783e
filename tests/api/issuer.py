"""OpenID providers for the tests: one of a few lines that lies as it is told, and the certified one of npm.

Both are driven by `Browser`, as a person would. `TEST_OIDC_PROVIDER` names the folder of npm's `oidc-provider`
(`make test` installs it, where there is npm); without it tests for any provider run on the first alone.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import html
import json
import os
import re
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

import httpx2
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from tests.api.served import ServedApi

from autopilot.api.settings import ApiSettings
from autopilot.ops.serve import Server
from autopilot.ops.settings import Secret

PUBLIC_URL = "https://autopilot.example.com"
CALLBACK = f"{PUBLIC_URL}/api/auth/oidc/callback"
CLIENT_ID, CLIENT_SECRET = "autopilot-test", "a secret of/the client: 100%"
NPM = os.environ.get("TEST_OIDC_PROVIDER")
SCRIPT = Path(__file__).with_name("oidc_provider.mjs")

People = dict[str, dict[str, Any]]


def people() -> People:
    """Who can sign in at a provider: subject -> claims."""
    return {
        "ada": {"email": "ada@example.org", "email_verified": True},
        "bob": {"email": "bob@example.org", "email_verified": False},
        "eve": {"email": "eve@elsewhere.example", "email_verified": True},
    }


KEY = RSAKey.generate_key(2048, {"kid": "k1", "use": "sig"})


@dataclass
class Issuer:
    """The provider of a few lines. What a test changes here, it says from then on."""

    people: People = field(default_factory=people)
    url: str = ""
    key: Any = field(default_factory=lambda: KEY)
    keys: list[dict[str, Any]] | None = None
    """What it publishes instead of its key."""
    metadata: dict[str, Any] = field(default_factory=dict)
    """What it says of itself beside the usual."""
    claims: dict[str, Any] = field(default_factory=dict)
    """What its ID tokens say beside the usual; a value of None leaves one out."""
    token: Callable[[dict[str, Any]], str] | None = None
    """Makes the ID token instead."""
    tokens: dict[str, Any] = field(default_factory=dict)
    """What it hands out beside the usual."""
    answer: Response | None = None
    """What every document and token request gets instead."""
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    held: asyncio.Event | None = None
    """While it is there and not set, answers wait for it."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Issuer]:
        routes = [
            Route("/.well-known/openid-configuration", self._metadata),
            Route("/jwks", self._keys),
            Route("/authorize", self._authorize, methods=["GET", "POST"]),
            Route("/token", self._token, methods=["POST"]),
            Route("/userinfo", self._userinfo),
        ]
        async with Server(Starlette(routes=routes)).running() as server:
            self.url = server.url
            yield self

    async def _said(self, name: str, usual: Any) -> Response:
        self.asked.append(name)
        if self.held is not None:
            await self.held.wait()
        return self.answer or Response(json.dumps(usual), media_type="application/json")

    async def _metadata(self, _request: Request) -> Response:
        usual = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/jwks",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "authorization_response_iss_parameter_supported": True,
        }
        return await self._said("metadata", {**usual, **self.metadata})

    async def _keys(self, _request: Request) -> Response:
        published = self.keys if self.keys is not None else [self.key.as_dict(private=False)]
        return await self._said("keys", {"keys": published})

    async def _authorize(self, request: Request) -> Response:
        asked = dict(request.query_params)
        if request.method == "GET":
            return HTMLResponse(
                f'<form method="post" action="{html.escape(str(request.url))}"><input name="login"></form>'
            )
        login = (await _form(request))["login"]
        code = secrets.token_urlsafe(16)
        self.codes[code] = {**asked, "sub": str(login)}
        back = {"code": code, "state": asked["state"], "iss": self.url}
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(back)}", 303)

    async def _token(self, request: Request) -> Response:
        form = await _form(request)
        scheme, _, pair = request.headers.get("authorization", "").partition(" ")
        asked = self.codes.pop(str(form.get("code")), None)
        proof = base64.urlsafe_b64encode(hashlib.sha256(str(form.get("code_verifier")).encode()).digest())
        if (
            asked is None
            or scheme != "Basic"
            or proof.rstrip(b"=").decode() != asked["code_challenge"]
            or form.get("redirect_uri") != asked["redirect_uri"]
            or base64.b64decode(pair) != b"autopilot-test:a%20secret%20of%2Fthe%20client%3A%20100%25"
        ):
            return JSONResponse({"error": "invalid_grant"}, 400)
        access = f"access-{asked['sub']}"
        claims = self.usual_claims(asked["sub"], asked["nonce"], access)
        token = self.token(claims) if self.token else self.signed(claims)
        usual = {"access_token": access, "token_type": "Bearer", "id_token": token}
        return await self._said("token", {**usual, **self.tokens})

    async def _userinfo(self, request: Request) -> Response:
        subject = request.headers["authorization"].removeprefix("Bearer access-")
        return await self._said("userinfo", {"sub": subject, **self.people[subject]})

    def usual_claims(self, subject: str, nonce: str, access: str) -> dict[str, Any]:
        now = int(time.time())
        half = base64.urlsafe_b64encode(hashlib.sha256(access.encode()).digest()[:16]).rstrip(b"=").decode()
        usual = {"iss": self.url, "aud": CLIENT_ID, "sub": subject, "nonce": nonce, "iat": now, "exp": now + 300}
        usual |= {"at_hash": half, **self.people[subject]}
        return {name: value for name, value in {**usual, **self.claims}.items() if value is not None}

    def signed(self, claims: dict[str, Any], **header: Any) -> str:
        algorithm = "ES256" if isinstance(self.key, ECKey) else "RS256"
        header = {"alg": algorithm, "kid": self.key.kid, **header}
        payload = json.dumps(claims).encode()  # whatever JSON can say, half a surrogate pair too
        return jws.serialize_compact(header, payload, self.key, algorithms=[header["alg"]])


async def _form(request: Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}


@dataclass
class NpmIssuer:
    """The certified provider, in a process of its own."""

    url: str
    people: People
    _file: Path

    def says(self) -> None:
        """Take up what was changed about the people."""
        self._file.write_text(json.dumps(self.people))


@asynccontextmanager
async def npm_issuer(folder: Path) -> AsyncIterator[NpmIssuer]:
    found, file = people(), folder / "people.json"
    environ = {"PATH": os.environ["PATH"], "PEOPLE": str(file), "OIDC_PROVIDER": str(NPM), "CALLBACK": CALLBACK}
    environ |= {"CLIENT_ID": CLIENT_ID, "CLIENT_SECRET": CLIENT_SECRET}
    file.write_text(json.dumps(found))
    process = await asyncio.create_subprocess_exec(
        "node", str(SCRIPT), env=environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(30):
            url = (await process.stdout.readline()).decode().strip()
        assert url.startswith("http://127.0.0.1:"), url
        yield NpmIssuer(url, found, file)
    finally:
        process.kill()
        await process.wait()


def settings_for(issuer: Issuer | NpmIssuer, **more: Any) -> ApiSettings:
    """Those of a server whose people sign in there."""
    usual: dict[str, Any] = {
        "public_url": PUBLIC_URL,
        "oidc_issuer": issuer.url,
        "oidc_client_id": CLIENT_ID,
        "oidc_client_secret": Secret(CLIENT_SECRET),
        "oidc_domains": "example.org",
        "oidc_name": "Example Corp",
        "sign_ins_per_minute": 6000.0,
    }
    return ApiSettings(**{**usual, **more})


class Browser:
    """A person's browser: cookies, redirects, forms. What goes to our public URL goes to the server under test."""

    def __init__(self, api: ServedApi) -> None:
        self._api = api
        self._client = httpx2.AsyncClient(trust_env=False, timeout=30)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def way_back(self, url: str, login: str) -> str:
        """Sign in at the provider; where it then sends the browser."""
        answer = await self._client.get(url)
        for _ in range(12):
            if answer.is_redirect:
                url = urljoin(str(answer.url), answer.headers["location"])
                if url.startswith(CALLBACK):
                    return url
                answer = await self._client.get(url)
                continue
            assert answer.status_code == 200, answer.text
            action = re.search(r'action="([^"]+)"', answer.text)
            assert action is not None, answer.text
            fields = dict(re.findall(r'type="hidden" name="(\w+)" value="(\w+)"', answer.text))
            fields |= {"login": login, "password": "any"}
            target = urljoin(str(answer.url), html.unescape(action[1]))
            answer = await self._client.post(target, data=fields)
        raise AssertionError("the provider does not come to an end")

    async def open(self, url: str) -> httpx2.Response:
        """Follow the provider's redirect to us; the page."""
        parts = urlsplit(url)
        return await self._api.client.get(f"{parts.path}?{parts.query}")


class Device:
    """A device that signs in with the provider."""

    def __init__(self, api: ServedApi) -> None:
        self.api = api
        self.verifier = secrets.token_bytes(32).hex()

    async def begin(self) -> str:
        challenge = hashlib.sha256(bytes.fromhex(self.verifier)).hexdigest()
        answer = await self.api.client.post("/api/auth/oidc", json={"challenge": challenge})
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]["url"]

    async def collect(self, code: str, **more: Any) -> httpx2.Response:
        body = {"verifier": self.verifier, "code": code, **more}
        return await self.api.client.post("/api/auth/oidc/collect", json=body)


async def proved(api: ServedApi, login: str) -> tuple[Device, httpx2.Response]:
    """A device's sign-in, as far as the page that the browser shows."""
    device = Device(api)
    async with Browser(api) as browser:
        page = await browser.open(await browser.way_back(await device.begin(), login))
    return device, page


def code_on(page: httpx2.Response) -> str:
    """What the page shows."""
    found = re.search(r"<code>([0-9 ]+)</code>", page.text)
    assert page.status_code == 200, page.text
    assert found is not None, page.text
    return found[1]


async def signed_in(api: ServedApi, login: str) -> dict[str, Any]:
    """A whole sign-in."""
    device, page = await proved(api, login)
    answer = await device.collect(code_on(page))
    assert answer.status_code == 200, answer.text
    return answer.json()


def asked_for(url: str) -> dict[str, str]:
    """The query of a URL."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
