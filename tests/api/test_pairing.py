"""Pairing: what is to be let in and who lets it in see the same words, and nobody between or beside them gets in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.api.served import EchoRuntime, ServedApi, bearer, serving

from autopilot.api.settings import Limits
from autopilot.client import Joiner, MemoryTokenStore, PairingTampered, RuntimeCodexClient
from autopilot.client.http import Http
from autopilot.client.pairing import Approver
from autopilot.client.pairing_words import commitment_of, fresh_nonce, words_of
from autopilot.contract import Pairing, PairingDevice
from autopilot.contract.errors import Conflict, Forbidden, NotFound, Unauthorized, Unprocessable

PHONE = PairingDevice(device_name="Ada's phone", device_platform="iOS 26", installation_id="inst-1")
MACHINE = PairingDevice(device_name="build box", device_platform="Linux 6", machine_id="machine-1")
RELAXED = Limits(pairing_tries_per_minute=6000.0, remember_seconds=0.0)


@pytest.fixture
async def api(database: str) -> AsyncIterator[ServedApi]:
    async with serving(database, EchoRuntime(), limits=RELAXED) as served:
        yield served


@asynccontextmanager
async def person(api: ServedApi, email: str = "ada@example.org") -> AsyncIterator[RuntimeCodexClient]:
    token = (await api.sign_in(email))["token"]
    async with RuntimeCodexClient(api.url, token) as client:
        yield client


@asynccontextmanager
async def joining(api: ServedApi, device: PairingDevice = PHONE) -> AsyncIterator[Joiner]:
    http = Http(api.url, tokens=None, surface="ios")
    try:
        yield Joiner(http, device)
    finally:
        await http.aclose()


async def compared(approver: Approver, joiner: Joiner) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What both screens show, once they can."""
    async with asyncio.timeout(30):
        while True:
            seen, asked = await approver.step(), await joiner.step()
            words, others = words_of(seen), words_of(asked)
            if words is not None and others is not None:
                return words, others


async def paired(api: ServedApi, client: RuntimeCodexClient, device: PairingDevice) -> MemoryTokenStore:
    approver, store = client.approver(), MemoryTokenStore()
    async with joining(api, device) as joiner:
        started = await approver.offer("machine" if device.machine_id else "device")
        await joiner.claim(started.secret)
        words, _ = await compared(approver, joiner)
        await approver.accept(words)
        await joiner.collect(store)
    return store


async def actions(api: ServedApi) -> list[str]:
    rows = await api.pool.fetch("select action from api.audit where action like 'pair%' order by audit_no")
    return [row["action"] for row in rows]


async def me(api: ServedApi, store: MemoryTokenStore) -> dict[str, Any]:
    held = store.load()
    assert held is not None
    answer = await api.client.get("/api/me", headers=bearer(held.access_token))
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize("by", ["secret", "code"])
async def test_a_phone_that_reads_the_secret_or_types_the_code_is_let_in_once_the_words_are_confirmed(
    api: ServedApi, by: str
):
    async with person(api) as client, joining(api) as joiner:
        approver, store = client.approver(), MemoryTokenStore()
        started = await approver.offer("device")
        assert (started.pairing.state, started.pairing.device, started.pairing.account) == ("open", None, None)
        claimed = await joiner.claim(started.secret if by == "secret" else f" {started.code.lower()} ")
        assert (claimed.account, claimed.device) == ("ada@example.org", PHONE)
        with pytest.raises(Conflict, match="confirmed"):
            await joiner.collect(store)
        words, others = await compared(approver, joiner)
        assert words == others
        assert len(words) == 4
        assert (await approver.accept(words)).state == "confirmed"
        assert (await approver.accept(words)).state == "confirmed"
        await joiner.collect(store)

        assert (await joiner.step()).state == (await approver.step()).state == "done"
        told = await me(api, store)
        assert told["user"]["email"] == "ada@example.org"
        assert told["scopes"] == ["administer", "observe"]
        assert (told["device"]["name"], told["device"]["surface"]) == ("Ada's phone", "ios")
    assert await actions(api) == ["pairing_started", "pairing_claimed", "pairing_confirmed", "paired"]


