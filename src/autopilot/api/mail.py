"""How a sign-in code, an invitation or a notice reaches a person: by SMTP, or on the console where no mail is set up.

The answer to a sign-in call never waits for the mail (it would tell whether one was sent): `Postman` delivers from a
bounded queue, in tasks of the app's own. Never logs a code or a secret, never raises to the caller of the API.
"""

from __future__ import annotations

import asyncio
import contextlib
import smtplib
import ssl
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Protocol, TextIO

from autopilot.api.settings import ApiSettings
from autopilot.contract.errors import Unavailable
from autopilot.ops.clock import Clock
from autopilot.ops.log import get_logger

QUEUED_MAILS = 200
SMTP_SECONDS = 20.0
"""For each step of the conversation with the mail server."""
SENT_AT_ONCE = 4
"""Conversations with the mail server."""
PERMANENT = 500
"""The first code by which a mail server refuses for good (RFC 5321, 4.2.1)."""
RETRY_SECONDS = (1.0, 5.0, 30.0)
"""A code lives ten minutes: after the last of these it is better asked for again."""

log = get_logger("autopilot.api")


@dataclass(frozen=True, slots=True)
class CodeMail:
    """One code for one address."""

    email: str
    code: str
    minutes: int

    @property
    def spaced_code(self) -> str:
        """The code as it is read out."""
        half = len(self.code) // 2
        return f"{self.code[:half]} {self.code[half:]}"

    @property
    def subject(self) -> str:
        """What the mail is about."""
        return f"{self.spaced_code} is your Autopilot sign-in code"

    @property
    def text(self) -> str:
        """What the mail says."""
        return (
            f"Your sign-in code is\n\n    {self.spaced_code}\n\nIt is good for {self.minutes} minutes, once.\n"
            "If you did not ask for it, somebody typed your address: nothing has happened, ignore this mail.\n"
        )

    @property
    def line(self) -> str:
        """The same for the console."""
        return f"sign-in code for {self.email}: {self.spaced_code} (good for {self.minutes} minutes)"


@dataclass(frozen=True, slots=True)
class InvitationMail:
    """One invitation into a team, for one address."""

    email: str
    team: str
    role: str
    secret: str
    days: int
    public_url: str | None

    @property
    def subject(self) -> str:
        """What the mail is about."""
        return f"You are invited to the team {self.team}"

    @property
    def text(self) -> str:
        """What the mail says. In a link the secret is the fragment: no browser sends it, so that nothing logs it."""
        where = f" on {self.public_url}" if self.public_url else ""
        link = f"Sign in there with this address, then open\n\n    {self._link}\n\n" if self._link else ""
        return (
            f"You are invited to the team {self.team}{where}, as {self.role}.\n"
            f"{link}{'Or sign' if link else 'Sign'} in with this address, then accept "
            "(`autopilot teams accept` asks for the secret) with\n\n"
            f"    {self.secret}\n\nIt is good for {self.days} days, once, for this address.\n"
            "If you don't know the team, ignore this mail.\n"
        )

    @property
    def _link(self) -> str | None:
        return f"{self.public_url.rstrip('/')}/teams/join#{self.secret}" if self.public_url else None

    @property
    def line(self) -> str:
        """The same for the console."""
        return f"invitation for {self.email} to {self.team}: {self.secret} (good for {self.days} days)"


@dataclass(frozen=True, slots=True)
class NoticeMail:
    """Something happened to an account that its owner should know of."""

    email: str
    subject: str
    text: str

    @property
    def line(self) -> str:
        """The same for the console."""
        return f"notice for {self.email}: {self.subject}"


Mail = CodeMail | InvitationMail | NoticeMail


class Mailer(Protocol):
    """Hands a mail over."""

    async def send(self, mail: Mail) -> None:
        """Hand it over.

        Raises:
            OSError, smtplib.SMTPException: it was not taken.
        """
        ...


class ConsoleMailer:
    """Prints it where the operator sees it."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream

    async def send(self, mail: Mail) -> None:
        """Print one line."""
        stream = self._stream or sys.stderr
        stream.write(f"autopilot: {mail.line}\n")
        stream.flush()


class SmtpMailer:
    """Submits the mail to an SMTP server, by the standard library's client in a thread."""

    def __init__(self, settings: ApiSettings) -> None:
        self._settings = settings

    async def send(self, mail: Mail) -> None:
        """Submit it; bounded by SMTP_SECONDS at every step."""
        await asyncio.to_thread(self._submit, self._message(mail))

    def _message(self, mail: Mail) -> EmailMessage:
        message = EmailMessage()
        message["Subject"] = mail.subject
        message["From"] = self._settings.smtp_from
        message["To"] = mail.email
        message["Auto-Submitted"] = "auto-generated"
        message.set_content(mail.text)
        return message

    def _submit(self, message: EmailMessage) -> None:
        settings = self._settings
        assert settings.smtp_host is not None
        context = ssl.create_default_context()
        with _connect(settings.smtp_host, settings, context) as server:
            if settings.smtp_tls == "starttls":
                server.starttls(context=context)
            if settings.smtp_user is not None:
                server.login(settings.smtp_user, settings.smtp_password.reveal() if settings.smtp_password else "")
            server.send_message(message)


