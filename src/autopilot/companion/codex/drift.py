"""Does this Codex speak the protocol that we know? Compare its own schema with the recorded ones.

Owns the baselines (`baselines/<version>.json`) and a cache of what each version said of itself. Runs
`codex app-server generate-json-schema`, which needs neither login nor network. Never stops anything: it tells.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path

import msgspec

from autopilot.companion.codex.binary import CodexBinary
from autopilot.companion.codex.messages import CodexUnavailable

GENERATE_SECONDS = 60.0
FILES = {"methods": "ClientRequest", "notifications": "ServerNotification", "questions": "ServerRequest"}

USED_METHODS = frozenset(
    {
        "initialize",
        "model/list",
        "thread/backgroundTerminals/list",
        "thread/backgroundTerminals/terminate",
        "thread/items/list",
        "thread/list",
        "thread/loaded/list",
        "thread/read",
        "thread/resume",
        "thread/start",
        "thread/turns/list",
        "turn/interrupt",
        "turn/start",
        "turn/steer",
    }
)
USED_NOTIFICATIONS = frozenset(
    {"error", "item/completed", "item/started", "thread/started", "turn/completed", "turn/started"}
)


class Vocabulary(msgspec.Struct, frozen=True):
    """The names a version of Codex knows, sorted."""

    version: str
    methods: list[str]
    """What it can be asked."""
    notifications: list[str]
    questions: list[str]
    """What it asks of its client."""


@dataclass(frozen=True, slots=True)
class Drift:
    """How a Codex differs from the nearest recorded version."""

    version: str
    baseline: str
    added: dict[str, list[str]] = field(default_factory=dict)
    removed: dict[str, list[str]] = field(default_factory=dict)

    @property
    def any(self) -> bool:
        """Whether there is a difference at all."""
        return bool(self.added or self.removed)

    @property
    def missing(self) -> list[str]:
        """Names we rely on which this Codex does not know: what will not work."""
        lost = {name for gone in self.removed.values() for name in gone}
        return sorted(lost & (USED_METHODS | USED_NOTIFICATIONS))

    def sentence(self) -> str:
        """The difference in words."""
        if not self.any:
            return f"Codex {self.version} speaks the protocol recorded for {self.baseline}"
        parts = [f"{len(names)} {kind} added" for kind, names in self.added.items()]
        parts += [f"{kind} removed: {', '.join(names)}" for kind, names in self.removed.items()]
        tail = f"; we rely on {', '.join(self.missing)}" if self.missing else "; nothing that we rely on is missing"
        return f"Codex {self.version} differs from {self.baseline}: {'; '.join(parts)}{tail}"


async def check(binary: CodexBinary, cache: Path) -> Drift:
    """Compare `binary` with the nearest recorded version.

    Raises:
        CodexUnavailable: it does not tell its schema.
    """
    seen = await vocabulary(binary, cache)
    return compare(nearest(seen.version), seen)


def compare(baseline: Vocabulary, seen: Vocabulary) -> Drift:
    """What was added and removed between two vocabularies."""
    added: dict[str, list[str]] = {}
    removed: dict[str, list[str]] = {}
    for kind in FILES:
        before, now = set(getattr(baseline, kind)), set(getattr(seen, kind))
        if now - before:
            added[kind] = sorted(now - before)
        if before - now:
            removed[kind] = sorted(before - now)
    return Drift(seen.version, baseline.version, added, removed)


def recorded() -> list[Vocabulary]:
    """The baselines, oldest version first."""
    folder = resources.files("autopilot.companion.codex") / "baselines"
    found = [file for file in folder.iterdir() if file.name.endswith(".json")]
    return sorted((msgspec.json.decode(file.read_bytes(), type=Vocabulary) for file in found), key=_order)


def nearest(version: str) -> Vocabulary:
    """The recorded version to compare with: the newest that is not newer, else the oldest."""
    known = recorded()
    wanted = _numbers(version)
    return next((one for one in reversed(known) if _order(one) <= wanted), known[0])


async def vocabulary(binary: CodexBinary, cache: Path) -> Vocabulary:
    """What this version knows; asked of the binary once and kept in `cache`."""
    kept = cache / f"codex-{binary.version}.json"
    try:
        return msgspec.json.decode(await asyncio.to_thread(kept.read_bytes), type=Vocabulary)
    except (OSError, msgspec.DecodeError):
        seen = await ask(binary)
    await asyncio.to_thread(_keep, kept, seen)
    return seen


async def ask(binary: CodexBinary) -> Vocabulary:
    """Have the binary write its schema and read the names from it."""
    with tempfile.TemporaryDirectory(prefix="autopilot-schema-") as folder:
        process = await asyncio.create_subprocess_exec(
            binary.path,
            *("app-server", "generate-json-schema", "--experimental", "--out", folder),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(GENERATE_SECONDS):
                code = await process.wait()
        except TimeoutError:
            process.kill()
            code = await process.wait()
        if code != 0:
            raise CodexUnavailable(f"{binary.path} does not write its schema (exit code {code})")
        named = {kind: _methods(Path(folder) / f"{file}.json") for kind, file in FILES.items()}
    return Vocabulary(version=binary.version, **named)


def _methods(file: Path) -> list[str]:
    variants = msgspec.json.decode(file.read_bytes())["oneOf"]
    return sorted(variant["properties"]["method"]["enum"][0] for variant in variants)


def _keep(path: Path, seen: Vocabulary) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(seen), indent=1))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def _order(known: Vocabulary) -> tuple[int, ...]:
    return _numbers(known.version)