@pytest.mark.parametrize("by", ["secret", "code"])
async def test_a_machine_without_a_screen_asks_and_is_bound_to_its_id(api: ServedApi, by: str):
    async with person(api) as client, joining(api, MACHINE) as joiner:
        approver, store = client.approver(), MemoryTokenStore()
        started = await joiner.request("machine")
        assert started.pairing.account is None
        found = await approver.find(getattr(started, by))
        assert (found.device, found.device_address) == (MACHINE, "127.0.0.1")
        words, others = await compared(approver, joiner)
        assert words == others
        await approver.accept(words)
        made = await joiner.collect(store)

        told = await me(api, store)
        assert (told["scopes"], told["machine_id"], made.user.email) == (["execute"], "machine-1", "ada@example.org")
        (listed,) = [device for device in await client.devices() if device.machine_id]
        assert (listed.name, listed.surface, listed.scopes) == ("build box", "companion", ("execute",))
        await client.revoke_device(listed.device_id)
        held = store.load()
        assert held is not None
        assert (await api.client.get("/api/me", headers=bearer(held.access_token))).status_code == 401


async def test_nothing_is_let_in_without_a_fresh_proof_of_who_says_so(api: ServedApi):
    async with person(api) as client, joining(api) as joiner:
        approver = client.approver()
        await joiner.claim((await approver.offer("device")).secret)
        words, _ = await compared(approver, joiner)
        await api.pool.execute("update api.session set stepped_up_until = clock_timestamp() - interval '1 second'")
        with pytest.raises(Forbidden) as refused:
            await approver.accept(words)
        assert refused.value.reason_code == "step_up_required"
        assert (await approver.decline()).state == "declined"
        with pytest.raises(NotFound):
            await joiner.collect(MemoryTokenStore())


async def test_of_two_claimers_at_once_one_wins_and_the_other_learns_nothing(api: ServedApi):
    async with person(api) as client, joining(api) as joiner, joining(api) as thief:
        approver = client.approver()
        started = await approver.offer("device")
        answers = await asyncio.gather(
            joiner.claim(started.secret), thief.claim(started.secret), return_exceptions=True
        )

        (lost,) = [answer for answer in answers if isinstance(answer, NotFound)]
        (won,) = [answer for answer in answers if isinstance(answer, Pairing)]
        with pytest.raises(NotFound) as unknown:
            await thief.claim("appair_" + "x" * 27)
        assert (lost.message, lost.details) == (unknown.value.message, unknown.value.details)
        winner, loser = (joiner, thief) if isinstance(answers[0], Pairing) else (thief, joiner)
        assert won.pairing_id == started.pairing.pairing_id
        assert (await approver.step()).contested is True
        assert (await winner.claim(started.secret)).pairing_id == won.pairing_id
        for call in (loser.step(), loser.collect(MemoryTokenStore())):
            with pytest.raises(NotFound):
                await call
    assert "pairing_contested" in await actions(api)


async def test_who_stands_between_makes_the_words_differ(api: ServedApi):
    """It takes the honest phone's place at the server, and plays the server to the phone."""
    async with person(api) as client, joining(api) as between:
        approver = client.approver()
        await between.claim((await approver.offer("device")).secret)
        words, _ = await compared(approver, between)
        played = await between.step()
        honest_nonce, own_nonce = fresh_nonce(), fresh_nonce()
        to_the_phone = Pairing(
            pairing_id=played.pairing_id,
            way="offer",
            kind="device",
            state="compared",
            expires_at=played.expires_at,
            device=played.device,
            commitment=commitment_of(own_nonce),
            claimer_nonce=honest_nonce,
            starter_nonce=own_nonce,
            wrong_codes=0,
            contested=False,
        )
        assert words_of(to_the_phone) != words


async def test_a_side_that_reveals_another_nonce_than_it_committed_to_is_refused(api: ServedApi):
    async with person(api) as client, joining(api) as joiner:
        approver = client.approver()
        pairing_id = (await joiner.claim((await approver.offer("device")).secret)).pairing_id
        await joiner.step()
        approver.nonce = fresh_nonce()
        with pytest.raises((Unprocessable, PairingTampered)):
            await approver.step()
        state = await api.pool.fetchval("select state from api.pairing where pairing_id = $1", pairing_id)
        assert state == "answered"


