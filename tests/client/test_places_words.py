"""The words of the phone's places: spend in figures, policy in lines, how things stand, how one is told, licences."""

from __future__ import annotations

import importlib.metadata
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from autopilot.client.connection import ConnectionState
from autopilot.client.diagnosis import Diagnosis, StreamFacts
from autopilot.client.offline_cache import CacheFacts
from autopilot.client.presenters import alerting, devices, diagnosis, licences, policy_lines, settings, spend_figures
from autopilot.client.presenters.people import Names
from autopilot.contract import (
    BudgetStanding,
    Device,
    HealthFact,
    MachineRateLimits,
    Policies,
    PolicyAnswering,
    PolicyApprovalRule,
    PolicyBudget,
    PolicyDenial,
    PolicySection,
    PolicyVerdict,
    PriceTable,
    RateLimitWindow,
    Revoked,
    SpendGroup,
    SpendMoney,
    SpendReport,
    TokenCounts,
    UnpricedModel,
)
from autopilot.contract.errors import NetworkError, Unavailable

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
USED = TokenCounts(
    input_tokens=900, cached_input_tokens=450, output_tokens=100, reasoning_output_tokens=50, total_tokens=1000
)
NONE = TokenCounts(input_tokens=0, cached_input_tokens=0, output_tokens=0, reasoning_output_tokens=0, total_tokens=0)
BY_DAY = SpendReport(
    first_day="2026-11-21",
    last_day="2026-11-23",
    by="day",
    groups=(SpendGroup(day="2026-11-22", tokens=USED),),
    left_out=0,
    totals=USED,
)


# Spend.


def test_totals_are_few_figures_with_cost_only_where_there_are_prices():
    assert [(one.name, one.value, one.note) for one in spend_figures.totals(BY_DAY)] == [
        ("Tokens", "1 k", "1,000"),
        ("Input", "900", "50 % from the cache"),
        ("Output", "100", "50 % reasoning"),
    ]
    priced = replace(BY_DAY, money=SpendMoney(micros=2_000_000, unpriced_tokens=5), currency="USD")
    assert spend_figures.totals(priced)[0].note == "some of it has no price"


def test_a_plot_has_a_bar_a_day_that_fills_its_axis_and_is_said_in_words():
    shown = spend_figures.plot(BY_DAY)
    assert shown is not None
    assert (shown.title, shown.top, len(shown.bars)) == ("Tokens a day", "1 k", 3)
    assert shown.bars[1] == (0.1, 0.45, 0.45)
    assert shown.bars[0] == (0, 0, 0)
    assert "1,000 tokens" in shown.spoken
    assert shown.rows == (("22 Nov", "1,000 tokens"),)
    assert shown.labels == ("21 Nov", "22 Nov", "23 Nov")
    assert shown.parts == spend_figures.TOKENS
    assert spend_figures.plot(replace(BY_DAY, totals=NONE, groups=())) is None


def test_models_over_time_are_columns_and_numbers_in_words():
    used = (("2026-11-21", "large", 75), ("2026-11-21", None, 20), ("2026-11-23", "small", 5))
    groups = tuple(
        SpendGroup(day=day, model=model, tokens=replace(NONE, total_tokens=total)) for day, model, total in used
    )
    report = replace(BY_DAY, by="day_model", groups=groups, left_out=3)
    shown = spend_figures.models(report)
    assert shown is not None
    assert (shown.parts, shown.top) == (("large", "Not said", "small"), "100")
    assert shown.bars == ((0.75, 0.2, 0.0), (0.0, 0.0, 0.0), (0.0, 0.0, 0.05))
    assert shown.rows == (("23 Nov", "small 5"), ("21 Nov", "large 75, Not said 20"))
    assert shown.sums == (("large", "75 tokens"), ("Not said", "20 tokens"), ("small", "5 tokens"))
    assert shown.left_out == "3 entries of the last days are left out."
    assert "large 75 %" in shown.spoken
    assert spend_figures.models(replace(report, groups=groups[:1])) is None, "one is no comparison"


