"""The companion, put together: `run` is the whole daemon, from the first file to a clean end.

Owns the order of things at the start and at the end. At a clean end it says so in the logs of threads with a running
turn, ends the Codex it started, sends what it can within a second, and gives its leases back.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import uuid
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import structlog

from autopilot import __version__
from autopilot.client import FileTokenStore, RuntimeCodexClient
from autopilot.companion import demo, identity
from autopilot.companion.approvals_answers import Answers
from autopilot.companion.approvals_asking import Asking
from autopilot.companion.artifacts import Uploads
from autopilot.companion.codex import binary, questions
from autopilot.companion.codex.messages import CodexError, Message
from autopilot.companion.codex.process import AppServer, Launch, child_environment
from autopilot.companion.codex.shared import SharedServer
from autopilot.companion.codex.supervisor import Codex
from autopilot.companion.codex.supervisor import Session as CodexSession
from autopilot.companion.database import FILE, Database
from autopilot.companion.desk import Desk
from autopilot.companion.execution import Execution
from autopilot.companion.facts import MachineFacts
from autopilot.companion.feed import Feed
from autopilot.companion.following import Following
from autopilot.companion.gate import Gate
from autopilot.companion.leases import Holder, Leases
from autopilot.companion.mirror import Mirror
from autopilot.companion.outbox import Outbox
from autopilot.companion.places import Places
from autopilot.companion.recorder import Recorder
from autopilot.companion.recovery import Recovery
from autopilot.companion.seal_heads import SealHeads
from autopilot.companion.settings import CompanionSettings
from autopilot.companion.sign_in import Say, signed_in
from autopilot.companion.standing import Standing
from autopilot.companion.stop import Stops
from autopilot.companion.threads import Naming, Thread, Threads
from autopilot.contract.errors import AutopilotError
from autopilot.ops.clock import Clock
from autopilot.ops.lifecycle import stop_on_signals, supervise
from autopilot.ops.log import current_traceparent

HOME = "machine/home"
"""The fact that tells the home folder of the machine's user: what policies mean by `~`."""
STATUS_SECONDS = 60.0
ROOM_SECONDS = 5.0
APPROVAL_TTL_MS = 86_400_000
DRAIN_SECONDS = 0.7
RELEASE_SECONDS = 0.4

log = structlog.get_logger(__name__)