def _connect(host: str, settings: ApiSettings, context: ssl.SSLContext) -> smtplib.SMTP:
    if settings.smtp_tls == "implicit":
        return smtplib.SMTP_SSL(host, settings.smtp_port, timeout=SMTP_SECONDS, context=context)
    return smtplib.SMTP(host, settings.smtp_port, timeout=SMTP_SECONDS)


def mailer_for(settings: ApiSettings) -> Mailer:
    """SMTP where a host is set, the console otherwise."""
    return SmtpMailer(settings) if settings.smtp_host else ConsoleMailer()


class Postman:
    """Delivers mails apart from the calls that ask for them. One that has to wait lets others pass."""

    def __init__(self, mailer: Mailer, clock: Clock) -> None:
        self._mailer = mailer
        self._clock = clock
        self._queue: asyncio.Queue[Mail] = asyncio.Queue(QUEUED_MAILS)
        self._kept = 0  # places that nothing was posted to yet
        self._under_way = 0
        self._sending = asyncio.Semaphore(SENT_AT_ONCE)

    @contextlib.contextmanager
    def place(self) -> Iterator[Callable[[Mail], None]]:
        """A place for one mail, to be had before anything is written down for it; what posts it is yielded.

        It is given back where nothing was posted.

        Raises:
            Unavailable: all are taken: the mail server doesn't keep up.
        """
        if self._kept + self._queue.qsize() + self._under_way >= QUEUED_MAILS:
            raise Unavailable(
                "mail can't be sent at the moment",
                reason_code="mail_busy",
                outcome="not_recorded",
                retry_after_seconds=30.0,
            )
        self._kept += 1
        posted: list[Mail] = []
        try:
            yield posted.append
        finally:
            self._kept -= 1
            for mail in posted:
                self._queue.put_nowait(mail)

    def post(self, mail: Mail) -> None:
        """Queue a mail for which nothing was written down yet.

        Raises:
            Unavailable: as `place`.
        """
        with self.place() as post:
            post(mail)

    def tell(self, mail: Mail) -> None:
        """Queue a mail that nobody waits for; where the queue is full it is left out, and the log says so."""
        try:
            self.post(mail)
        except Unavailable:
            log.warning("mail_left_out", subject=mail.subject)

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with asyncio.TaskGroup() as deliveries:
            while True:
                mail = await self._queue.get()
                self._under_way += 1
                deliveries.create_task(self._deliver(mail))

    async def delivered(self) -> None:
        """Wait until everything that was posted was delivered or given up."""
        await self._queue.join()

    async def _deliver(self, mail: Mail) -> None:
        try:
            for pause_seconds in (*RETRY_SECONDS, None):
                if await self._is_done_with(mail, pause_seconds):
                    return
                await self._clock.sleep(pause_seconds or 0.0)
        finally:
            self._under_way -= 1
            self._queue.task_done()

    async def _is_done_with(self, mail: Mail, pause_seconds: float | None) -> bool:
        """Whether this try was the last: it was taken, refused for good, or there is none after it."""
        try:
            async with self._sending:
                await self._mailer.send(mail)
        except Exception as error:  # noqa: BLE001 - the edge: one mail that can't be made keeps no other from its way
            again = pause_seconds is not None and _may_pass(error)
            code = getattr(error, "smtp_code", None)
            again_in = pause_seconds if again else None
            log.warning("mail_not_taken", error=type(error).__name__, smtp_code=code, again_in_seconds=again_in)
            return not again
        log.info("mail_sent")
        return True


def _may_pass(error: Exception) -> bool:
    """Whether the same mail may be taken a little later: the server is away, or says "not now" (4xx)."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return any(code < PERMANENT for code, _ in error.recipients.values())
    if isinstance(error, smtplib.SMTPResponseException):
        return error.smtp_code < PERMANENT
    if isinstance(error, (smtplib.SMTPNotSupportedError, ssl.SSLCertVerificationError)):
        return False
    return isinstance(error, OSError)  # SMTPException is one