def test_groups_say_their_share_and_what_is_left_out():
    group = SpendGroup(model="gpt-5", tokens=replace(USED, total_tokens=500))
    report = replace(BY_DAY, by="model", groups=(group,) * (spend_figures.LISTED + 2), left_out=3)
    shown = spend_figures.groups("model", report, {})
    assert (shown[0].name, shown[0].share, shown[0].spoken, shown[0].worker_id) == ("gpt-5", 0.5, "50 % of all", None)
    assert len(shown) == spend_figures.LISTED
    assert spend_figures.left_out(report) == "5 more are in the total."
    assert spend_figures.left_out(BY_DAY) == ""


def budget(used: int, level: str | None) -> BudgetStanding:
    return BudgetStanding(
        budget="daily",
        per="user",
        per_id="1",
        period="day",
        limit=1000,
        used=used,
        left=max(0, 1000 - used),
        on_exhausted="refuse",
        level=level,
        starts_on="2026-11-23",
        resets_at="2026-11-24T00:00:00Z",
        document="user",
        version=1,
    )


@pytest.mark.parametrize(
    ("used", "level", "tone", "share"),
    [(500, None, "busy", 0.5), (900, "warning", "warn", 0.9), (1500, "exhausted", "bad", 1.0)],
)
def test_a_budget_says_what_is_left_and_when_nothing_is(used: int, level: str | None, tone: str, share: float):
    (shown,) = spend_figures.budgets([budget(used, level)], Names(me=1))
    assert (shown.name, shown.tone, shown.share) == ("daily", tone, share)
    assert shown.words.endswith("left of 1 k, a day")
    assert ("used up: no new turns" in shown.detail) == (level == "exhausted")


@pytest.mark.parametrize(("percent", "tone"), [(10, "busy"), (90, "warn"), (130, "bad")])
def test_a_rate_limit_says_how_much_is_used_and_when_that_was_heard(percent: int, tone: str):
    window = RateLimitWindow(name="primary", used_percent=percent, window_minutes=300)
    said = MachineRateLimits(machine_id="m", machine_name="laptop", as_of="2026-11-23T07:50:00Z", windows=(window,))
    (shown,) = spend_figures.limits(replace(BY_DAY, rate_limits=(said,)), NOW)
    assert (shown.words, shown.tone, shown.share <= 1) == ("Codex · 5 hours", tone, True)
    assert "heard 10 min ago" in shown.detail


def test_prices_say_where_money_comes_from_and_what_has_none():
    assert spend_figures.prices(BY_DAY, PriceTable(version=0)).startswith("There is no price table.")
    unpriced = replace(BY_DAY, unpriced=(UnpricedModel(model="tiny", tokens=1500),))
    assert "not in the cost: tiny (1.5 k)." in spend_figures.prices(unpriced, PriceTable(version=2, currency="USD"))


# Policy.


def test_a_policy_is_said_in_lines_with_whose_word_it_is():
    found = Policies(
        effective=(
            PolicySection(name="methods", document="user", version=3, limited=False, deny=("thread/fork",)),
            PolicySection(name="models", document="installation", version=1, limited=True, allow=("gpt-5", "gpt-6")),
            PolicySection(name="lanes", document="builtin", limited=True),
        ),
        answering=(PolicyAnswering(document="team", version=2, who="viewer", limited=True),),
        rules=(
            PolicyApprovalRule(
                document="user",
                version=3,
                rule_id="approvals.rule[0]",
                name="look around",
                kind="command",
                decision="accept",
                command=("git", "status"),
                folders=("/srv/work",),
            ),
        ),
        budgets=(
            PolicyBudget(
                document="user", version=3, name="all", per="user", period="ever", tokens=5000, on_exhausted="refuse"
            ),
        ),
    )
    said = {
        part.title: [(one.about, one.words, one.source) for one in part.lines] for part in policy_lines.parts(found)
    }
    assert said == {
        "What may be asked for": [
            ("Methods", "Anything, but not thread/fork", "Your own policy, version 3"),
            ("Models", "Only gpt-5, gpt-6", "The installation's policy, version 1"),
            ("Lanes", "Nothing", "Autopilot itself"),
        ],
        "Who answers Codex": [("Viewer", "Nothing", "The team's policy, version 2")],
        "Decided by rule": [
            ("look around", "A command git status in /srv/work: Accepted", "Your own policy, version 3")
        ],
        "Budgets": [("all", "5,000 tokens for each user, in all", "Your own policy, version 3")],
    }
    assert policy_lines.parts(Policies()) == ()


