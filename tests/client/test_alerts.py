"""Each thing is told once, and only what is news to somebody who is not looking."""

from __future__ import annotations

from autopilot.client.alerts import Alerts
from autopilot.client.overview import OverviewFold
from autopilot.contract import Actor, Owner, SeqFact
from autopilot.testing.clock import FakeClock
from autopilot.testing.principal import Principal


class Watch:
    """A principal, and what is told of it."""

    def __init__(self) -> None:
        self.principal = Principal()
        self.principal.work("w", "idle", title=SeqFact(value="Fix the build", seq=1))
        self.fold = OverviewFold()
        self.clock = FakeClock()
        self.alerts = Alerts(self.clock.now, user_id=1)
        self.place = 0

    def told(self, on_screen: str | None = None) -> list[tuple[str, str]]:
        """What is told now, after all that happened."""
        found = []
        for entry in self.principal.changes[self.place :]:
            self.fold.take(entry)
            found += self.alerts.take(self.fold.overview, on_screen=on_screen)
        self.place = len(self.principal.changes)
        found += self.alerts.take(self.fold.overview, on_screen=on_screen)
        return [(alert.kind, alert.title) for alert in found]

    def reopen(self) -> list[tuple[str, str]]:
        """Another connection tells everything anew."""
        found = []
        for entry in self.principal.opening():
            self.fold.take(entry)
            found += self.alerts.take(self.fold.overview)
        self.place = len(self.principal.changes)
        return [(alert.kind, alert.title) for alert in found]


def test_nothing_of_the_first_look_nor_of_a_replay_is_told():
    watch = Watch()
    watch.principal.ask("ap", "w")
    assert watch.reopen() == []
    assert watch.told() == []
    assert watch.reopen() == []


def test_a_question_is_told_once_also_when_it_came_while_away():
    watch = Watch()
    watch.reopen()
    watch.principal.ask("ap1", "w")
    assert watch.told() == [("approval", "Codex asks: Fix the build")]
    watch.principal.answer("ap1", "decided")
    watch.principal.answer("ap1", "pending")
    assert watch.told() == []
    watch.principal.ask("ap2", "w")
    assert watch.reopen() == [("approval", "Codex asks: Fix the build")]
    assert watch.reopen() == []


def test_of_the_worker_on_the_screen_nothing_is_told_but_an_open_question_is_afterwards():
    watch = Watch()
    watch.reopen()
    watch.principal.ask("ap", "w")
    watch.principal.work("w", "running")
    watch.principal.work("w", "idle")
    assert watch.told("w") == []
    assert watch.told(None) == [("approval", "Codex asks: Fix the build")]


def test_a_turn_that_is_done_or_failed_is_told_and_one_that_was_ended_on_purpose_is_not():
    watch = Watch()
    watch.reopen()
    watch.principal.work("w", "running")
    assert watch.told() == []
    watch.principal.work("w", "idle")
    assert watch.told() == [("turn", "Done: Fix the build")]
    watch.principal.work("w", "running")
    watch.principal.work("w", "error")
    assert watch.told() == [("failure", "Failed: Fix the build")]
    watch.principal.work("w", "running")
    watch.principal.request("w", "i", "turn/interrupt")
    watch.principal.work("w", "idle")
    assert watch.told() == []


def test_a_turn_that_ends_long_after_an_interruption_is_told():
    watch = Watch()
    watch.reopen()
    watch.principal.request("w", "i", "turn/interrupt")
    watch.principal.move(("worker", "w", "i"), "completed")
    watch.principal.work("w", "running")
    assert watch.told() == []
    watch.clock._elapsed += 120.0
    watch.principal.work("w", "idle")
    assert watch.told() == [("turn", "Done: Fix the build")]


def test_of_ones_own_requests_a_stop_is_told_and_what_took_long():
    watch = Watch()
    watch.reopen()
    principal = watch.principal
    principal.request("w", "quick")
    principal.move(("worker", "w", "quick"), "completed")
    principal.request("w", "stop", "worker/stop")
    principal.move(("worker", "w", "stop"), "completed")
    principal.request("w", "others", "worker/stop", actor=Actor(user_id=2, surface="web"))
    principal.move(("worker", "w", "others"), "completed")
    assert watch.told() == [("request", "Stopped: Fix the build")]
    principal.request("w", "slow")
    for _ in range(20):
        principal.instant()
    principal.move(("worker", "w", "slow"), "failed")
    assert watch.told() == [("request", "Your message failed: Fix the build")]


def test_a_recovery_is_told_and_what_is_of_others_or_of_long_ago_is_not():
    watch = Watch()
    watch.reopen()
    watch.principal.hold("d1")
    assert watch.told() == [("recovery", "Somebody signed in without a passkey: another device")]
    watch.principal.hold("d1", "over")
    watch.principal.work("theirs", owner=Owner(user_id=2, team_id="t"))
    watch.principal.ask("ap", "theirs")
    assert watch.told() == []
    watch.principal.ask("old", "w", requested_at="2025-12-31T23:00:00Z")
    assert watch.told() == []
