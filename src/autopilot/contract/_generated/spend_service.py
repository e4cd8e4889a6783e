# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.
"""The call about spend."""

from dataclasses import dataclass

from autopilot.contract._generated.spend import BudgetStanding, SpendReport

__all__ = ["GetSpendResponse", "ListBudgetsResponse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListBudgetsResponse:
    """How far budgets are used up."""

    data: tuple[BudgetStanding, ...] = ()
    """A line for each budget, or where each of some has the amount, for each of the twenty that used most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GetSpendResponse:
    """What was used."""

    data: SpendReport
    """The report."""
