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
TOGETHER = (
    ("codex", "companion"),
    ("companion", "server"),
    ("companion", "postgres"),
    ("server", "postgres"),
    ("codex", "server"),
    ("codex", "up"),
    ("everything",),
)


@dataclass(frozen=True)
class Turn:
    """One message of a person's."""

    request_id: str
    steps: tuple[dict[str, Any], ...]
    to_its_end: bool
    """Wait for the turn's end before the next message; else that one comes right behind."""
    twice: bool
    """A second client asks the same, with the same id, at the same time."""


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

    def __str__(self) -> str:
        return (
            f"{'+'.join(self.victims)} at turn {self.turn} after {self.after_events} events"
            f" (or {self.at_most_seconds:.2f} s) and {self.then_seconds * 1000:.0f} ms"
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

    def __str__(self) -> str:
        asked = ", ".join(
            f"{turn.request_id}{' twice' if turn.twice else ''}{'' if turn.to_its_end else ', not waited for'}"
            for turn in self.turns
        )
        which = f"seed {self.seed} {' '.join(self.shape)}{'' if self.known else ' on a fresh thread'}"
        return f"{which}: {asked}; " + "; ".join(map(str, self.strikes))


def plan(seed: int) -> Plan:
    """The round of this seed."""
    rng = random.Random(seed)
    turns = tuple(_turn(rng, seed, number) for number in range(rng.choice((1, 2, 2, 3))))
    strikes = sorted(
        (_strike(rng, len(turns)) for _ in range(rng.choice((1, 1, 2, 3)))),
        key=lambda one: (one.turn, one.after_events),
    )
    first = SINGLE[seed % len(SINGLE)]  # a few seeds meet everybody
    if seed % 10 == 9:
        strikes[0] = _with(strikes[0], ("everything",))
    else:
        strikes[0] = _with(strikes[0], (first,))
    return Plan(seed, ("--split",) if seed // 5 % 2 else (), rng.random() < 0.85, turns, tuple(strikes))


def _with(strike: Strike, victims: tuple[str, ...]) -> Strike:
    return Strike(victims, strike.turn, strike.after_events, strike.at_most_seconds, strike.then_seconds)


def _strike(rng: random.Random, turns: int) -> Strike:
    return Strike(
        victims=rng.choice(TOGETHER) if rng.random() < 0.4 else (rng.choice(SINGLE),),
        turn=rng.randrange(turns),
        after_events=rng.randrange(40),
        at_most_seconds=rng.uniform(0.5, 4.0),
        then_seconds=rng.choice((0.0, rng.uniform(0.0, 0.2))),
    )


def _turn(rng: random.Random, seed: int, number: int) -> Turn:
    name = f"seed{seed}-{number}.txt"
    lines = rng.randrange(1, 40)
    steps: list[dict[str, Any]] = [
        {
            "say": f"I begin with part {number} and say it in pieces.",
            "shell": f"for i in $(seq {lines}); do echo line $i; done; sleep {rng.choice((0, 0.1, 0.4))}",
        },
        {"patch": f"*** Begin Patch\n*** Add File: {name}\n+written in turn {number}\n*** End Patch\n"},
        {"reason": "Now a look at what came of it.", "say": "A look at it.", "shell": f"cat {name}"},
        {"say": f"Part {number} is done, as far as I can see.", "delay": rng.choice((0.005, 0.03))},
    ]
    kept = [step for step in steps if rng.random() < 0.85] or steps[-1:]
    return Turn(
        request_id=f"seed{seed}-turn{number}",
        steps=tuple(kept),
        to_its_end=rng.random() < 0.7,
        twice=rng.random() < 0.4,
    )
