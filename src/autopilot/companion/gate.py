"""The drift gate: what may be asked of the Codex that we are connected to, given what became of its protocol.

Owns the verdicts by version, found once each. Relies on `codex.drift` for them. A handshake that is broken refuses a
start, a broken method refuses the requests that rely on it, and everything else runs. Never ends a session.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import structlog

from autopilot.companion.codex import drift, reliance
from autopilot.companion.codex.binary import CodexBinary
from autopilot.companion.codex.drift import Drift
from autopilot.companion.codex.messages import CodexUnavailable
from autopilot.companion.outcomes import Outcome, failed

NAMED = 20
"""So many names of a kind are told; of more, only how many there are."""

log = structlog.get_logger(__name__)


class DriftStanding(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is said of one Codex's protocol: to the runtime, in the status file, in the log."""

    message: str
    """In words."""
    verdict: str
    """`same`, `additive`, `unknown_questions`, `breaking`; `unchecked` where its schema is not to be had."""
    version: str
    baseline: str | None = None
    """The recorded version that it was compared with."""
    broken: dict[str, list[str]] = {}
    """What we rely on -> what of it is broken, in words."""
    unknown_questions: list[str] = []
    added: dict[str, int] = {}
    """How many names of a kind are new."""


class Gate:
    """One for each companion; `learn` first."""

    def __init__(self, binary: CodexBinary, cache: Path) -> None:
        self.binary = binary
        self._cache = cache
        self._known: dict[str, Drift | None] = {}

    async def learn(self) -> None:
        """Judge the program that we would start; from the cache where it is the one that it was."""
        try:
            found = await drift.check(self.binary, self._cache)
        except CodexUnavailable as error:
            log.warning("codex.drift_unknown", error=str(error))
            return
        self._take(self.binary.version, found)

    async def of(self, version: str) -> Drift | None:
        """The drift of the Codex that runs, which may be another than the program; None: nobody knows."""
        if version not in self._known:
            self._take(version, await drift.known_version(version, self._cache))
        return self._known[version]

    def refusal(self) -> str | None:
        """Why our program is not started at all, in words; None: it may be."""
        found = self._known.get(self.binary.version)
        return found.sentence() if found is not None and found.handshake_broken else None

    async def refused(self, version: str, method: str) -> Outcome | None:
        """The receipt of a request that relies on what is broken; None: it may be asked."""
        found = await self.of(version)
        if found is None:
            return None
        broken = {name: found.broken[name] for name in reliance.needed(method) & found.broken.keys()}
        if not broken:
            return None
        words = "; ".join(f"{name} {', '.join(why)}" for name, why in sorted(broken.items()))
        message = f"Codex {version} speaks another protocol than this companion knows: {words}. Nothing was asked"
        return failed("codex_drift", message, codex_version=version, broken=broken)

    def standing(self, version: str) -> DriftStanding:
        """What to say of this version, as far as it is known by now."""
        found = self._known.get(version)
        other = "" if version == self.binary.version else f"; the Codex installed here is {self.binary.version}"
        if found is None:
            message = f"Codex {version} was not compared with what is recorded: its schema is not to be had{other}"
            return DriftStanding(message, "unchecked", version)
        return DriftStanding(
            found.sentence() + other,
            found.verdict,
            version,
            baseline=found.baseline,
            broken=dict(list(found.broken.items())[:NAMED]),
            unknown_questions=list(found.unknown_questions[:NAMED]),
            added={kind: len(names) for kind, names in found.added.items()},
        )

    def _take(self, version: str, found: Drift | None) -> None:
        self._known[version] = found
        told = self.standing(version)
        worrying = told.verdict in {"unchecked", "breaking", "unknown_questions"}
        (log.warning if worrying else log.info)("codex.drift", verdict=told.verdict, found=told.message)
