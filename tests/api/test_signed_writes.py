"""A device with a key signs its writes: a stolen bearer token alone reads, and changes nothing."""

from __future__ import annotations

import hashlib
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from starlette.routing import Route
from tests.api.served import EchoRuntime, ServedApi, bearer, serving

from autopilot.api.http import paths
from autopilot.api.settings import Limits
from autopilot.client import MemoryTokenStore, RuntimeCodexClient, Session
from autopilot.client.write_signer import WriteSigner
from autopilot.contract import openapi
from autopilot.contract.errors import Unauthorized
from autopilot.contract.write_signature import HEADER, SKEW_SECONDS

ADA = "ada@example.org"
WRITE = "/api/runtime/codex/workers/w/requests?wait_ms=0"
BODY = b'{"request":{"request_id":"r","method":"turn/start"}}'
OPEN = {
    path for path, calls in openapi.document()["paths"].items() if "post" in calls and not calls["post"].get("security")
}
"""What nobody needs a token for, by the contract's own word."""


@pytest.fixture
async def api(database: str) -> AsyncIterator[ServedApi]:
    async with serving(database, EchoRuntime(), limits=Limits(remember_seconds=0.0)) as served:
        yield served


class Phone:
    """A signed-in device with a key, by hand: what an SDK does can be left out or done wrongly."""

    def __init__(self, api: ServedApi, seed: bytes = b"p" * 32) -> None:
        self.api = api
        self.signer = WriteSigner(seed, lambda: datetime.now(UTC))
        self.token = ""

    async def sign_in(self) -> Phone:
        self.token = (await self.api.sign_in(ADA))["token"]
        answer = await self.write(
            "/api/devices/key", httpx2.Request("POST", self.api.url, json={"public_key": self.public}).content
        )
        assert answer.status_code == 200, answer.text
        assert answer.json()["data"]["signs"] is True
        return self

    @property
    def public(self) -> str:
        return self.signer._public.hex()

    def signature(self, path: str = WRITE, body: bytes = BODY, method: str = "POST") -> str:
        return self.signer.sign(method, path.encode(), body)

    async def write(
        self, path: str = WRITE, body: bytes = BODY, *, signature: str | None = "", api: ServedApi | None = None
    ) -> httpx2.Response:
        """`signature`: empty: the right one; None: none."""
        made = self.signature(path, body) if signature == "" else signature
        headers = bearer(self.token) | {"content-type": "application/json"} | ({HEADER: made} if made else {})
        return await (api or self.api).client.post(path, content=body, headers=headers)


def refused(answer: httpx2.Response, reason_code: str) -> dict[str, Any]:
    assert answer.status_code == 401, answer.text
    detail = answer.json()["error"]["details"][0]
    assert detail["reason_code"] == reason_code
    return detail


async def test_a_stolen_token_reads_and_changes_nothing(api: ServedApi):
    phone = await Phone(api).sign_in()

    read = await api.client.get("/api/runtime/codex/workers", headers=bearer(phone.token))
    assert read.status_code == 200
    reached = len(api.runtime.calls)
    refused(await phone.write(signature=None), "signature_missing")
    refused(await phone.write("/api/auth/signout", b"", signature=None), "signature_missing")
    refused(await phone.write("/api/devices/revoke-others", b"", signature=None), "signature_missing")
    thief = Phone(api, b"t" * 32)
    refused(await phone.write(signature=thief.signature()), "signature_wrong")
    assert len(api.runtime.calls) == reached
    assert (await phone.write()).status_code == 200
    lines = await api.pool.fetch("select detail from api.audit where action = 'write_refused' order by audit_no")
    assert ["missing" in line["detail"] for line in lines] == [True, True, True, False]


