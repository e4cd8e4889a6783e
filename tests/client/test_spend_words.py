"""Spend in words and columns."""

from __future__ import annotations

from datetime import date

import pytest

from autopilot.client.presenters import spend, spend_models
from autopilot.client.presenters.people import Names
from autopilot.contract import BudgetStanding, RateLimitWindow, SpendGroup, SpendMoney, SpendReport, TokenCounts


def counts(total: int) -> TokenCounts:
    return TokenCounts(
        input_tokens=total,
        cached_input_tokens=total // 2,
        output_tokens=0,
        reasoning_output_tokens=0,
        total_tokens=total,
    )


def report(first: str, last: str, used: dict[str, int]) -> SpendReport:
    groups = tuple(SpendGroup(day=day, tokens=counts(total)) for day, total in used.items())
    return SpendReport(
        first_day=first, last_day=last, by="day", groups=groups, left_out=0, totals=counts(sum(used.values()))
    )


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0"),
        (999, "999"),
        (1000, "1 k"),
        (1234, "1.23 k"),
        (123_456, "123 k"),
        (999_499, "999 k"),
        (999_741, "1 M"),
        (12_345_678, "12.3 M"),
        (10**10, "10 bn"),
    ],
)
def test_a_count_is_told_in_three_digits(count: int, words: str) -> None:
    assert spend.short(count) == words


def test_days_without_use_are_columns_too() -> None:
    shown = spend.columns(report("2026-11-20", "2026-11-23", {"2026-11-21": 10}))
    assert [(one.label, one.tokens.total_tokens) for one in shown] == [
        ("20 Nov", 0),
        ("21 Nov", 10),
        ("22 Nov", 0),
        ("23 Nov", 0),
    ]


def test_many_days_are_weeks_from_monday_and_nothing_is_lost() -> None:
    shown = spend.columns(report("2025-11-24", "2026-11-23", {"2025-11-24": 3, "2026-11-22": 4, "2026-11-23": 5}))
    assert (shown[-2].label, shown[-2].tokens.total_tokens) == ("16 to 22 Nov", 4)
    assert (shown[-1].label, shown[-1].tokens.total_tokens) == ("23 Nov", 5)
    assert sum(one.tokens.total_tokens for one in shown) == 12
    assert shown[1].first_day == date(2025, 12, 1)


def test_money_with_unpriced_tokens_has_a_plus() -> None:
    assert spend.money_words(SpendMoney(micros=1_250_000, unpriced_tokens=0), "USD") == "1.2500 USD"
    assert spend.money_words(SpendMoney(micros=1_234_500_000, unpriced_tokens=7), "USD") == "1,234.50 USD+"
    assert spend.money_words(SpendMoney(micros=None, unpriced_tokens=7), "USD") is None
    assert spend.money_words(None, None) is None


def test_a_group_is_named_by_the_best_that_is_known() -> None:
    one = SpendGroup(worker_id="w:1", machine_id="m", user_id=7, tokens=counts(1))
    assert spend.name_of("worker", one, {"w:1": "Write tests"}) == "Write tests"
    assert spend.name_of("machine", one, {}) == "m"
    assert spend.name_of("user", one, {}) == "User 7"
    assert spend.name_of("team", one, {}) == "Not shared with a team"
    assert spend.name_of("model", one, {}) == "Not said"


@pytest.mark.parametrize(("most", "top"), [(1, 1), (3, 5), (11, 20), (7404, 10_000), (50_000, 50_000)])
def test_an_axis_ends_with_a_round_number(most: int, top: int) -> None:
    assert spend.ceiling(most) == top


def test_a_window_is_told_by_its_length() -> None:
    def words(minutes: int | None) -> str:
        return spend.window_words(RateLimitWindow(name="primary", used_percent=1, window_minutes=minutes))

    assert [words(300), words(10_080), words(60), words(90), words(None)] == [
        "5 hours",
        "7 days",
        "1 hour",
        "90 minutes",
        "primary",
    ]


def test_a_budget_says_whose_amount_it_is_where_several_have_one() -> None:
    names = Names(me=1, users={2: "ada@example.org"}, machines={"m": "laptop"}, teams={"t": "crew"})

    def name(per: str, per_id: str | None) -> str:
        standing = BudgetStanding(
            budget="daily",
            per=per,
            per_id=per_id,
            period="day",
            limit=1,
            used=0,
            left=1,
            on_exhausted="refuse",
            starts_on="2026-11-23",
            document="user",
            version=1,
        )
        return spend.budget_name(standing, names)

    assert (name("user", "1"), name("user", "2"), name("user", "3")) == (
        "daily",
        "daily: ada@example.org",
        "daily: User 3",
    )
    assert (name("machine", "m"), name("team", "t"), name("model", "gpt-5")) == (
        "daily: laptop",
        "daily: crew",
        "daily: gpt-5",
    )
    assert name("worker", None) == "daily"


def models(first: str, last: str, used: list[tuple[str, str | None, int]], left_out: int = 0) -> SpendReport:
    groups = tuple(SpendGroup(day=day, model=model, tokens=counts(total)) for day, model, total in used)
    totals = counts(sum(total for _, _, total in used))
    return SpendReport(first_day=first, last_day=last, by="day_model", groups=groups, left_out=left_out, totals=totals)


def test_models_stand_on_each_other_the_greatest_first_on_every_day() -> None:
    plot = spend_models.by_model(
        models(
            "2026-11-21",
            "2026-11-23",
            [("2026-11-21", "large", 75), ("2026-11-21", None, 20), ("2026-11-23", "small", 5)],
        )
    )
    assert plot is not None
    assert (plot.models, plot.totals, plot.top) == (("large", "Not said", "small"), (75, 20, 5), 100)
    assert [(one.label, one.tokens) for one in plot.columns] == [
        ("21 Nov", (75, 20, 0)),
        ("22 Nov", (0, 0, 0)),
        ("23 Nov", (0, 0, 5)),
    ]
    assert plot.words == "21 Nov to 23 Nov: large 75 %, Not said 20 %, small 5 %"
    assert plot.title == "Tokens of each model, by day"
    assert plot.left_out == ""


def test_of_many_models_the_smallest_are_put_together_and_of_many_days_weeks() -> None:
    used = [("2026-11-22", f"model-{number}", 100 - number) for number in range(8)]
    plot = spend_models.by_model(models("2025-11-24", "2026-11-23", used, left_out=3))
    assert plot is not None
    assert plot.models == ("model-0", "model-1", "model-2", "model-3", "model-4", "Others")
    assert plot.totals[-1] == 95 + 94 + 93
    assert (plot.title, plot.columns[-2].label) == ("Tokens of each model, by week", "16 to 22 Nov")
    assert plot.columns[-2].total == sum(plot.totals)
    assert plot.left_out == "3 entries of the last days are left out."


def test_one_model_is_no_comparison() -> None:
    assert spend_models.by_model(models("2026-11-23", "2026-11-23", [("2026-11-23", "large", 1)])) is None
    assert spend_models.by_model(models("2026-11-23", "2026-11-23", [])) is None
