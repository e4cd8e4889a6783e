"""Codes by mail: through a real SMTP server, and on the console."""

from __future__ import annotations

import asyncio
import contextlib
import io
import smtplib
from collections.abc import AsyncIterator
from email import message_from_bytes
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, AuthResult
from tests.api.served import EchoRuntime, serving
from tests.waiting import until

from autopilot.api.mail import QUEUED_MAILS, CodeMail, ConsoleMailer, Mailer, Postman, SmtpMailer, mailer_for
from autopilot.api.settings import ApiSettings
from autopilot.contract.errors import Unavailable
from autopilot.ops.settings import Secret
from autopilot.testing.clock import FakeClock

MAIL = CodeMail("ada@example.org", "12345678", 10)
OTHER = CodeMail("bob@example.org", "87654321", 10)


@contextlib.asynccontextmanager
async def delivering(mailer: Mailer, clock: FakeClock) -> AsyncIterator[Postman]:
    postman = Postman(mailer, clock)
    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        running = group.create_task(postman.run())
        yield postman
        running.cancel()


class Inbox:
    """What the server took."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, list[str], bytes]] = []

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        self.taken.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return "250 taken"


@pytest.fixture
def inbox():
    return Inbox()


@pytest.fixture
async def smtp(inbox: Inbox):
    def password_is_right(server, session, envelope, mechanism, data):
        return AuthResult(success=data.login == b"robot" and data.password == b"hunter2")

    def session() -> SMTP:
        return SMTP(inbox, hostname="mail.test", authenticator=password_is_right, auth_require_tls=False)

    server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def settings(port: int, password: str = "hunter2") -> ApiSettings:
    return ApiSettings(
        smtp_host="127.0.0.1",
        smtp_port=port,
        smtp_tls="none",
        smtp_user="robot",
        smtp_password=Secret(password),
        smtp_from="autopilot@example.org",
    )


async def test_a_code_is_submitted_with_login_to_a_real_mail_server(inbox: Inbox, smtp: int):
    await SmtpMailer(settings(smtp)).send(MAIL)

    [(sender, recipients, content)] = inbox.taken
    message = message_from_bytes(content)
    assert (sender, recipients) == ("autopilot@example.org", ["ada@example.org"])
    assert message["subject"] == "1234 5678 is your Autopilot sign-in code"
    assert "1234 5678" in message.get_payload()
    assert "10 minutes" in message.get_payload()


async def test_somebody_signs_in_with_the_code_that_the_mail_server_took(database: str, inbox: Inbox, smtp: int):
    async with serving(database, EchoRuntime(), mailer=SmtpMailer(settings(smtp))) as api:
        await api.client.post("/api/auth/email", json={"email": "ada@example.org"})
        await api.app.state.api.postman.delivered()
        code = message_from_bytes(inbox.taken[0][2])["subject"][:9]

        signed = await api.client.post("/api/auth/verify", json={"email": "ada@example.org", "code": code})
        assert signed.status_code == 200


async def test_a_mail_server_that_refuses_is_tried_again_and_then_given_up(smtp: int, inbox: Inbox):
    with pytest.raises(smtplib.SMTPException):
        await SmtpMailer(settings(smtp, password="wrong")).send(MAIL)
    assert inbox.taken == []


async def test_a_mail_that_is_not_taken_is_tried_four_times_in_growing_pauses():
    clock = FakeClock()
    tried: list[float] = []

    class Refusing:
        async def send(self, _mail: CodeMail) -> None:
            tried.append(clock.monotonic())
            raise ConnectionRefusedError

    async with delivering(Refusing(), clock) as postman:
        postman.post(MAIL)
        await clock.advance(100)
        await postman.delivered()

    assert tried == [0.0, 1.0, 6.0, 36.0]


@pytest.mark.parametrize(
    "refusal",
    [
        smtplib.SMTPRecipientsRefused({"ada@example.org": (550, b"no such user")}),
        smtplib.SMTPDataError(554, b"no"),
        smtplib.SMTPAuthenticationError(535, b"no"),
        smtplib.SMTPNotSupportedError("STARTTLS"),
        ValueError("a header"),
    ],
    ids=lambda refusal: type(refusal).__name__,
)
async def test_a_mail_that_is_refused_for_good_is_tried_once_and_keeps_no_other(refusal: Exception):
    clock, tried = FakeClock(), []

    class Refusing:
        async def send(self, mail: CodeMail) -> None:
            tried.append((clock.monotonic(), mail.email))
            if mail is MAIL:
                raise refusal

    async with delivering(Refusing(), clock) as postman:
        postman.post(MAIL)
        postman.post(OTHER)
        await postman.delivered()

    assert tried == [(0.0, MAIL.email), (0.0, OTHER.email)]


async def test_a_mail_that_waits_for_its_next_try_lets_others_pass():
    clock, sent = FakeClock(), []

    class Greylisting:
        async def send(self, mail: CodeMail) -> None:
            if mail is MAIL and clock.monotonic() < 1.0:
                raise smtplib.SMTPRecipientsRefused({mail.email: (451, b"later")})
            sent.append((clock.monotonic(), mail.email))

    async with delivering(Greylisting(), clock) as postman:
        for mail in (MAIL, *[OTHER] * 10):
            postman.post(mail)
        await until(lambda: len(sent) == 10)
        await clock.advance(1.0)
        await postman.delivered()

    assert sent == [(0.0, OTHER.email)] * 10 + [(1.0, MAIL.email)]


async def test_a_full_queue_is_said_instead_of_growing():
    postman = Postman(ConsoleMailer(io.StringIO()), FakeClock())
    for _ in range(QUEUED_MAILS - 1):
        postman.post(MAIL)

    with postman.place(), pytest.raises(Unavailable):
        postman.post(MAIL)
    with postman.place() as post:
        post(MAIL)
    with pytest.raises(Unavailable):
        postman.post(MAIL)


async def test_where_mail_is_busy_no_code_is_made(database: str):
    async with serving(database, EchoRuntime()) as api, contextlib.AsyncExitStack() as places:
        for _ in range(QUEUED_MAILS):
            places.enter_context(api.app.state.api.postman.place())
        answer = await api.client.post("/api/auth/email", json={"email": "ada@example.org"})

        assert answer.status_code == 503
        assert answer.json()["error"]["details"][0]["outcome"] == "not_recorded"
        assert await api.pool.fetchval("select count(*) from api.login_code") == 0


async def test_without_a_mail_server_the_code_is_printed_for_the_operator():
    console = io.StringIO()
    await ConsoleMailer(console).send(MAIL)

    assert console.getvalue() == "autopilot: sign-in code for ada@example.org: 1234 5678 (good for 10 minutes)\n"
    assert isinstance(mailer_for(ApiSettings()), ConsoleMailer)
    assert isinstance(mailer_for(ApiSettings(smtp_host="x")), SmtpMailer)