async def test_a_nonce_is_taken_in_its_turn_and_once(api: ServedApi):
    async with person(api) as client, joining(api) as joiner:
        approver = client.approver()
        started = await approver.offer("device")
        path = f"/api/pairing/{started.pairing.pairing_id}/nonce"
        with pytest.raises(Conflict) as early:
            await approver.http.call("x", "POST", path, body={"nonce": approver.nonce})
        assert early.value.reason_code == "pairing_order"
        await joiner.claim(started.secret)
        await joiner.step()
        with pytest.raises(Conflict) as other:
            await joiner.http.call(
                "x", "POST", "/api/pairing/state", body={"ticket": joiner.ticket, "nonce": fresh_nonce()}
            )
        assert other.value.reason_code == "different_content"


async def test_five_wrong_codes_close_the_code_and_the_person_is_told_but_the_secret_stays_good(api: ServedApi):
    async with person(api) as client, joining(api) as joiner, joining(api) as thief:
        approver = client.approver()
        started = await approver.offer("device")
        locator = started.code[:4]
        wrong = [f"{locator}{'2' * 5}{last}" for last in "23456"]
        for code in wrong:
            with pytest.raises(NotFound):
                await thief.claim(code)
        with pytest.raises(NotFound):
            await thief.claim(started.code)
        assert (await approver.step()).wrong_codes == 6
        assert (await joiner.claim(started.secret)).state == "claimed"
    rows = await api.pool.fetch("select outcome, subject from api.audit where action = 'pairing_guessed'")
    assert [(row["outcome"], row["subject"]) for row in rows] == [("refused", f"pairing:{started.pairing.pairing_id}")]


async def test_an_address_is_let_try_ten_times_a_minute(database: str):
    async with serving(database, EchoRuntime()) as api:
        token = (await api.mint("ada@example.org")).token
        body = {"credential": "2345-678-9AB", "ticket": "1" * 64, "device": {}}
        tries = [api.client.post("/api/pairing/claim", json=body) for _ in range(30)]
        answers = await asyncio.gather(*tries)
        found = await api.client.post("/api/pairing/find", json=body, headers=bearer(token))

        statuses = [answer.status_code for answer in answers]
        assert Limits().pairing_tries_per_minute == 10
        assert statuses.count(404) >= 10
        assert statuses.count(429) >= 10
        assert found.json()["error"]["details"][0]["reason_code"] == "pairing_rate"


async def test_a_pairing_ends_after_five_minutes(api: ServedApi):
    async with person(api) as client, joining(api) as joiner, joining(api) as late:
        approver = client.approver()
        started = await approver.offer("device")
        life = await api.pool.fetchval("select extract(epoch from expires_at - created_at)::int from api.pairing")
        await joiner.claim(started.secret)
        words, _ = await compared(approver, joiner)
        await api.pool.execute("update api.pairing set expires_at = clock_timestamp()")

        assert life == 300
        for credential in (started.secret, started.code):
            with pytest.raises(NotFound):
                await late.claim(credential)
        with pytest.raises(Conflict) as over:
            await approver.accept(words)
        assert over.value.reason_code == "pairing_over"
        assert (await joiner.step()).state == (await approver.step()).state == "expired"
        await api.pool.execute("update api.pairing set expires_at = clock_timestamp() - interval '61 minutes'")
        await api.app.state.api.pairings.sweep()
        with pytest.raises(NotFound):
            await joiner.step()


async def test_another_user_neither_sees_nor_confirms_it(api: ServedApi):
    async with person(api) as client, person(api, "eve@example.org") as eve, joining(api) as joiner:
        approver = client.approver()
        started = await approver.offer("device")
        await joiner.claim(started.secret)
        words, _ = await compared(approver, joiner)
        path = f"/api/pairing/{started.pairing.pairing_id}"
        http = eve.approver().http
        decision = {"accept": True, "words": " ".join(words)}
        for method, rest, body in (
            ("GET", "", None),
            ("POST", "/nonce", {"nonce": fresh_nonce()}),
            ("POST", "/decision", decision),
        ):
            with pytest.raises(NotFound):
                await http.call("x", method, path + rest, body=body)
        for credential in (started.secret, started.code):
            with pytest.raises(NotFound):
                await eve.approver().find(credential)
        assert (await approver.step()).state == "compared"
        with pytest.raises(Conflict) as differ:
            await approver.accept((*words[:3], "zebra" if words[3] != "zebra" else "acid"))
        assert differ.value.reason_code == "words_differ"