class Companion:
    """All parts of one companion, made for one Codex and one API."""

    def __init__(
        self,
        settings: CompanionSettings,
        launch: Launch,
        client: RuntimeCodexClient,
        clock: Clock,
        defaults: dict[str, Any],
    ) -> None:
        """`defaults`: params of `thread/start` that a request may leave out."""
        self.settings = settings
        self.clock = clock
        self.client = client
        self.machine = identity.load_or_create(settings.home)
        self.session_id = f"session-{uuid.uuid4().hex}"
        self.database = Database(settings.data / FILE)
        self.outbox = Outbox()
        self.threads = Threads(
            Naming(
                prefix=settings.worker_prefix,
                workspace_ref=settings.workspace_ref,
                codex_home_ref=settings.codex_home_ref or f"file://{launch.codex_home}",
            )
        )
        self.facts = MachineFacts()
        self.facts.say(HOME, {"home": launch.environ.get("HOME") or str(Path.home())}, clock.now())
        self.gate = Gate(launch.binary, settings.data)
        usual = demo.APPROVAL_TTL_MS if settings.demo_model_url else APPROVAL_TTL_MS
        self.asking = Asking(clock, ttl_ms=settings.approval_ttl_ms or usual)
        self.recorder = Recorder(
            self.database,
            self.outbox,
            self.threads,
            self.facts,
            clock,
            asking=self.asking,
            answer=self._answer,
        )
        self.places = Places(self.recorder)
        self.recovery = Recovery(
            self.database, self.outbox, self.threads, self.recorder, places=self.places, clock=clock
        )
        self.codex = Codex(
            AppServer(launch, clock),
            sink=self.recorder.take,
            listener=self.recovery,
            clock=clock,
            client_version=__version__,
            shared=SharedServer(launch.codex_home, clock, client_version=__version__)
            if settings.join_shared_codex
            else None,
        )
        self.leases = Leases(
            client,
            self.machine,
            threads=self.threads,
            database=self.database,
            outbox=self.outbox,
            clock=clock,
            facts=self.facts,
            heads=SealHeads(self.database, self.facts, clock, server=client.base_url),
            session_id=self.session_id,
            heartbeat_seconds=settings.heartbeat_seconds,
        )
        self.mirror = Mirror(
            client,
            database=self.database,
            outbox=self.outbox,
            threads=self.threads,
            leases=self.leases,
            clock=clock,
        )
        self.uploads = Uploads(
            client,
            database=self.database,
            generation=self._generation,
            settled=self.outbox.settle_artifacts,
            waiting=self.outbox.holds,
            clock=clock,
        )
        self.execution = Execution(
            self.codex, self.threads, self.recovery, gate=self.gate, clock=clock, defaults=defaults
        )
        self.desk = Desk(
            client,
            self.machine,
            database=self.database,
            threads=self.threads,
            recorder=self.recorder,
            execution=self.execution,
            leases=self.leases,
            stops=Stops(self.codex, self.recorder, self.threads, clock, self.execution.caught_up),
            clock=clock,
        )
        self.answers = Answers(
            self.codex,
            database=self.database,
            recorder=self.recorder,
            threads=self.threads,
            asking=self.asking,
            clock=clock,
        )
        self.feed = Feed(
            client,
            self.machine,
            database=self.database,
            threads=self.threads,
            recorder=self.recorder,
            leases=self.leases,
            desk=self.desk,
            answers=self.answers,
            clock=clock,
            session_id=self.session_id,
        )
        self.standing = Standing(
            settings.data,
            codex=self.codex,
            gate=self.gate,
            threads=self.threads,
            leases=self.leases,
            facts=self.facts,
            clock=clock,
        )
        self.following = Following(
            self.codex,
            self.threads,
            self.places,
            self.recovery,
            self.database,
            clock,
            spoken_for=lambda worker_id: worker_id in self.leases.elsewhere,
        )
        self._strangers: asyncio.Queue[str] = asyncio.Queue(1000)
        self._forgotten: asyncio.Queue[Thread] = asyncio.Queue(1000)
        self._wire()

    async def run(self, stopping: asyncio.Event) -> None:
        """Everything, until `stopping` is set; then a clean end, within two seconds."""
        await self.gate.learn()
        await self.database.open()
        try:
            await self.database.run(self.outbox.load)
            await self.database.run(self.threads.load)
            await self._run_until(stopping)
        finally:
            await self.database.close()

    async def _run_until(self, stopping: asyncio.Event) -> None:
        """The parts in the order in which they end: who brings work first, who carries it away last."""
        async with asyncio.TaskGroup() as carriers:
            carrying = [
                carriers.create_task(supervise(name, work, clock=self.clock), name=name)
                for name, work in {
                    "recorder": self.recorder.run,
                    "mirror": self.mirror.run,
                    "artifacts": self.uploads.run,
                    "leases": self.leases.run,
                    "heartbeat": self.leases.beat,
                    "facts": self.leases.tell_facts,
                }.items()
            ]
            async with asyncio.TaskGroup() as bringers:
                bringing = [
                    bringers.create_task(supervise(name, work, clock=self.clock), name=name)
                    for name, work in {
                        "codex": self.codex.run,
                        "feed": self.feed.run,
                        "feed-ack": self.feed.acknowledge,
                        "desk": self.desk.run,
                        "answers": self.answers.run,
                        "adoption": self._adopt,
                        "following": self.following.run,
                        "standing": self.standing.run,
                        "rereading": self._reread,
                        "comparing": self.recovery.compare_the_rest,
                        "status": self._status,
                        "room": self._room,
                    }.items()
                ]
                await stopping.wait()
                running = self._cut_off_by_us()
                for task in bringing:
                    task.cancel()
            await self._end(running)
            for task in carrying:
                task.cancel()

    async def _end(self, running: list[Thread]) -> None:
        """End Codex, say so, send what can be sent, give the leases back."""
        await self.codex.stop()
        await self.recorder.settle()
        await self.answers.codex_ended()
        ended = [
            self.recorder.fact(
                thread,
                "desktop/codex_stopped",
                {"turnId": thread.active_turn, "reason": "the companion was stopped"},
                event_id=f"codex_stopped:{thread.active_turn}",
                turn_id=thread.active_turn,
            )
            for thread in running
        ]
        await self.recorder.record(ended)
        drained = await self.mirror.drained(DRAIN_SECONDS)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(RELEASE_SECONDS):
                await self.leases.release_all()
        log.info("companion.ended", drained=drained)

    def _cut_off_by_us(self) -> list[Thread]:
        """The threads whose turn ends with our app-server; on the shared daemon turns go on without us."""
        session = self.codex.session
        if session is not None and session.shared:
            return []
        return [thread for thread in self.threads if thread.active_turn is not None]

    def _wire(self) -> None:
        """Who wakes whom."""
        self.codex.refusal = self.gate.refusal
        self.codex.troubled = self.codex.liveness.changed = self.standing.wake
        self.recovery.codex = self.codex
        self.places.codex = self.codex
        self.recovery.began = self._began
        self.recorder.written = self.mirror.wake
        self.recorder.failed = self.codex.reconnect
        self.recorder.stranger = self._stranger
        self.recorder.asked = self.answers.wake
        self.recovery.begins = self.answers.begin
        self.recovery.taken_up = self.answers.taken_up
        self.recovery.ended = self.answers.codex_ended
        self.mirror.settled = self.uploads.wake
        self.leases.gained = self._gained
        self.leases.write = self._write
        self.leases.others_changed = self.places.changed = self.recovery.changed = self.standing.wake
        self.execution.holder = self._holder
        self.leases.forgotten = self._forgot

    async def _began(self, session: CodexSession) -> None:
        """A session with Codex is caught up."""
        self.leases.wake(codex_version=session.connection.version)
        self.desk.wake()
        if self.settings.demo_model_url and not any(True for _ in self.threads):
            await self._play_first_turn()

    async def _play_first_turn(self) -> None:
        """The demo's worker is there from the start, with something to see in it."""
        started = await self.codex.call("thread/start", self.execution.defaults)
        thread = await self.recovery.introduce(msgspec.json.decode(started, type=_Started).thread)
        thread.subscribed = True
        self.leases.wake()
        said = [{"type": "text", "text": demo.FIRST_PROMPT}]
        await self.codex.call("turn/start", {"threadId": thread.thread_id, "input": said})

    async def _answer(self, message: Message, answer: questions.Answer) -> None:
        """Send the answer to a question of Codex's; where Codex left meanwhile there is nobody to answer."""
        session = self.codex.session
        if session is None:
            return
        with contextlib.suppress(CodexError):
            await session.connection.reply(message.id, answer)

    def _gained(self) -> None:
        self.mirror.wake()
        self.uploads.wake()

    def _generation(self, worker_id: str) -> int | None:
        """Of the lease that we hold, or held last: a worker that was stopped still gets what its events refer to."""
        thread = self.threads.of_worker(worker_id)
        return self.leases.generation(worker_id) or (None if thread is None else thread.generation)

    async def _write(self, thread: Thread) -> bool:
        """Become the writer of a thread, where Codex lets us."""
        with contextlib.suppress(CodexError):
            await self.recovery.resume(thread)
        return thread.subscribed

    def _holder(self, thread_id: str) -> Holder | None:
        thread = self.threads.get(thread_id)
        return None if thread is None else self.leases.elsewhere.get(thread.worker_id)

    def _stranger(self, thread_id: str) -> None:
        with contextlib.suppress(asyncio.QueueFull):
            self._strangers.put_nowait(thread_id)

    def _forgot(self, thread: Thread) -> None:
        with contextlib.suppress(asyncio.QueueFull):
            self._forgotten.put_nowait(thread)

    async def _reread(self) -> None:
        """Send again what the ledger has lost."""
        while True:
            thread = await self._forgotten.get()
            try:
                await self.recovery.reread(thread)
                log.warning("thread.sent_again", thread_id=thread.thread_id)
            except CodexError as error:
                log.warning("thread.not_sent_again", thread_id=thread.thread_id, error=str(error))

    async def _adopt(self) -> None:
        """Hear of threads that others opened on this Codex."""
        while True:
            thread_id = await self._strangers.get()
            try:
                await self.recovery.adopt(thread_id)
                self.leases.wake()
            except CodexError as error:
                log.info("thread.not_adopted", thread_id=thread_id, error=str(error))

    async def _room(self) -> None:
        """Once the outbox has room again after it was full: say what was left out, and read it from Codex."""
        while True:
            await self.clock.sleep(ROOM_SECONDS)
            left_out = await self.database.run(self.outbox.left_out)
            if left_out:
                log.warning("outbox.was_full", left_out=left_out)
                await self.recovery.refill(left_out)

    async def _status(self) -> None:
        """One line a minute: how things are."""
        while True:
            await self.clock.sleep(STATUS_SECONDS)
            waiting = await self.database.run(self._tend)
            session = self.codex.session
            log.info(
                "companion.status",
                codex=self.codex.trouble or (session.connection.version if session else "not connected"),
                ledger=self.mirror.trouble or "reached",
                server=self.standing.codex().server,
                others=self.standing.owners().message,
                workers=sum(thread.is_open for thread in self.threads),
                waiting_events=waiting,
                waiting_bytes=self.outbox.bytes,
            )

    def _tend(self, db: Any) -> int:
        self.outbox.trim(db)
        return self.outbox.depth(db)