def test_a_long_list_is_cut_and_says_so():
    section = PolicySection(name="folders", document="user", version=1, limited=True, allow=tuple("abcdefghijklmnop"))
    (part,) = policy_lines.parts(Policies(effective=(section,)))
    assert part.lines[0].words.endswith("l and 4 more")


def test_a_trial_says_yes_or_which_rule_says_no():
    label, rule = policy_lines.verdict("turn/start", PolicyVerdict(allowed=True))
    assert (label.tone, rule) == ("good", "")
    denial = PolicyDenial(
        reason_code="policy_denied.model", rule_id="models.allow", document="user", version=2, field="model"
    )
    label, rule = policy_lines.verdict("turn/start", PolicyVerdict(allowed=False, denial=denial))
    assert label.text == "Refused: A policy does not allow this model"
    assert rule == "models.allow of your own policy, version 2; it is about model"
    assert policy_lines.verdict("x", PolicyVerdict(allowed=False))[0].tone == "bad"


# Devices.


def test_a_device_says_what_it_is_and_what_signing_it_out_means():
    phone = Device(device_id="d", surface="ios", platform="ios", name="Pocket", address="203.0.113.7")
    assert (devices.name(phone), devices.about(phone)) == ("Pocket", "ios · iPhone app · 203.0.113.7")
    assert devices.seen(phone, NOW) == "Last seen never · since ?"
    assert devices.held(phone) is None
    assert "came in by mail" in (devices.held(replace(phone, held_until="2026-11-24T00:00:00Z")) or "")
    machine = replace(phone, machine_id="m", name=None, platform=None)
    assert (devices.name(machine), devices.about(machine)) == ("iPhone app", "machine · 203.0.113.7")
    assert devices.name(machine, {"m": "laptop"}) == "laptop"
    assert "companion" in devices.leaving(machine)
    assert devices.leaving(phone) != devices.leaving(machine)


@pytest.mark.parametrize(
    ("done", "words"),
    [
        (Revoked(revoked=0), "Nothing else was signed out."),
        (Revoked(revoked=1), "1 device is signed out."),
        (Revoked(revoked=3, guests=2), "3 are signed out. 2 of its guests with it."),
    ],
)
def test_it_is_said_how_many_were_signed_out(done: Revoked, words: str):
    assert devices.revoked_others(done).text == words


# How things stand.


def known(**more: object) -> Diagnosis:
    heard = NOW - timedelta(seconds=4)
    error = NetworkError("no way", reason_code="silent", request_id="req-9")
    live = ConnectionState(kind="live", since=NOW - timedelta(minutes=3), heard_at=heard, openings=3, latest_seq=9)
    waiting = ConnectionState(
        kind="waiting", delivery="long_poll", attempt=2, retry_at=NOW + timedelta(seconds=9), error=error
    )
    failure = {
        "ts": "2026-11-23T07:59:00Z",
        "level": "warning",
        "event": "client.call_failed",
        "operation": "workers.list",
        "status": 503,
        "reason_code": "no_runtime",
        "x_request_id": "req-1",
    }
    facts = {
        "at": NOW,
        "version": "0.1.0",
        "contract": "1.0.0",
        "server": "https://autopilot.example",
        "user_id": 1,
        "device_id": "dev_1",
        "phase": "here",
        "is_online": True,
        "api": HealthFact(state="ok"),
        "streams": (StreamFacts("everything", live, "opaque…"), StreamFacts("desktopw:1", waiting, "17")),
        "cache": CacheFacts(12_345, "2026-11-23T07:59:30Z"),
        "server_ahead_seconds": 0.4,
        "lines": (failure,),
        "failures": (failure,),
    }
    return Diagnosis(**{**facts, **more})


