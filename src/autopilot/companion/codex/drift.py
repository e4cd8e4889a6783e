"""Does this Codex speak the protocol that we know? Its own schema against the recorded ones, judged by what we rely on.

Owns the baselines (`baselines/<version>.json`), the verdict, and a cache of what each version said of itself. Never
stops anything itself: it says what is broken, and the companion refuses or does without.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache as once
from importlib import resources
from pathlib import Path
from typing import Literal

import msgspec

from autopilot.companion import whole_file
from autopilot.companion.codex import questions, reliance, schema
from autopilot.companion.codex.binary import CodexBinary, numbers
from autopilot.companion.codex.schema import FILES, Vocabulary

Verdict = Literal["same", "additive", "unknown_questions", "breaking"]
Names = dict[str, list[str]]


@dataclass(frozen=True, slots=True)
class Drift:
    """How a Codex differs from the nearest recorded version."""

    version: str
    baseline: str
    added: Names = field(default_factory=dict)
    """By kind of name (`methods`, `notifications`, `questions`)."""
    removed: Names = field(default_factory=dict)
    broken: Names = field(default_factory=dict)
    """A name that we rely on -> what of it is broken, in words."""
    unknown_questions: tuple[str, ...] = ()
    """What it asks and we know no form for: it is shown as unsupported."""

    @property
    def verdict(self) -> Verdict:
        """The worst that is true of it."""
        if self.broken:
            return "breaking"
        if self.unknown_questions:
            return "unknown_questions"
        return "additive" if self.added or self.removed else "same"

    @property
    def handshake_broken(self) -> bool:
        """Whether there can be no session with it at all."""
        return not reliance.HANDSHAKE.isdisjoint(self.broken)

    def sentence(self) -> str:
        """The verdict in words."""
        if self.verdict == "same":
            return f"Codex {self.version} speaks the protocol recorded for {self.baseline}"
        parts = [f"{len(names)} {kind} added" for kind, names in self.added.items()]
        parts += [f"{kind} removed: {', '.join(names)}" for kind, names in self.removed.items()]
        if self.unknown_questions:
            parts.append(f"asks what is not known here: {', '.join(self.unknown_questions)}")
        parts += [f"{name} {'; '.join(words)}" for name, words in self.broken.items()]
        tail = "what we rely on is broken" if self.broken else "nothing that we rely on is missing"
        return f"Codex {self.version} differs from {self.baseline} ({tail}): {'; '.join(parts)}"


async def check(binary: CodexBinary, cache: Path) -> Drift:
    """Compare `binary` with the nearest recorded version; asked of the binary only once.

    Raises:
        CodexUnavailable: it does not tell its schema.
    """
    return judge(await vocabulary(binary, cache))


def judge(seen: Vocabulary) -> Drift:
    """Compare with the nearest recorded version."""
    return compare(nearest(seen.version), seen)


def compare(baseline: Vocabulary, seen: Vocabulary) -> Drift:
    """What differs between two vocabularies, and what of it breaks us. Pure."""
    added: Names = {}
    removed: Names = {}
    for kind in FILES:
        before, now = set(getattr(baseline, kind)), set(getattr(seen, kind))
        if now - before:
            added[kind] = sorted(now - before)
        if before - now:
            removed[kind] = sorted(before - now)
    broken = _broken(reliance.METHODS, seen.methods, baseline, seen)
    broken |= _broken(reliance.NOTIFICATIONS, seen.notifications, baseline, seen)
    unknown = [one for one in seen.questions if one not in questions.KINDS and not questions.is_to_machine(one)]
    return Drift(seen.version, baseline.version, added, removed, broken, tuple(unknown))


def _broken(relied_on: Mapping[str, frozenset[str]], known: list[str], baseline: Vocabulary, seen: Vocabulary) -> Names:
    found = {}
    for name, paths in sorted(relied_on.items()):
        words = ["is gone"] if name not in known else _trouble(name, paths, baseline, seen)
        if words:
            found[name] = words
    return found


def _trouble(name: str, paths: frozenset[str], baseline: Vocabulary, seen: Vocabulary) -> list[str]:
    before, now = baseline.fields.get(name, {}), seen.fields.get(name, {})
    words = []
    for path in sorted(paths & before.keys()):
        if path not in now:
            words.append(f"has no {path}")
        elif now[path] != before[path]:
            words.append(f"has {path} as {now[path]}, was {before[path]}")
    sent = {path.removeprefix("params.") for path in paths}
    demanded = set(seen.required.get(name, [])) - set(baseline.required.get(name, [])) - sent
    return words + [f"demands params.{param}" for param in sorted(demanded)]


@once
def recorded() -> tuple[Vocabulary, ...]:
    """The baselines, oldest version first."""
    folder = resources.files("autopilot.companion.codex") / "baselines"
    found = [file for file in folder.iterdir() if file.name.endswith(".json")]
    known = [msgspec.json.decode(file.read_bytes(), type=Vocabulary) for file in found]
    return tuple(sorted(known, key=lambda one: numbers(one.version)))


def nearest(version: str) -> Vocabulary:
    """The recorded version to compare with: the newest that is not newer, else the oldest."""
    known, wanted = recorded(), numbers(version)
    return next((one for one in reversed(known) if numbers(one.version) <= wanted), known[0])


class _Kept(msgspec.Struct, frozen=True):
    identity: str
    """Of the program that said it."""
    vocabulary: Vocabulary


async def vocabulary(binary: CodexBinary, cache: Path) -> Vocabulary:
    """What this program knows; asked once and kept in `cache`, until it or what we rely on is another."""
    path, identity = _path(cache, binary.version), await asyncio.to_thread(_identity, binary)
    kept = await asyncio.to_thread(_read, path)
    if kept is not None and kept.identity == identity and _is_complete(kept.vocabulary):
        return kept.vocabulary
    seen = await schema.ask(binary)
    await asyncio.to_thread(whole_file.replace, path, msgspec.json.encode(_Kept(identity, seen)))
    return seen


async def known_version(version: str, cache: Path) -> Drift | None:
    """The drift of a version whose program is not at hand: recorded, or asked earlier; None: nothing is known."""
    for one in recorded():
        if one.version == version:
            return judge(one)
    kept = await asyncio.to_thread(_read, _path(cache, version))
    return judge(kept.vocabulary) if kept is not None and _is_complete(kept.vocabulary) else None


def _is_complete(seen: Vocabulary) -> bool:
    """Whether everything was looked at that this version of ours relies on."""
    return reliance.relied_on() & {*seen.methods, *seen.notifications} <= seen.fields.keys()


def _identity(binary: CodexBinary) -> str:
    real = binary.path.resolve()
    made = real.stat()
    return f"{binary.version} {real} {made.st_size} {made.st_mtime_ns} {made.st_ino}"


def _path(cache: Path, version: str) -> Path:
    return cache / f"codex-{version}.json"


def _read(path: Path) -> _Kept | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Kept)
    except (OSError, msgspec.DecodeError):
        return None
