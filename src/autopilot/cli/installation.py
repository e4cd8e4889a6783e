"""One running installation: what it consists of, and in which order that comes up and goes down.

Relies on `Supervisor` to keep each part running, on `PostgresService` and `Child` to be the parts. What `autopilot up`
does once it holds the home and the port.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from autopilot import __version__
from autopilot.cli import lan
from autopilot.cli.child import Child
from autopilot.cli.credentials import Wanted, lifetimes_of, owner_code, settle_owner
from autopilot.cli.database import PostgresService, migrate_all, outlasting
from autopilot.cli.demo import CodexHere, codex_here, model_port
from autopilot.cli.exits import CommandFailed, Exit
from autopilot.cli.home import Home, Running
from autopilot.cli.keys import Keys
from autopilot.cli.own_machine import OwnMachine
from autopilot.cli.ready import wait_until_ready
from autopilot.cli.supervise import Supervisor
from autopilot.cli.terminal import Terminal
from autopilot.cli.welcome import Welcome
from autopilot.client.tokens import FileTokenStore
from autopilot.companion.identity import load_or_create
from autopilot.db.away import reached
from autopilot.db.embedded import EmbeddedPostgres
from autopilot.db.pool import open_pool
from autopilot.ops.clock import Clock

DEFAULT_OWNER = "owner@localhost"
HERE = "127.0.0.1"
READY_WITHIN_SECONDS = 60.0
"""How long a server may take once the database is there."""
SECRETS_OF_SERVERS = (
    "AUTOPILOT_SMTP_PASSWORD",
    "AUTOPILOT_OIDC_CLIENT_SECRET",
    "AUTOPILOT_CODE_KEY",
    "AUTOPILOT_VAPID_KEY",
)
"""What the companion, and Codex below it, have no use for."""
COMPANION_STOP_SECONDS = 1.4
"""It ends Codex, sends what it can, and gives its leases back; what it has not sent lies in its outbox."""
CODEX_PATIENCE_SECONDS = 2.0
"""How long the greeting waits to say which Codex runs; reading a large program from a cold disk takes its time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to run, and where."""

    home: Home
    sock: socket.socket
    """Listens already; the server inherits it."""
    urls: list[str]
    """The first is shown, the last is this machine's own."""
    inner: socket.socket | None
    """Where the runtime listens, when it is to be a process of its own."""
    listening: bool
    """Whether other devices were to be let in."""
    demo: bool | None
    companion: bool
    environ: Mapping[str, str]
    keys: Keys

    @property
    def local_url(self) -> str:
        """Where this machine reaches it."""
        return self.urls[-1]

    @property
    def local_address(self) -> tuple[str, int]:
        """Host and port of that."""
        return HERE, self.sock.getsockname()[1]

    @property
    def owner_email(self) -> str:
        """Who a new installation belongs to."""
        return self.environ.get("AUTOPILOT_OWNER_EMAIL") or DEFAULT_OWNER


