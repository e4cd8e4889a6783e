"""What happens in one round: who is killed at which point of which turn, and what is asked meanwhile.

Pure: everything is drawn from the seed, nothing from the clock.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

FULL_ACCESS = {"approvalPolicy": "never", "sandbox": "danger-full-access"}

SINGLE = ("codex", "codex_group", "companion", "server", "postgres", "backend", "follower", "connection", "up")
"""Who is killed alone. `server`: where API and runtime are apart, one of them or both."""
SELDOM = ("model", "clean_stop")
"""The scripted model, which is no part of a real installation; and SIGTERM for `up`, in the middle of everything."""
TOGETHER = (
    ("codex", "companion"),
    ("companion", "server"),
    ("companion", "postgres"),
    ("server", "postgres"),
    ("codex", "server"),
    ("codex", "up"),
    ("everything",),
)


BESIDE = ("read", "steer", "interrupt", "append", "handshake")
"""Other things that people and programs do meanwhile."""


@dataclass(frozen=True)
class Turn:
    """One message of a person's."""

    request_id: str
    steps: tuple[dict[str, Any], ...]
    to_its_end: bool
    """Wait for the turn's end before the next message; else that one comes right behind."""
    twice: bool
    """A second client asks the same, with the same id, at the same time."""
    beside: tuple[str, ...]
    """What else is asked while it runs: of BESIDE."""


@dataclass(frozen=True)
class Strike:
    """One blow."""

    victims: tuple[str, ...]
    turn: int
    """At this turn."""
    after_events: int
    """So many events after its message went out …"""
    at_most_seconds: float
    """… or after this time, where so many do not come."""
    then_seconds: float
    """Between two events is a point too."""
    starting_seconds: tuple[float, ...]
    """Where `up` is among them: its next starts are killed after these times, before one may come to its end."""

    def __str__(self) -> str:
        return (
            f"{'+'.join(self.victims)} at turn {self.turn} after {self.after_events} events"
            f" (or {self.at_most_seconds:.2f} s) and {self.then_seconds * 1000:.0f} ms"
            f"{''.join(f', start killed after {seconds:.2f} s' for seconds in self.starting_seconds)}"
        )


@dataclass(frozen=True)
class Plan:
    """One round."""

    seed: int
    shape: tuple[str, ...]
    known: bool
    """The thread has had a turn before anything happens: Codex keeps no thread that never had one."""
    turns: tuple[Turn, ...]
    strikes: tuple[Strike, ...]
    at_the_stop: Strike
    """At the end the worker is stopped in the middle of a turn, and this happens."""

    def __str__(self) -> str:
        asked = ", ".join(
            f"{turn.request_id}{' twice' if turn.twice else ''}{'' if turn.to_its_end else ', not waited for'}"
            for turn in self.turns
        )
        which = f"seed {self.seed} {' '.join(self.shape)}{'' if self.known else ' on a fresh thread'}"
        return f"{which}: {asked}; " + "; ".join(map(str, (*self.strikes, f"at the stop {self.at_the_stop}")))


def plan(seed: int) -> Plan:
    """The round of this seed."""
    rng = random.Random(seed)
    turns = tuple(_turn(rng, seed, number) for number in range(rng.choice((1, 2, 2, 3))))
    first = ("everything",) if seed % 10 == 9 else (SINGLE[seed % 10],)  # ten seeds meet everybody
    blows = [_strike(rng, len(turns), first), *(_strike(rng, len(turns)) for _ in range(rng.choice((0, 1, 2, 3))))]
    return Plan(
        seed=seed,
        shape=("--split",) if seed // 5 % 2 else (),
        known=rng.random() < 0.85,
        turns=turns,
        strikes=tuple(sorted(blows, key=lambda one: (one.turn, one.after_events))),
        at_the_stop=_strike(rng, 1),
    )


def _strike(rng: random.Random, turns: int, victims: tuple[str, ...] | None = None) -> Strike:
    together, seldom = rng.random() < 0.4, rng.random() < 0.1
    drawn = rng.choice(TOGETHER) if together else (rng.choice(SELDOM if seldom else SINGLE),)
    return Strike(
        victims=victims or drawn,
        turn=rng.randrange(turns),
        after_events=rng.choice((0, rng.randrange(12), rng.randrange(60))),
        at_most_seconds=rng.uniform(0.2, 3.0),
        then_seconds=rng.choice((0.0, rng.uniform(0.0, 0.1), rng.uniform(0.0, 1.0))),
        starting_seconds=tuple(rng.uniform(0.0, 4.0) for _ in range(rng.choice((0, 0, 1, 2)))),
    )


def _turn(rng: random.Random, seed: int, number: int) -> Turn:
    steps = tuple(_step(rng, f"seed{seed}-{number}-{place}.txt") for place in range(rng.randrange(1, 9)))
    return Turn(
        request_id=f"seed{seed}-turn{number}",
        steps=steps,
        to_its_end=rng.random() < 0.6,
        twice=rng.random() < 0.4,
        beside=tuple(rng.sample(BESIDE, k=rng.randrange(1, len(BESIDE)))),
    )


def _step(rng: random.Random, name: str) -> dict[str, Any]:
    say = {"say": f"Now to {name}, in several pieces of some length.", "delay": rng.choice((0.005, 0.02))}
    lines, wait = rng.randrange(1, 60), rng.choice((0, 0.05, 0.3))
    kinds: tuple[dict[str, Any], ...] = (
        {"shell": f"for i in $(seq {lines}); do echo line $i; done; sleep {wait}; echo done >> {name}"},
        {"shells": [f"echo one >> {name}", f"sleep {wait}; echo two"]},
        {"patch": f"*** Begin Patch\n*** Add File: {name}\n+written here\n*** End Patch\n"},
        {"reason": "This wants some thought, and the thought has a summary.", "shell": "ls | wc -l"},
        {"plan": ["Look", "Change", "Check"]},
        {"shell": "false"},
    )
    return (say if rng.random() < 0.6 else {}) | rng.choice(kinds)