async def test_every_write_of_the_api_is_held_to_it(api: ServedApi):
    """What is refused is enumerated from the app itself: a route that forgets the check is found here."""
    phone = await Phone(api).sign_in()
    served = [
        route.path
        for route in api.app.routes
        if isinstance(route, Route) and "POST" in (route.methods or ()) and route.path not in OPEN
    ]
    forwarded = [paths.BASE + path for methods, path, _ in paths.TABLE if "POST" in methods.split()]
    assert {"/api/auth/email", "/api/auth/verify", "/api/auth/refresh"} <= OPEN
    assert len(served) > 5
    assert len(forwarded) > 15
    for path in [*served, *forwarded]:
        answer = await phone.write(path.replace("{", "").replace("}", ""), b"{}", signature=None)
        refused(answer, "signature_missing")


async def test_a_signature_is_good_for_one_call_and_no_other(api: ServedApi):
    phone = await Phone(api).sign_in()

    others = (
        phone.signature(path="/api/runtime/codex/workers/v/requests?wait_ms=0"),
        phone.signature(path=WRITE.partition("?")[0]),
        phone.signature(body=BODY + b" "),
        phone.signature(method="PUT"),
    )
    for signature in (*others, "v1", "x" * 300, phone.signature().replace("v1", "v2"), phone.signature().upper()):
        refused(await phone.write(signature=signature), "signature_wrong")
    two = httpx2.Headers([*bearer(phone.token).items(), (HEADER, phone.signature()), (HEADER, phone.signature())])
    refused(await api.client.post(WRITE, content=BODY, headers=two), "signature_wrong")


async def test_a_replayed_write_is_refused_at_every_node(database: str):
    async with AsyncExitStack() as stack:
        first, second = [await stack.enter_async_context(serving(database, EchoRuntime())) for _ in range(2)]
        phone = await Phone(first).sign_in()
        signature = phone.signature()

        assert (await phone.write(signature=signature)).status_code == 200
        refused(await phone.write(signature=signature), "signature_replayed")
        refused(await phone.write(signature=signature, api=second), "signature_replayed")
        assert len(second.runtime.calls) == 0
        assert (await phone.write(api=second)).status_code == 200


@pytest.mark.parametrize("off_seconds", [-SKEW_SECONDS - 30, SKEW_SECONDS + 30])
async def test_a_clock_that_is_off_is_told_the_servers_time_and_nothing_is_done(api: ServedApi, off_seconds: int):
    phone = await Phone(api).sign_in()
    wrong = WriteSigner(b"p" * 32, lambda: datetime.now(UTC) + timedelta(seconds=off_seconds))
    reached = len(api.runtime.calls)

    detail = refused(await phone.write(signature=wrong.sign("POST", WRITE.encode(), BODY)), "signature_expired")

    assert detail["skew_seconds"] == SKEW_SECONDS
    assert abs(datetime.fromisoformat(detail["server_time"]).timestamp() - time.time()) < 60
    assert len(api.runtime.calls) == reached
    assert wrong.keep_to(detail["server_time"])
    assert (await phone.write(signature=wrong.sign("POST", WRITE.encode(), BODY))).status_code == 200


async def test_a_nonce_is_kept_for_as_long_as_its_signature_is_taken(api: ServedApi):
    await Phone(api).sign_in()
    left = await api.pool.fetchval(
        "select extract(epoch from expires_at - clock_timestamp())::float8 from api.signature_nonce"
    )
    assert left > SKEW_SECONDS

    await api.app.state.api.signatures.sweep()
    assert await api.pool.fetchval("select count(*) from api.signature_nonce") == 1
    await api.pool.execute("update api.signature_nonce set expires_at = clock_timestamp()")
    await api.app.state.api.signatures.sweep()
    assert await api.pool.fetchval("select count(*) from api.signature_nonce") == 0


