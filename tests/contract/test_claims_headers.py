"""Claims cross the internal wire as themselves, or not at all."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopilot.contract.claims import CLAIMS_HEADER, GUEST_HEADER, USER_HEADER, from_headers, to_headers
from autopilot.contract.port import Claims

text = st.text(max_size=40)
claims = st.builds(
    Claims,
    user_id=st.integers(1, 2**62),
    device_id=st.none() | text,
    session_id=st.none() | text,
    machine_id=st.none() | text,
    scopes=st.frozensets(st.sampled_from(["observe", "administer", "execute", "admin"])),
    roles=st.dictionaries(text, st.sampled_from(["owner", "operator", "viewer"]), max_size=3),
    surface=st.sampled_from(["ios", "cli", "companion"]),
    step_up=st.booleans(),
    memberships=st.dictionaries(st.text(max_size=20), st.integers(1, 2**62)),
    membership_no=st.none() | st.integers(1, 2**62),
    address=st.none() | text,
)


@given(claims)
def test_claims_cross_as_themselves_in_printable_ascii(given_claims: Claims):
    headers = to_headers(given_claims)

    assert from_headers(headers) == given_claims
    assert all(value.isascii() and value.isprintable() for value in headers.values())


@given(text)
def test_a_guest_crosses_too(scope: str):
    guest = Claims(guest_scope=scope, shown=("w1", scope), shown_by=7)
    assert from_headers(to_headers(guest)) == guest


GOOD = to_headers(Claims(user_id=7))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {**GOOD, CLAIMS_HEADER: "nonsense"},
        {**GOOD, CLAIMS_HEADER: "[]"},
        {**GOOD, CLAIMS_HEADER: "[" * 100_000},
        {**GOOD, USER_HEADER: "8"},
        {CLAIMS_HEADER: GOOD[CLAIMS_HEADER]},
        {**GOOD, GUEST_HEADER: "x"},
        {CLAIMS_HEADER: json.dumps({**json.loads(GOOD[CLAIMS_HEADER]), "user_id": None})},
        {CLAIMS_HEADER: json.dumps({**json.loads(GOOD[CLAIMS_HEADER]), "user_id": True}), USER_HEADER: "True"},
        to_headers(Claims(user_id=7, guest_scope="both")),
    ],
)
def test_headers_that_disagree_or_are_malformed_speak_for_nobody(headers: dict[str, str]):
    with pytest.raises(ValueError, match="claims"):
        from_headers(headers)
