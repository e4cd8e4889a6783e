"""Tokens are rotated once at a time, stored before they are used, and their end is told."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import stat
import sys
from dataclasses import replace
from datetime import timedelta

import httpx2
import pytest

from autopilot.client import Credentials, FileTokenStore, MemoryTokenStore, RuntimeCodexClient, Session, SignInAgain
from autopilot.contract.errors import NetworkError, Unauthorized, UnknownError
from autopilot.contract.write_signature import HEADER
from autopilot.testing.clock import FakeClock

BASE = "http://api.test"


class Accounts:
    """The sign-in calls with rotating refresh tokens: the reuse of an old one ends the session."""

    def __init__(self):
        self.access, self.refresh = "access-0", "refresh-0"
        self.rotations = 0
        self.over = False
        self.down = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.asked = asyncio.Event()
        self.paths = []
        self.signatures = []

    async def __call__(self, request):
        self.paths.append(request.url.path)
        self.signatures.append(request.headers.get(HEADER))
        self.asked.set()
        await self.gate.wait()
        if self.down:
            raise httpx2.ConnectError("down")
        body = json.loads(request.content) if request.content else {}
        match request.url.path:
            case "/api/auth/refresh":
                if self.over or body["refresh_token"] != self.refresh:
                    self.over = True
                    return refusal("sign_in_again")
                self.rotations += 1
                self.access, self.refresh = f"access-{self.rotations}", f"refresh-{self.rotations}"
                return self.signed_in()
            case "/api/auth/email":
                return httpx2.Response(200, json={"ok": True})
            case "/api/auth/verify":
                return self.signed_in() if body["code"] == "123456" else refusal("code")
        if request.headers.get("authorization") != f"Bearer {self.access}" or self.over:
            return refusal("unknown_token")
        return httpx2.Response(200, json={"ok": True, "data": []})

    def signed_in(self):
        user = {"id": 7, "email": "ada@example.com"}
        tokens = {"token": self.access, "refresh_token": self.refresh, "expires_in": 900}
        return httpx2.Response(200, json={"ok": True, "userId": 7, "user": user, **tokens})


def refusal(reason):
    details = [{"reason_code": reason}]
    return httpx2.Response(401, json={"error": {"code": "unauthorized", "message": "no", "details": details}})


@pytest.fixture
def accounts():
    return Accounts()


@pytest.fixture
def clock():
    return FakeClock()


def held(clock, number=0, *, lives_seconds=900):
    return Credentials(
        access_token=f"access-{number}",
        refresh_token=f"refresh-{number}",
        expires_at=clock.now() + timedelta(seconds=lives_seconds),
        user_id=7,
        email="ada@example.com",
        base_url=BASE,
    )


def session_of(accounts, store, clock):
    return Session(BASE, store, transport=httpx2.MockTransport(accounts), clock=clock)


async def test_a_code_signs_in_and_is_remembered(accounts, clock):
    store = MemoryTokenStore()
    async with session_of(accounts, store, clock) as session:
        states = []
        session.on_state(lambda state: states.append(state.kind))
        assert session.state.kind == "signed_out"
        await session.request_code("ada@example.com")
        user = await session.verify("123456", email="ada@example.com")

        assert (user.id, user.email) == (7, "ada@example.com")
        assert states == ["signed_in"]
        assert await session.access_token() == "access-0"
    assert store.load() == replace(held(clock), lives_seconds=900)


async def test_a_wrong_code_changes_nothing(accounts, clock):
    async with session_of(accounts, MemoryTokenStore(), clock) as session:
        with pytest.raises(Unauthorized):
            await session.verify("000000")
        assert session.state.kind == "signed_out"


async def test_a_token_is_replaced_before_it_ends(accounts, clock):
    store = MemoryTokenStore(held(clock))
    async with session_of(accounts, store, clock) as session:
        assert await session.access_token() == "access-0"
        await clock.advance(900 - 60 + 1)

        assert await session.access_token() == "access-1"
        assert store.load().refresh_token == "refresh-1"


async def test_a_token_that_lives_shorter_than_most_is_not_replaced_at_every_call(accounts, clock):
    store = MemoryTokenStore(replace(held(clock, lives_seconds=40), lives_seconds=40))
    async with session_of(accounts, store, clock) as session:
        assert await session.access_token() == "access-0"
        await clock.advance(40 * 0.75 + 1)

        assert await session.access_token() == "access-1"


@pytest.mark.parametrize("status", [401, 403, 404])
async def test_no_session_ends_by_a_page_that_somebody_else_answers_in_the_servers_place(accounts, clock, status):
    store = MemoryTokenStore(held(clock))
    behind = Behind(accounts)
    async with Session(BASE, store, transport=httpx2.MockTransport(behind), clock=clock) as session:
        behind.status = status
        with pytest.raises(UnknownError):
            await session.renew("access-0")
        assert session.state.kind == "signed_in"
        behind.status = None

        assert await session.renew("access-0") == "access-1"


class Behind:
    """Accounts behind something that says no in their name, while it has a status."""

    def __init__(self, accounts):
        self.accounts = accounts
        self.status = None

    def __call__(self, request):
        return self.accounts(request) if self.status is None else httpx2.Response(self.status, html="<h1>No</h1>")


async def test_whoever_was_signed_out_goes_on_with_what_another_process_stored(accounts, clock):
    store = MemoryTokenStore(held(clock))
    accounts.over = True
    async with session_of(accounts, store, clock) as session:
        states = []
        session.on_state(lambda state: states.append(state.kind))
        with pytest.raises(SignInAgain):
            await session.renew("access-0")
        store.save(held(clock, 1))

        assert await session.renew("access-0") == "access-1"
        assert states == ["signed_out", "signed_in"]


async def test_when_refreshing_fails_for_now_what_is_held_is_tried(accounts, clock):
    accounts.down = True
    async with session_of(accounts, MemoryTokenStore(held(clock, lives_seconds=30)), clock) as session:
        async with asyncio.TaskGroup() as group:
            asking = group.create_task(session.access_token())
            for _ in range(4):
                await clock.advance(10)
        assert asking.result() == "access-0"
        assert session.state.kind == "signed_in"


async def test_many_refusals_at_once_make_one_refresh(accounts, clock):
    accounts.access = "access-now"  # the one held is refused
    async with (
        session_of(accounts, MemoryTokenStore(held(clock)), clock) as session,
        RuntimeCodexClient(BASE, session, transport=httpx2.MockTransport(accounts), clock=clock) as client,
    ):
        await asyncio.gather(*[client.machines() for _ in range(20)])

    assert accounts.rotations == 1


async def test_two_processes_with_one_file_make_one_refresh(accounts, clock, tmp_path):
    path = tmp_path / "credentials.json"
    FileTokenStore(path).save(held(clock))
    accounts.access = "access-now"
    sessions = [session_of(accounts, FileTokenStore(path), clock) for _ in range(5)]
    async with asyncio.TaskGroup() as group:
        renewals = [group.create_task(session.renew("access-0")) for session in sessions]
        for _ in range(200):
            await clock.advance(0.025)

    assert {renewal.result() for renewal in renewals} == {"access-1"}
    assert accounts.rotations == 1
    for session in sessions:
        await session.aclose()


async def test_a_refresh_that_was_begun_is_stored_though_its_caller_is_cancelled(accounts, clock):
    store = MemoryTokenStore(held(clock))
    accounts.gate.clear()
    async with session_of(accounts, store, clock) as session, asyncio.TaskGroup() as group:
        renewal = group.create_task(session.renew("access-0"))
        await accounts.asked.wait()
        renewal.cancel()
        await asyncio.sleep(0)
        assert not renewal.done()
        accounts.gate.set()
        await asyncio.wait({renewal})

        assert renewal.cancelled()
        assert store.load().refresh_token == accounts.refresh == "refresh-1"


async def test_a_refresh_without_an_answer_holds_a_cancellation_up_for_a_moment_only(accounts, clock):
    accounts.gate.clear()
    async with session_of(accounts, MemoryTokenStore(held(clock)), clock) as session, asyncio.TaskGroup() as group:
        renewal = group.create_task(session.renew("access-0"))
        await accounts.asked.wait()
        renewal.cancel()
        await clock.advance(0.9)
        assert not renewal.done()
        await clock.advance(0.2)
        assert renewal.cancelled()


async def test_the_end_of_a_session_is_told_once(accounts, clock):
    accounts.over = True
    async with session_of(accounts, MemoryTokenStore(held(clock)), clock) as session:
        states = []
        session.on_state(states.append)
        for _ in range(2):
            with pytest.raises(SignInAgain):
                await session.renew("access-0")

    assert [state.kind for state in states] == ["signed_out"]
    assert accounts.paths == ["/api/auth/refresh"], "a refused token is not offered again"
    assert states[0].reason.reason_code == "sign_in_again"


async def test_nobody_signed_in_needs_a_person(accounts, clock):
    async with session_of(accounts, MemoryTokenStore(), clock) as session:
        with pytest.raises(SignInAgain):
            await session.access_token()


async def test_tokens_never_go_to_another_installation(accounts, clock):
    store = MemoryTokenStore(held(clock))
    async with Session("http://other.test", store, transport=httpx2.MockTransport(accounts), clock=clock) as session:
        with pytest.raises(SignInAgain):
            await session.access_token()
    assert accounts.paths == []


async def test_signing_out_forgets_here_even_when_the_server_is_away(accounts, clock):
    accounts.down = True
    store = MemoryTokenStore(held(clock))
    async with session_of(accounts, store, clock) as session, asyncio.TaskGroup() as group:

        async def sign_out():
            with pytest.raises(NetworkError):
                await session.sign_out()

        group.create_task(sign_out())
        for _ in range(4):
            await clock.advance(10)

        assert session.state.kind == "signed_out"
    assert store.load() is None


async def test_signing_out_tells_the_server(accounts, clock):
    async with session_of(accounts, MemoryTokenStore(held(clock)), clock) as session:
        await session.sign_out()
        with pytest.raises(SignInAgain):
            await session.access_token()
    assert accounts.paths == ["/api/auth/signout"]


async def test_signing_out_with_a_token_that_is_over_ends_the_session_all_the_same(accounts, clock):
    accounts.access = "another, the one that is held is over"
    store = MemoryTokenStore(held(clock))
    async with session_of(accounts, store, clock) as session:
        await session.sign_out()
    assert accounts.paths == ["/api/auth/signout", "/api/auth/refresh", "/api/auth/signout"]
    assert accounts.rotations == 1
    assert store.load() is None


async def test_signing_out_of_a_session_that_is_over_is_done(accounts, clock):
    accounts.over = True
    store = MemoryTokenStore(held(clock))
    async with session_of(accounts, store, clock) as session:
        await session.sign_out()
        assert accounts.paths == ["/api/auth/signout", "/api/auth/refresh"]
        store.save(held(clock))
        with pytest.raises(SignInAgain):
            await session.renew("access-0")
        await session.sign_out()
    assert accounts.paths[2:] == ["/api/auth/refresh", "/api/auth/signout"]


async def test_what_is_written_while_somebody_signs_in_with_a_new_key_is_not_signed_with_that(accounts, clock):
    accounts.gate.clear()
    async with session_of(accounts, MemoryTokenStore(), clock) as session, asyncio.TaskGroup() as group:
        group.create_task(session.verify("123456", with_key=True))
        await accounts.asked.wait()
        meanwhile = session.sign("POST", b"/api/runtime/codex/stop-all", b"{}")
        accounts.gate.set()
        await clock.advance(0)

    assert meanwhile is None
    assert session.sign("POST", b"/api/runtime/codex/stop-all", b"{}") is not None


async def test_a_sign_in_without_a_key_is_not_signed_with_that_of_the_session_before(accounts, clock):
    async with session_of(accounts, MemoryTokenStore(), clock) as session:
        await session.verify("123456", with_key=True)
        assert session.sign("POST", b"/", b"{}") is not None

        await session.verify("123456")

    assert [signature is not None for signature in accounts.signatures] == [True, False]
    assert session.sign("POST", b"/", b"{}") is None


def test_a_file_is_its_owners_and_replaced_whole(clock, tmp_path):
    store = FileTokenStore(tmp_path / "new" / "credentials.json")
    assert store.load() is None
    store.save(held(clock))

    assert store.path.stat().st_mode & 0o777 == 0o600
    assert store.load() == held(clock)
    assert [path.name for path in store.path.parent.iterdir()] == ["credentials.json"]
    store.clear()
    assert store.load() is None


def test_a_renaming_outlives_a_power_cut(clock, tmp_path, monkeypatch):
    flushed, real = [], os.fsync

    def fsync(descriptor):
        flushed.append(stat.S_ISDIR(os.fstat(descriptor).st_mode))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    FileTokenStore(tmp_path / "credentials.json").save(held(clock))
    assert flushed == [False, True]


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b'{"access_token": 1}', b"\xff", b'{"access_token":"a","expires_at":"x"}']
)
def test_a_damaged_file_is_signed_out(content, tmp_path):
    (tmp_path / "c").write_bytes(content)

    assert FileTokenStore(tmp_path / "c").load() is None


async def test_the_lock_of_another_process_is_waited_for(clock, tmp_path):
    store = FileTokenStore(tmp_path / "c", clock=clock)
    script = (
        "import fcntl, os, sys\n"
        f"fd = os.open({str(tmp_path / '.c.lock')!r}, os.O_CREAT | os.O_RDWR)\n"
        "fcntl.flock(fd, fcntl.LOCK_EX); print('held', flush=True); sys.stdin.read()"
    )
    pipe = asyncio.subprocess.PIPE
    other = await asyncio.create_subprocess_exec(sys.executable, "-c", script, stdin=pipe, stdout=pipe)
    async with asyncio.timeout(30):
        assert await other.stdout.readline() == b"held\n"
        entered = asyncio.Event()

        async def enter():
            async with store.exclusive():
                entered.set()

        async with asyncio.TaskGroup() as group:
            group.create_task(enter())
            await clock.advance(1)
            assert not entered.is_set()
            other.stdin.close()
            await other.wait()
            await clock.advance(0.1)
        assert entered.is_set()


async def test_a_lock_that_is_never_released_is_given_up(clock, tmp_path):
    one, other = (FileTokenStore(tmp_path / "c", clock=clock) for _ in range(2))
    async with one.exclusive(), asyncio.TaskGroup() as group:

        async def enter():
            with pytest.raises(TimeoutError, match="another process"):
                async with other.exclusive():
                    pass

        group.create_task(enter())
        await clock.advance(31)


class BusyStore(MemoryTokenStore):
    """Another process holds it, and doesn't end."""

    @contextlib.asynccontextmanager
    async def exclusive(self):
        raise TimeoutError("another process holds it")
        yield