async def test_a_request_that_one_user_found_is_lost_to_every_other(api: ServedApi):
    async with person(api) as client, person(api, "eve@example.org") as eve, joining(api, MACHINE) as joiner:
        started = await joiner.request("machine")
        await eve.approver().find(started.code)
        with pytest.raises(NotFound):
            await client.approver().find(started.code)
        seen = await joiner.step()
        assert (seen.account, seen.contested) == ("eve@example.org", True)


async def test_a_lost_answer_is_given_again_until_its_tokens_are_used(api: ServedApi):
    async with person(api) as client, joining(api) as joiner:
        approver, first, second = client.approver(), MemoryTokenStore(), MemoryTokenStore()
        started = await approver.offer("device")
        await joiner.claim(started.secret)
        words, _ = await compared(approver, joiner)
        await approver.accept(words)
        made, again = await joiner.collect(first), await joiner.collect(second)
        assert (made.token, made.refresh_token) == (again.token, again.refresh_token)
        assert len(await client.devices()) == 2
        with pytest.raises(NotFound):
            await joiner.http.call(
                "x", "POST", "/api/pairing/collect", body={"ticket": fresh_nonce(), "credential": started.secret}
            )
        with pytest.raises(NotFound):
            await joiner.http.call(
                "x", "POST", "/api/pairing/collect", body={"ticket": joiner.ticket, "credential": "appair_wrong"}
            )
        await api.client.post("/api/auth/refresh", json={"refresh_token": made.refresh_token})
        with pytest.raises(NotFound):
            await joiner.collect(second)


@pytest.mark.parametrize("device", [PHONE, MACHINE], ids=["phone", "machine"])
async def test_what_is_paired_again_stays_one_device_and_its_old_session_ends(api: ServedApi, device: PairingDevice):
    async with person(api) as client:
        first = await paired(api, client, device)
        known = (await me(api, first))["device"]["device_id"]
        second = await paired(api, client, device)

        assert (await me(api, second))["device"]["device_id"] == known
        assert len(await client.devices()) == 2
        held = first.load()
        assert held is not None
        assert (await api.client.get("/api/me", headers=bearer(held.access_token))).status_code == 401
        refreshed = await api.client.post("/api/auth/refresh", json={"refresh_token": held.refresh_token})
        assert refreshed.status_code == 401
        assert not [call for call in api.runtime.calls if call.path.endswith("/revoked")]
    async with person(api, "eve@example.org") as eve:
        third = await paired(api, eve, device)
        assert (await me(api, third))["device"]["device_id"] != known
        assert (await me(api, second))["device"]["device_id"] == known


async def test_revoking_a_device_ends_what_it_may_have_confirmed(api: ServedApi):
    async with person(api) as thief, person(api) as owner, joining(api) as joiner:
        approver = thief.approver()
        await joiner.claim((await approver.offer("device")).secret)
        words, _ = await compared(approver, joiner)
        await approver.accept(words)
        await owner.revoke_other_devices()

        with pytest.raises(NotFound):
            await joiner.collect(MemoryTokenStore())


async def test_a_refresh_token_that_comes_back_ends_what_its_session_may_have_confirmed(api: ServedApi):
    signed = await api.sign_in("ada@example.org")
    async with person(api) as thief, joining(api) as joiner:
        approver = thief.approver()
        await joiner.claim((await approver.offer("device")).secret)
        words, _ = await compared(approver, joiner)
        await approver.accept(words)
        for _ in range(2):
            await api.client.post("/api/auth/refresh", json={"refresh_token": signed["refresh_token"]})
            await api.pool.execute("update api.refresh_token set replaced_at = replaced_at - interval '61 seconds'")

        with pytest.raises(NotFound):
            await joiner.collect(MemoryTokenStore())


async def test_a_ticket_of_no_pairing_leaves_no_line_for_ever(api: ServedApi):
    body = {"ticket": "0" * 64, "credential": "appair_" + "x" * 27}
    assert (await api.client.post("/api/pairing/collect", json=body)).status_code == 404
    assert await actions(api) == []


@pytest.mark.parametrize("declined", [False, True])
async def test_only_so_many_are_under_way(api: ServedApi, *, declined: bool):
    async with person(api) as client:
        for _ in range(10):
            approver = client.approver()
            await approver.offer("device")
            if declined:
                await approver.decline()
        answer = await api.client.post(
            "/api/pairing",
            json={"kind": "device", "commitment": "0" * 64},
            headers=bearer((await api.sign_in("ada@example.org"))["token"]),
        )
        assert answer.json()["error"]["details"][0]["reason_code"] == "too_many_pairings"


