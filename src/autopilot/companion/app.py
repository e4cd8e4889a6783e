"""The companion, put together: all its parts for one Codex and one API, from the first file to a clean end.

Owns the order of things at the start and at the end. At a clean end it says so in the logs of threads with a running
turn, ends the Codex it started, sends what it can within a second, and gives its leases back.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import uuid
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import structlog

from autopilot import __version__
from autopilot.client import RuntimeCodexClient
from autopilot.companion import demo, identity
from autopilot.companion.approvals_answers import Answers
from autopilot.companion.approvals_asking import Asking
from autopilot.companion.artifacts import Uploads
from autopilot.companion.codex import questions
from autopilot.companion.codex.messages import CodexError, CodexRefused, Message
from autopilot.companion.codex.process import AppServer, Launch
from autopilot.companion.codex.shared import SharedServer
from autopilot.companion.codex.supervisor import Codex
from autopilot.companion.codex.supervisor import Session as CodexSession
from autopilot.companion.database import FILE, Database
from autopilot.companion.desk import Desk
from autopilot.companion.drift_log import DriftLog
from autopilot.companion.execution import Execution
from autopilot.companion.facts import MachineFacts
from autopilot.companion.feed import Feed
from autopilot.companion.following import Following
from autopilot.companion.gate import Gate
from autopilot.companion.leases import Holder, Leases
from autopilot.companion.mirror import Mirror
from autopilot.companion.outbox import Outbox
from autopilot.companion.places import Places
from autopilot.companion.presence import Presence
from autopilot.companion.recorder import Recorder
from autopilot.companion.recovery import Recovery
from autopilot.companion.seal_heads import SealHeads
from autopilot.companion.settings import CompanionSettings
from autopilot.companion.standing import Standing
from autopilot.companion.stop import Stops
from autopilot.companion.threads import Naming, Thread, Threads
from autopilot.companion.upkeep import Upkeep
from autopilot.ops.clock import Clock
from autopilot.ops.lifecycle import supervise

HOME = "machine/home"
"""The fact that tells the home folder of the machine's user: what policies mean by `~`."""
APPROVAL_TTL_MS = 86_400_000
SETTLE_SECONDS = 0.5
"""For what is still to be written down at a clean end; each takes milliseconds where the file takes anything."""
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
        presence = Presence(
            client,
            self.machine,
            facts=self.facts,
            heads=SealHeads(self.database, self.facts, clock, server=client.base_url),
            clock=clock,
            session_id=self.session_id,
        )
        self.leases = Leases(
            client,
            self.machine,
            presence,
            threads=self.threads,
            database=self.database,
            outbox=self.outbox,
            clock=clock,
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
        self.upkeep = Upkeep(
            self.codex,
            database=self.database,
            outbox=self.outbox,
            threads=self.threads,
            recovery=self.recovery,
            recorder=self.recorder,
            leases=self.leases,
            mirror=self.mirror,
            standing=self.standing,
            clock=clock,
        )
        self._wire()

    async def run(self, stopping: asyncio.Event) -> None:
        """Everything, until `stopping` is set; then a clean end, within two seconds."""
        await self.gate.learn()
        await self.database.open()
        try:
            await self.database.run(self.outbox.load)
            await self.database.run(self.threads.load)
            if not any(True for _ in self.threads):  # a new file: whatever an older one knew of its Codex is lost
                await self.codex.server.rename()
            self.asking.forgotten = await self.codex.server.former_names()
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
                        "adoption": self.upkeep.adopt,
                        "following": self.following.run,
                        "standing": self.standing.run,
                        "rereading": self.upkeep.reread,
                        "comparing": self.recovery.compare_the_rest,
                        "status": self.upkeep.status,
                        "room": self.upkeep.room,
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
        await _in_time("settle", SETTLE_SECONDS, self.recorder.settle())
        await _in_time("questions", SETTLE_SECONDS, self.answers.codex_ended())
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
        await _in_time("last_words", SETTLE_SECONDS, self.recorder.record(ended))
        drained = await self.mirror.drained(DRAIN_SECONDS)
        await _in_time("release", RELEASE_SECONDS, self.leases.release_all())
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
        self.recorder.stranger = self.upkeep.stranger
        self.recorder.asked = self.answers.wake
        self.recovery.begins = self.answers.begin
        self.recovery.taken_up = self.answers.taken_up
        self.recovery.heard = DriftLog(self.codex, self.gate, self.recorder).tell
        self.recovery.ended = self.answers.codex_ended
        self.answers.asked_anew = self.codex.server.forget_names
        self.mirror.settled = self.uploads.wake
        self.leases.gained = self._gained
        self.leases.closed = self.desk.wake
        self.leases.write = self._write
        self.leases.others_changed = self.places.changed = self.recovery.changed = self.standing.wake
        self.execution.holder = self._holder
        self.leases.forgotten = self.upkeep.forgotten

    async def _began(self, session: CodexSession) -> None:
        """A session with Codex is caught up."""
        self.answers.caught_up()
        self.upkeep.forgotten()
        self.leases.wake(codex_version=session.connection.version)
        self.desk.wake()
        if self.settings.demo_model_url and not any(True for _ in self.threads):
            await self._play_first_turn()

    async def _play_first_turn(self) -> None:
        """The demo's worker is there from the start, with something to see in it."""
        started = await self.codex.call("thread/start", self.execution.defaults)
        thread = await self.recovery.started(started)
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

    async def _write(self, thread: Thread) -> bool | None:
        """Become the writer of a thread, where Codex lets us; None: it can't be asked now.

        One that Codex has lost nobody writes: what we have to say of it is ours to say.
        """
        try:
            await self.recovery.resume(thread)
        except CodexRefused:
            pass
        except CodexError:
            return None
        return thread.subscribed or thread.elsewhere is None

    def _holder(self, thread_id: str) -> Holder | None:
        thread = self.threads.get(thread_id)
        return None if thread is None else self.leases.elsewhere.get(thread.worker_id)


async def _in_time(what: str, seconds: float, doing: Awaitable[object]) -> None:
    """One step of the end: one that hangs, or that finds no room on the disk, holds up none of the others."""
    try:
        async with asyncio.timeout(seconds):
            await doing
    except (TimeoutError, sqlite3.Error) as error:
        log.warning("companion.end_cut_short", step=what, error=str(error) or f"took over {seconds:g} s")
