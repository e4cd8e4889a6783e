"""A person with passkeys at a served API, for the tests about them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
from tests.api.served import EchoRuntime, ServedApi, bearer, serving
from tests.authenticator import SoftPasskey

from autopilot.api.settings import ApiSettings, Limits

ADA, EVE = "ada@example.org", "eve@example.org"
BASE = "/api/auth/passkeys"


@asynccontextmanager
async def served(database: str, **rest: Any) -> AsyncIterator[ServedApi]:
    """Nothing of a token is remembered: what the database says holds at once."""
    settings = ApiSettings(sign_ins_per_minute=6000.0, sign_up="open", **rest)
    async with serving(database, EchoRuntime(), settings=settings, limits=Limits(remember_seconds=0.0)) as api:
        yield api


def origin(api: ServedApi, site: str = "localhost") -> str:
    """Where a page of this server is, as its browser says."""
    return api.url.replace("127.0.0.1", site) if site == "localhost" else f"https://{site}"


def reason(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["details"][0]["reason_code"]


@dataclass
class Passkeyed:
    """A signed-in person."""

    api: ServedApi
    token: str
    refresh_token: str = ""

    @classmethod
    async def sign_in(cls, api: ServedApi, email: str = ADA) -> Passkeyed:
        signed = await api.sign_in(email)
        return cls(api, signed["token"], signed["refresh_token"])

    async def post(self, path: str, body: Any = None) -> httpx2.Response:
        return await self.api.client.post(path, json=body or {}, headers=bearer(self.token))

    async def list(self) -> list[dict[str, Any]]:
        answer = await self.api.client.get(BASE, headers=bearer(self.token))
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    async def asked(self) -> dict[str, Any]:
        """The question for a new passkey."""
        answer = await self.post(f"{BASE}/register/options")
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    async def registered(self, passkey: SoftPasskey | None = None, name: str | None = None) -> SoftPasskey:
        asked = await self.asked()
        passkey = passkey or SoftPasskey(origin(self.api, asked["options"]["rp"]["id"]))
        body = {"ceremony": asked["ceremony"], "credential": passkey.create(asked["options"]), "name": name}
        answer = await self.post(f"{BASE}/register", body)
        assert answer.status_code == 200, answer.text
        return passkey

    async def step_up(self, **body: Any) -> httpx2.Response:
        return await self.post("/api/auth/step-up", {"method": "passkey", **body})

    async def is_stepped_up(self) -> bool:
        me = await self.api.client.get("/api/me", headers=bearer(self.token))
        return me.json()["stepped_up_until"] is not None


async def asked_to_sign_in(api: ServedApi) -> dict[str, Any]:
    answer = await api.client.post(f"{BASE}/sign-in/options")
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


async def sign_in(
    api: ServedApi, passkey: SoftPasskey, asked: dict[str, Any] | None = None, **rest: Any
) -> httpx2.Response:
    asked = asked or await asked_to_sign_in(api)
    body = {"ceremony": asked["ceremony"], "credential": passkey.get(asked["options"]), **rest}
    return await api.client.post(f"{BASE}/sign-in", json=body, headers={"x-autopilot-surface": "web"})


async def expire_step_ups(api: ServedApi) -> None:
    await api.pool.execute(
        "update api.session set stepped_up_until = clock_timestamp() where stepped_up_until is not null"
    )


async def lines(api: ServedApi, action: str) -> list[dict[str, Any]]:
    return [dict(row) for row in await api.pool.fetch("select * from api.audit where action = $1", action)]