@pytest.mark.parametrize("way", ["offer", "request"])
async def test_so_many_are_under_way_also_where_they_are_begun_at_once(api: ServedApi, way: str):
    token = (await api.sign_in("ada@example.org"))["token"]

    async def begin(number: int) -> int:
        body: dict[str, Any] = {"kind": "device", "commitment": "0" * 64}
        if way == "offer":
            return (await api.client.post("/api/pairing", json=body, headers=bearer(token))).status_code
        body |= {"ticket": f"{number:064x}", "device": {"device_name": "Phone"}}
        return (await api.client.post("/api/pairing/request", json=body)).status_code

    statuses = await asyncio.gather(*map(begin, range(25)))

    assert sorted(statuses) == [200] * 10 + [429] * 15


@pytest.mark.parametrize("scope", ["observe", "execute"])
async def test_who_only_observes_or_executes_lets_nobody_in(api: ServedApi, scope: str):
    rest = {"machine_id": "m", "surface": "companion"} if scope == "execute" else {}
    token = (await api.mint("ada@example.org", scope, **rest)).token
    for path in ("", "/find", "/pair_x/nonce", "/pair_x/decision"):
        answer = await api.client.post(f"/api/pairing{path}", json={}, headers=bearer(token))
        assert answer.status_code == 403
    assert (await api.client.get("/api/pairing/pair_x", headers=bearer(token))).status_code == 403


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/request", {"kind": "robot"}, "kind"),
        ("/request", {"kind": "machine"}, "device.machine_id"),
        ("/request", {"commitment": "ABC"}, "commitment"),
        ("/request", {"ticket": "0" * 63}, "ticket"),
        ("/request", {"device": {"device_name": "two\nlines"}}, "device.device_name"),
        ("/request", {"device": {"machine_id": "a b"}}, "device.machine_id"),
        ("/claim", {"credential": "x" * 129}, "credential"),
        ("/state", {"nonce": "zz"}, "nonce"),
    ],
)
async def test_what_makes_no_sense_is_refused_by_field(api: ServedApi, path: str, body: dict[str, Any], field: str):
    whole = {"kind": "device", "commitment": "0" * 64, "ticket": "1" * 64, "device": {}, "credential": "x", **body}
    answer = await api.client.post(f"/api/pairing{path}", json=whole)
    assert (answer.status_code, answer.json()["error"]["details"][0]["field"]) == (422, field)


async def test_no_secret_is_stored_audited_logged_or_in_a_path(
    api: ServedApi, caplog: pytest.LogCaptureFixture, capfd: Any
):
    async with person(api) as client, joining(api) as joiner:
        approver, store = client.approver(), MemoryTokenStore()
        started = await approver.offer("device")
        await joiner.claim(started.secret)
        words, _ = await compared(approver, joiner)
        await approver.accept(words)
        made = await joiner.collect(store)
    tables = [
        row["tablename"] for row in await api.pool.fetch("select tablename from pg_tables where schemaname = 'api'")
    ]
    kept = "".join([str(await api.pool.fetch(f"select t::text from api.{table} t")) for table in tables])
    audited = json.dumps([call.body.decode() for call in api.runtime.audited])
    printed = capfd.readouterr()
    for secret in (started.secret, started.code, started.code.replace("-", ""), joiner.ticket, made.token):
        for place in (kept, audited, caplog.text, printed.out, printed.err):
            assert secret not in place
    assert started.pairing.pairing_id in kept


async def test_a_device_that_was_revoked_at_one_node_lets_nobody_in_at_another_that_remembers_it(database: str):
    limits = Limits(pairing_tries_per_minute=6000.0, remember_seconds=3600.0)
    async with (
        serving(database, EchoRuntime(), limits=RELAXED) as node,
        serving(database, EchoRuntime(), limits=limits) as late,
    ):
        stolen = (await node.sign_in("ada@example.org"))["token"]
        async with (
            person(node) as owner,
            RuntimeCodexClient(late.url, stolen) as thief,
            joining(late) as joiner,
        ):
            stolen_id = next(device.device_id for device in await thief.devices() if device.current)
            await owner.revoke_device(stolen_id)
            approver = thief.approver()
            await joiner.claim((await approver.offer("device")).secret)
            words, _ = await compared(approver, joiner)

            with pytest.raises(Unauthorized):
                await approver.accept(words)
            assert len(await owner.devices()) == 1