@pytest.mark.parametrize(
    "ask", [lambda s: s.verify("123456", email="e"), lambda s: s.sign_out(), lambda s: s.renew("access-0")]
)
async def test_where_the_store_is_held_for_too_long_nothing_is_asked_and_an_error_of_ours_says_so(accounts, clock, ask):
    store = BusyStore(held(clock))
    async with session_of(accounts, store, clock) as session:
        with pytest.raises(NetworkError) as caught:
            await ask(session)

    assert caught.value.reason_code == "store_busy"
    assert accounts.paths == []
    assert store.load() == held(clock)


def test_credentials_do_not_print_their_tokens(clock):
    assert "access-0" not in repr(held(clock))
    assert "refresh-0" not in repr(held(clock))


async def test_a_new_refresh_token_is_stored_before_the_new_access_token_is_used(accounts, clock):
    order = []

    class Noting(MemoryTokenStore):
        def save(self, credentials):
            order.append(f"stored {credentials.refresh_token}")
            super().save(credentials)

    async def server(request):
        order.append(f"called with {request.headers.get('authorization', 'nothing').removeprefix('Bearer ')}")
        return await accounts(request)

    store = Noting(held(clock, lives_seconds=0))
    async with (
        Session(BASE, store, transport=httpx2.MockTransport(server), clock=clock) as session,
        RuntimeCodexClient(BASE, session, transport=httpx2.MockTransport(server), clock=clock) as client,
    ):
        await client.machines()

    assert order[-2:] == ["stored refresh-1", "called with access-1"]