async def test_a_key_is_registered_by_who_holds_it_after_a_step_up_and_never_replaced(api: ServedApi):
    phone, thief = Phone(api), Phone(api, b"t" * 32)
    phone.token = (await api.sign_in(ADA))["token"]
    body = httpx2.Request("POST", api.url, json={"public_key": phone.public}).content

    refused(await phone.write("/api/devices/key", body, signature=None), "signature_missing")
    refused(
        await phone.write("/api/devices/key", body, signature=thief.signature("/api/devices/key", body)),
        "signature_wrong",
    )
    await api.pool.execute("update api.session set stepped_up_until = clock_timestamp()")
    stale = await phone.write("/api/devices/key", body)
    assert (stale.status_code, stale.json()["error"]["details"][0]["reason_code"]) == (403, "step_up_required")
    await api.pool.execute("update api.session set stepped_up_until = clock_timestamp() + interval '1 minute'")
    assert (await phone.write("/api/devices/key", body)).status_code == 200
    thief.token = phone.token
    theirs = httpx2.Request("POST", api.url, json={"public_key": thief.public}).content
    refused(await thief.write("/api/devices/key", theirs), "signature_wrong")
    answer = await phone.write("/api/devices/key", theirs)
    assert (answer.status_code, answer.json()["error"]["details"][0]["reason_code"]) == (409, "has_key")
    assert await api.pool.fetchval("select count(*) from api.audit where action = 'device_key_registered'") == 1


@pytest.mark.parametrize("key", ["", "ab", "zz" * 32, "ab" * 33, 7])
async def test_what_is_no_key_is_refused(api: ServedApi, key: Any):
    phone = Phone(api)
    phone.token = (await api.sign_in(ADA))["token"]
    body = httpx2.Request("POST", api.url, json={"public_key": key}).content
    assert (await phone.write("/api/devices/key", body)).status_code == 422
    said = {"email": ADA, "code": await api.code_for(ADA), "public_key": key}
    assert (await api.client.post("/api/auth/verify", json=said)).status_code == 422


async def test_a_session_without_a_key_signs_nothing_and_no_nonce_is_kept(api: ServedApi):
    phone = Phone(api)
    phone.token = (await api.sign_in(ADA))["token"]

    assert (await phone.write(signature=None)).status_code == 200
    assert (await phone.write(signature="nonsense")).status_code == 200
    assert await api.pool.fetchval("select count(*) from api.signature_nonce") == 0


async def test_the_sdk_signs_by_itself_survives_rotation_and_a_clock_that_is_off(api: ServedApi):
    store = MemoryTokenStore()
    async with Session(api.url, store) as session, RuntimeCodexClient(api.url, session) as client:
        await session.verify(await api.code_for(ADA), email=ADA, with_key=True)
        held = store.load()
        assert held is not None
        assert held.device_key is not None
        assert held.device_key not in repr(held)
        (device,) = await client.devices()
        assert device.signs is True
        assert (await client.rename_device(device.device_id, "Phone")).name == "Phone"
        await session.renew(held.access_token)
        assert session.keep_to("2020-01-01T00:00:00Z")
        assert (await client.rename_device(device.device_id, "Old phone")).name == "Old phone"
        with pytest.raises(Unauthorized, match="signs its writes"):
            async with RuntimeCodexClient(api.url, await session.access_token()) as thief:
                await thief.revoke_other_devices()
        await session.sign_out()
    assert await api.pool.fetchval("select end_reason from api.session") == "signed_out"


async def test_anybody_can_sign_from_the_protocol_alone(api: ServedApi):
    phone = await Phone(api).sign_in()
    key = Ed25519PrivateKey.from_private_bytes(b"p" * 32)
    public = key.public_key().public_bytes_raw().hex()
    now, nonce = int(time.time()), "0123456789abcdef" * 2
    lines = ["autopilot write v1", public, str(now), nonce, "POST", WRITE, hashlib.sha256(BODY).hexdigest()]
    signature = key.sign("\n".join(lines).encode()).hex()

    assert (await phone.write(signature=f"v1 time={now} nonce={nonce} sig={signature}")).status_code == 200