class _Started(msgspec.Struct, frozen=True):
    thread: msgspec.Raw


async def run(
    settings: CompanionSettings,
    clock: Clock,
    *,
    environ: Mapping[str, str] | None = None,
    say: Say = lambda _word: None,
) -> None:
    """The companion's process: until SIGTERM. `say` takes a word to whoever supervises it.

    Raises:
        CodexUnavailable: there is no Codex to run.
        RuntimeError: another companion runs in this data folder.
    """
    environ = os.environ if environ is None else environ
    async with stop_on_signals() as stopping, contextlib.AsyncExitStack() as stack:
        stack.enter_context(_only_one(settings.data))
        chosen = await binary.find(environ)
        log.info("codex.found", path=str(chosen.path), version=chosen.version, source=chosen.source)
        launch, defaults = await _launch(settings, chosen, environ)
        client = await stack.enter_async_context(_client(settings, clock, say))
        companion = Companion(settings, launch, client, clock, defaults)
        await companion.run(stopping)


async def _launch(
    settings: CompanionSettings, chosen: binary.CodexBinary, environ: Mapping[str, str]
) -> tuple[Launch, dict[str, Any]]:
    """How to start Codex, and what its threads are started with by default."""
    defaults: dict[str, Any] = {}
    codex_home = settings.codex_home
    arguments: tuple[str, ...] = ()
    if settings.demo_model_url:
        await asyncio.to_thread(demo.prepare, settings.home, settings.demo_model_url)
        await demo.begin_repository(settings.home)
        codex_home = demo.codex_home(settings.home)
        defaults = await demo.thread_defaults(chosen, settings.home, environ)
    launch = Launch(
        binary=chosen,
        codex_home=codex_home,
        run_dir=settings.home / "run",
        log_path=settings.home / "logs" / "codex.log",
        environ=child_environment(environ, codex_home, settings.home / "run" / "tmp"),
        arguments=arguments,
        mark=settings.demo_model_url or "",
    )
    return launch, defaults


@contextlib.asynccontextmanager
async def _client(settings: CompanionSettings, clock: Clock, say: Say) -> AsyncIterator[RuntimeCodexClient]:
    """The SDK's client, with the settings' token or the paired credentials."""
    store = FileTokenStore(settings.data / "credentials.json")
    machine_id = identity.load_or_create(settings.home).machine_id
    async with (
        signed_in(settings, store, machine_id, clock=clock, say=say) as (base_url, tokens),
        RuntimeCodexClient(base_url, tokens, surface="companion", clock=clock, trace=_trace) as client,
    ):
        yield client


def _trace() -> dict[str, str]:
    traceparent = current_traceparent()
    return {} if traceparent is None else {"traceparent": traceparent}


@contextlib.contextmanager
def _only_one(data: Path):  # noqa: ANN202  # a generator of nothing
    """Hold the data folder: two companions on one file would both be right, and both wrong."""
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (data / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise AutopilotError(f"another companion runs in {data}") from error
        yield