def test_a_stream_says_its_state_since_when_heard_place_and_reconnections():
    everything, worker = known().streams
    assert diagnosis.stream_name(everything) == "Everything"
    said = dict(diagnosis.stream_facts(everything, NOW))
    assert said["Since"] == "3 min ago (2026-11-23 07:57:00 UTC)"
    assert said["Last heard"].startswith("4 s ago")
    assert (said["Cursor"], said["End of the log"], said["Reconnections"]) == ("opaque…", "9", "2")
    said = dict(diagnosis.stream_facts(worker, NOW))
    assert diagnosis.stream_state(worker).text == "Waits to try again"
    assert said["Delivery"].startswith("Long polls")
    assert (said["Seq"], said["Failures in a row"], said["Last failure"]) == ("17", "2", "silent, request req-9")
    assert said["Last heard"] == "Never"


@pytest.mark.parametrize(
    ("ahead", "words", "tone"),
    [
        (None, "Not known yet", "quiet"),
        (-1.5, "The same as this phone's", "good"),
        (12.0, "12 s ahead of this phone's", "quiet"),
        (-90.0, "90 s behind this phone's", "warn"),
    ],
)
def test_clocks_are_compared_in_words(ahead: float | None, words: str, tone: str):
    said = diagnosis.clock_words(ahead)
    assert (said.text, said.tone) == (words, tone)


def test_what_is_kept_and_what_the_network_is_are_facts():
    said = dict(diagnosis.about(known()))
    assert (said["Network"], said["Offline cache"]) == ("There is one", "12.3 kB, kept 30 s ago")
    said = dict(diagnosis.about(known(cache=None, is_online=None)))
    assert (said["Network"], said["Offline cache"]) == ("Not told", "None")
    assert dict(diagnosis.about(known(is_online=False)))["Network"] == "None"


def test_a_failure_is_said_with_its_time_and_request_id():
    (line,) = known().failures
    assert diagnosis.failure_words(line) == "A call failed: workers.list"
    assert diagnosis.failure_detail(line) == "2026-11-23 07:59:00 UTC · 503 no_runtime · request req-1"
    assert diagnosis.failure_words({"event": "moon.landed"}) == "Moon landed"


def test_what_is_exported_holds_the_log_and_no_credential():
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
    line = {"event": "x", "refresh_token": "hidden-refresh-1", "message_text": f"said Bearer {token}"}
    text = diagnosis.text(known(lines=(*known().lines, line)))
    assert "workers.list" in text
    assert "https://autopilot.example" in text
    assert "Reconnections: 2" in text
    assert "hidden-refresh-1" not in text
    assert token not in text


# Settings.


def test_how_one_is_told_is_what_the_guide_says():
    guide = " ".join((Path(__file__).resolve().parents[2] / "docs/guide/notifications.md").read_text().split())
    steps = " ".join(alerting.STEPS)
    for words in ("trusted HTTPS", "Add to Home Screen", "Turn on in this browser", "Send a test", "at once"):
        assert words in guide
        assert words in steps


def test_every_python_part_of_the_app_is_listed_with_its_licence():
    roots = ["flet", "flet-local-auth", "flet-secure-storage", "httpx2"]
    needed: set[str] = set()
    while roots:
        name = re.sub(r"[-_.]+", "-", roots.pop()).lower()
        if name in needed:
            continue
        needed.add(name)
        for said in importlib.metadata.requires(name) or []:
            wanted = re.match(r"[A-Za-z0-9._-]+", said)
            assert wanted is not None
            if "extra ==" not in said and "== 'emscripten'" not in said and 'python_version < "3.11"' not in said:
                roots.append(wanted.group())
    assert needed <= licences.PYTHON.keys()
    for name, licence in licences.PYTHON.items():
        said = importlib.metadata.metadata(name).get("License-Expression")
        assert said in (None, licence), name
    assert ("CPython", "PSF-2.0") in licences.listed()


def test_a_sign_out_that_the_server_was_not_told_of_says_where_to_end_it():
    assert "revoke this phone" in settings.not_told(Unavailable("away")).text
    assert [name for name, _ in settings.versions()] == ["Autopilot", "Contract"]
