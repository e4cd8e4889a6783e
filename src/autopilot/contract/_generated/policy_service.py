# Generated from proto/autopilot/v1 by `make gen`. Do not edit: change the proto.
"""The calls about policies."""

from dataclasses import dataclass

from autopilot.contract._generated.policy import ApprovalVerdict, Policies, PolicyChange, PolicyDocument, PolicyVerdict

__all__ = [
    "GetPoliciesResponse",
    "GetPolicyVersionResponse",
    "ListPolicyVersionsResponse",
    "SetPolicyResponse",
    "TestApprovalResponse",
    "TestPolicyResponse",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class GetPoliciesResponse:
    """What binds the caller."""

    data: Policies
    """The policies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPolicyResponse:
    """The version that is in force."""

    data: PolicyDocument
    """The document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestPolicyResponse:
    """An answer."""

    data: PolicyVerdict
    """The verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TestApprovalResponse:
    """What would become of it."""

    data: ApprovalVerdict
    """The verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPolicyVersionsResponse:
    """Its changes, the latest first."""

    data: tuple[PolicyChange, ...] = ()
    """The changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GetPolicyVersionResponse:
    """The document."""

    data: PolicyDocument
    """The version."""
