"""What counts as one address, and what a token minted at the machine may be."""

from __future__ import annotations

import pytest
from tests.api.served import ServedApi

from autopilot.api import opaque
from autopilot.api.address import Addresses, folded_email, plain_email


@pytest.mark.parametrize(
    ("client", "counted"),
    [
        (("192.0.2.7", 1), "192.0.2.7"),
        (("::ffff:192.0.2.7", 1), "192.0.2.7"),
        (("2001:db8:1:2:3::4", 1), "2001:db8:1:2::/64"),
        (("fe80::1%eth0", 1), "fe80::/64"),
        (None, "local"),
        (("", 0), "local"),
    ],
)
def test_a_network_address_is_what_one_household_has(client: tuple[str, int] | None, counted: str):
    assert Addresses().of(client, []) == counted


@pytest.mark.parametrize(
    ("client", "forwarded", "counted"),
    [
        ("10.0.0.1", b"203.0.113.5", "203.0.113.5"),
        ("10.0.0.1", b"6.6.6.6, 203.0.113.5, 10.0.0.9", "203.0.113.5"),
        ("10.0.0.1", b"nonsense", "10.0.0.1"),
        ("10.0.0.1", b"", "10.0.0.1"),
        ("192.0.2.1", b"203.0.113.5", "192.0.2.1"),
        ("10.0.0.1", b"203.0.113.5:4711", "203.0.113.5"),
        ("10.0.0.1", b"[2001:db8:1:2::5]:4711", "2001:db8:1:2::/64"),
        ("10.0.0.1", b"2001:db8:1:2::5", "2001:db8:1:2::/64"),
        ("::ffff:10.0.0.1", b"::ffff:203.0.113.5", "203.0.113.5"),
        ("10.0.0.1", b"10.0.0.7, 10.0.0.9", "10.0.0.7"),
        ("10.0.0.1", b"6.6.6.6, nonsense, 10.0.0.9", "10.0.0.9"),
        ("10.0.0.1", b"6.6.6.6,", "10.0.0.1"),
        ("10.0.0.1", b"203.0.113.5\x00", "10.0.0.1"),
        ("10.0.0.1", b"127.0.0.1.evil.example.com", "10.0.0.1"),
    ],
)
def test_only_a_trusted_proxy_is_believed_about_who_calls(client: str, forwarded: bytes, counted: str):
    addresses = Addresses("10.0.0.0/24, 127.0.0.1")

    assert addresses.of((client, 1), [(b"x-forwarded-for", forwarded)]) == counted


def test_forwarding_headers_that_no_trusted_proxy_writes_are_not_read():
    headers = [(b"forwarded", b"for=6.6.6.6"), (b"x-real-ip", b"6.6.6.6"), (b"x_forwarded_for", b"6.6.6.6")]

    assert Addresses("10.0.0.1").of(("10.0.0.1", 1), headers) == "10.0.0.1"


def test_several_forwarding_headers_are_one_chain_and_the_last_word_is_the_proxys():
    headers = [(b"x-forwarded-for", b"6.6.6.6"), (b"x-forwarded-for", b"7.7.7.7, 203.0.113.5")]

    assert Addresses("10.0.0.1").of(("10.0.0.1", 1), headers) == "203.0.113.5"


def test_folding_never_joins_two_mailboxes():
    assert folded_email(" Ada@Example.ORG ") == "ada@example.org"
    assert plain_email("e\u0301@x.org") == "\u00e9@x.org"
    assert folded_email("stra\u00dfe@x.org") != folded_email("strasse@x.org")
    assert folded_email("m\u0131ke@x.org") != folded_email("mike@x.org")


def test_a_successor_needs_both_the_token_and_the_salt():
    token, salt = opaque.refresh_token(), opaque.successor_salt()

    assert opaque.successor(token, salt) == opaque.successor(token, salt)
    assert opaque.successor(token, opaque.successor_salt()) != opaque.successor(token, salt)
    assert opaque.successor(opaque.refresh_token(), salt) != opaque.successor(token, salt)
    assert len(opaque.successor(token, salt)) == len(token)


@pytest.mark.parametrize(
    "wrong",
    [
        {"scopes": ()},
        {"scopes": ("root",)},
        {"scopes": ("execute",)},
        {"scopes": ("observe",), "machine_id": "m"},
        {"scopes": ("observe",), "surface": "runtime"},
        {"scopes": ("observe",), "email": "nobody"},
    ],
)
async def test_a_token_that_makes_no_sense_is_not_minted(api: ServedApi, wrong: dict[str, object]):
    from autopilot.api.tokens import mint

    with pytest.raises(ValueError, match=r".+"):
        await mint(api.pool, **wrong)
    assert await api.pool.fetchval("select count(*) from api.session") == 0


async def test_a_minted_family_refreshes_like_any_other_and_stays_bound_to_its_machine(api: ServedApi):
    minted = await api.mint(None, "execute", machine_id="m-1", surface="companion")
    answer = await api.client.post("/api/auth/refresh", json={"refresh_token": minted.refresh_token})

    me = await api.client.get("/api/me", headers={"authorization": f"Bearer {answer.json()['token']}"})
    assert (me.json()["machine_id"], me.json()["scopes"]) == ("m-1", ["execute"])