@dataclass(slots=True)
class Installation:
    """Everything `autopilot up` keeps running."""

    plan: Plan
    clock: Clock
    terminal: Terminal
    _supervisor: Supervisor = field(init=False)
    _database: asyncio.Future[str] = field(init=False)
    """Its address, once it is up and up to date."""
    _owner_email: str = field(init=False, default="")
    _code: str | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self._supervisor = Supervisor(self.clock, self._say_death)
        self._database = asyncio.get_running_loop().create_future()

    async def run_until(self, stopping: asyncio.Event) -> None:
        """Bring everything up, say so, and take it down once `stopping` is set.

        Raises:
            ExceptionGroup: with a CommandFailed when it did not come up.
        """
        async with asyncio.TaskGroup() as keeping:
            try:
                async with asyncio.timeout(None) as scope, asyncio.TaskGroup() as starting:
                    starting.create_task(_end(scope, stopping), name="end")
                    await self._start(keeping, starting)
                    await asyncio.Future()  # only the end of the scope ends this
            except TimeoutError:
                if not stopping.is_set():
                    raise
            finally:
                self.plan.home.withdraw()
                await self._supervisor.stop()

    async def _start(self, keeping: asyncio.TaskGroup, starting: asyncio.TaskGroup) -> None:
        """Server and database side by side; then, once the server is ready, the companion and Codex."""
        plan = self.plan
        began = self.clock.monotonic()
        with self.terminal.busy("starting"):
            starting.create_task(self._start_database(keeping), name="start the database")
            for child in self._servers():
                starting.create_task(self._start_server(keeping, child), name=f"start the {child.name}")
            await asyncio.shield(self._database)  # after a crash it may recover for minutes; that is no failure
            if not await wait_until_ready(*plan.local_address, self.clock, within_seconds=READY_WITHIN_SECONDS):
                raise CommandFailed(f"The server did not become ready; see {plan.home.logs}.", Exit.CANNOT_START)
        await self._announce()
        startup_seconds = self.clock.monotonic() - began
        looking = starting.create_task(codex_here(plan.environ), name="look for Codex")
        if plan.companion:
            starting.create_task(self._start_companion(keeping, looking), name="start the companion")
        await asyncio.wait({looking}, timeout=CODEX_PATIENCE_SECONDS)
        shown = Welcome(
            url=plan.urls[0],
            urls=plan.urls,
            listening=plan.listening,
            owner_email=self._owner_email,
            code=self._code,
            codex=self._about_codex(looking.result()) if looking.done() else ["Looking for Codex."],
            startup_seconds=startup_seconds,
        )
        shown.print(self.terminal)

    def _about_codex(self, codex: CodexHere | None) -> list[str]:
        if not self.plan.companion:
            return ["Without a companion: Codex on this machine is not looked after."]
        if codex is None:
            return ["No Codex was found. Install it, or: pip install 'autopilot-codex[codex]'"]
        if not self._plays_demo(codex):
            return [codex.words]
        demo = "Nobody is signed in to it, so this is a demo: real Codex, with a scripted model in place of OpenAI's."
        return [f"{codex.words}. {demo} `codex login`, then start again, makes it real."]

    def _plays_demo(self, codex: CodexHere) -> bool:
        return self.plan.demo if self.plan.demo is not None else not codex.has_model

    async def _start_database(self, keeping: asyncio.TaskGroup) -> None:
        """Bring the database up and up to date, with an owner; only then is its address known to anybody."""
        dsn = self.plan.environ.get("DATABASE_URL")
        if dsn:  # not ours to keep running: where it can't be reached, say so at once
            with reached():
                await self._prepare(dsn)
        else:
            bin_dir = self.plan.environ.get("PG_BIN")
            server = EmbeddedPostgres(self.plan.home.path, bin_dir=Path(bin_dir) if bin_dir else None)
            await self._supervisor.keep(PostgresService(server), keeping)
            dsn = server.dsn
            await outlasting(self.clock, lambda: self._prepare(server.dsn))
        self._database.set_result(dsn)

    async def _prepare(self, dsn: str) -> None:
        """Migrations, an owner, and the owner's code; may be done again."""
        await migrate_all(dsn)
        async with await open_pool(dsn, max_size=1, schema="api") as pool:
            self._owner_email = await settle_owner(pool, self.plan.owner_email)
            self._code = await owner_code(pool, self._owner_email, self.plan.keys.code)

    async def _start_server(self, keeping: asyncio.TaskGroup, child: Child) -> None:
        await self._supervisor.keep(child, keeping)

    async def _start_companion(self, keeping: asyncio.TaskGroup, looking: asyncio.Task[CodexHere | None]) -> None:
        """The companion, with credentials that work; where Codex has no model to talk to, the demo's one."""
        codex = await looking
        if codex is None:
            return
        more: dict[str, str] = {}
        if self._plays_demo(codex):
            port = await asyncio.to_thread(model_port, self.plan.home)
            await self._supervisor.keep(self._child("model", "demo-model", "--port", str(port)), keeping)
            more["AUTOPILOT_DEMO_MODEL_URL"] = f"http://{HERE}:{port}/v1"
        machine = await asyncio.to_thread(load_or_create, self.plan.home.path)
        own = OwnMachine(
            store=FileTokenStore(self.plan.home.companion / "credentials.json"),
            wanted=Wanted(
                scopes=("execute",),
                surface="companion",
                name=machine.name,
                machine_id=machine.machine_id,
                lifetimes=lifetimes_of(self.plan.environ),
            ),
            url=self.plan.local_url,
            dsn=await self._database,
            clock=self.clock,
            remark=self.terminal.remark,
        )
        await outlasting(self.clock, own.sign_in)
        companion = self._child("companion", "companion", more=more)
        companion.stop_within_seconds = COMPANION_STOP_SECONDS
        companion.heard = own.heard
        await self._supervisor.keep(companion, keeping)
        await own.keep()  # until the installation ends

    def _servers(self) -> list[Child]:
        public, inner = self.plan.sock, self.plan.inner
        if inner is None:
            return [self._child("server", "serve", sock=public, serves=True)]
        runtime_url = lan.url_of(*inner.getsockname())
        return [
            self._child("runtime", "runtime", sock=inner, serves=True),
            self._child("api", "api", sock=public, serves=True, more={"AUTOPILOT_RUNTIME_URL": runtime_url}),
        ]

    def _child(
        self,
        name: str,
        *arguments: str,
        sock: socket.socket | None = None,
        serves: bool = False,
        more: Mapping[str, str] | None = None,
    ) -> Child:
        """A child with the settings it needs, and none of the others' secrets."""
        plan = self.plan
        inherited = () if sock is None else (sock.fileno(),)
        kept_back = {"DATABASE_URL"} if serves else {"DATABASE_URL", *SECRETS_OF_SERVERS}
        environ = {key: value for key, value in plan.environ.items() if key not in kept_back}
        environ |= {"AUTOPILOT_HOME": str(plan.home.path), "AUTOPILOT_LOG_FORMAT": "json", **(more or {})}
        return Child(
            name=name,
            arguments=[*arguments, *(f"--fd={descriptor}" for descriptor in inherited)],
            environ=environ,
            settings=self._server_settings if serves else _no_settings,
            log_file=plan.home.logs / f"{name}.log",
            pass_fds=inherited,
        )

    async def _server_settings(self) -> dict[str, str]:
        """What a server needs that is a secret, or is known only once the database is up and has an owner."""
        return {
            "DATABASE_URL": await asyncio.shield(self._database),
            "AUTOPILOT_OWNER_EMAIL": self._owner_email,
        }

    async def _announce(self) -> None:
        running = Running(
            url=self.plan.local_url,
            pid=os.getpid(),
            database_url=await self._database,
            owner_email=self._owner_email,
            started_at=self.clock.now().isoformat(),
            version=__version__,
            shown_url=self.plan.urls[0],
        )
        self.plan.home.announce(running)

    def _say_death(self, name: str, code: int) -> None:
        self.terminal.remark(f"autopilot: {name} ended ({_words(code)}); starting it again")


async def _no_settings() -> dict[str, str]:
    return {}


async def _end(scope: asyncio.Timeout, stopping: asyncio.Event) -> None:
    """End `scope` when `stopping` is set: also a start that takes long ends at Ctrl-C."""
    await stopping.wait()
    scope.reschedule(asyncio.get_running_loop().time())


def _words(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
