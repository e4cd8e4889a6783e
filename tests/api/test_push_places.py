"""Where nothing is ever sent, whatever a client names and whatever its name resolves to."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from tests.api.push import PushWorld, executing, pushing, subscribed

from autopilot.api.push_place import ForbiddenPlace, Places, on_loopback
from autopilot.api.push_sender import Message, Sender, Target
from autopilot.testing.postgres import TestCluster

PUBLIC, PUBLIC6 = "93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"
USERS = [f"{user}@push.example.org" for user in ("ada", "ada:secret")]
PRIVATE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "192.0.2.1",
    "::1",
    "::",
    "fe80::1%eth0",
    "fc00::1",
    "ff02::1",
    "::ffff:10.0.0.1",
    "::ffff:127.0.0.1",
    "64:ff9b::a00:1",
    "2002:7f00:1::",
    "not an address",
]


def leading_to(*addresses: str) -> Places:
    async def resolve(_host: str, _port: int) -> Sequence[str]:
        return addresses

    return Places(False, resolve)


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "push.example.org",
        "http://push.example.org/x",
        "ftp://push.example.org/x",
        "https:///x",
        "https://push.example.org/x#y",
        "https://push.example.org:99999/x",
        "https://push.example.org\\@10.0.0.1/x",
        "https://push.example.org/x y",
        "https://push.example.org/x\r\nx: y",
        "https://[::1",
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://[::ffff:10.0.0.1]/x",
        f"https://{PUBLIC}/x",
        "file:///etc/passwd",
        *(
            f"https://{host}/x"
            for host in (
                "2130706433",
                "0x7f000001",
                "0x7f.1",
                "017700000001",
                "127.1",
                "127.0.0.1.",
                "push.\u00e9.org",
                *USERS,
            )
        ),
    ],
)
def test_what_is_no_https_url_of_a_name_is_refused_without_a_look_at_the_network(endpoint):
    with pytest.raises(ForbiddenPlace):
        leading_to(PUBLIC).read(endpoint)


@pytest.mark.parametrize("address", PRIVATE)
async def test_a_name_with_one_address_that_is_not_public_is_refused(address):
    for addresses in ((address,), (PUBLIC, address)):
        places = leading_to(*addresses)
        with pytest.raises(ForbiddenPlace):
            await places.address_of(places.read("https://push.example.org/x"))


@pytest.mark.parametrize("address", [PUBLIC, PUBLIC6, f"::ffff:{PUBLIC}"])
async def test_a_public_address_is_the_one_that_a_message_goes_to(address):
    places = leading_to(address, PUBLIC)
    place = places.read("https://push.example.org:8443/x?y=1")
    assert await places.address_of(place) == address
    name = f"[{address}]" if ":" in address else address
    assert (place.at(address), place.authority) == (f"https://{name}:8443/x?y=1", "push.example.org:8443")


def test_loopback_is_for_who_is_on_loopback_alone():
    for url in ("http://127.0.0.1:8787", "http://localhost:8787", "http://[::1]:8787"):
        assert on_loopback(url)
    for url in (None, "https://autopilot.example.org", "http://127.0.0.1.example.org", "http://[::1"):
        assert not on_loopback(url)


async def test_a_name_that_leads_elsewhere_when_it_comes_to_sending_gets_nothing(cluster: TestCluster):
    """A name that is public when somebody subscribes, and another one afterwards (DNS rebinding)."""
    async with pushing(cluster) as at:
        ada = await at.person("ada")
        _, made = await subscribed(at, ada)
        looks: list[str] = []

        async def resolve(host: str, _port: int) -> Sequence[str]:
            looks.append(host)
            return ["10.0.0.1"]

        sender = Sender(at.room.push.key, Places(True, resolve), "mailto:a@example.org", at.clock)
        endpoint = at.service.url.replace("127.0.0.1", "localhost") + "/push/x"
        target = await _target(at, made["subscription_id"], endpoint)
        result = await sender.send(target, Message(b"{}", "t", 60))
        await sender.aclose()
        assert (result.failure, looks, at.service.tries) == ("forbidden_place", ["localhost"], 0)


async def test_a_message_goes_to_the_address_that_was_looked_at_under_the_name_that_was_asked_for(cluster: TestCluster):
    async with pushing(cluster) as at:
        ada = await at.person("ada")
        await executing(ada)
        browser, made = await subscribed(at, ada)
        answers = [["127.0.0.1"], ["10.0.0.1"]]  # what a second look would find

        async def resolve(_host: str, _port: int) -> Sequence[str]:
            return answers.pop(0)

        address, at.service.url = at.service.url, at.service.url.replace("127.0.0.1", "localhost")
        sender = Sender(at.room.push.key, Places(True, resolve), "mailto:a@example.org", at.clock)
        target = await _target(at, made["subscription_id"], browser.endpoint.replace(address, at.service.url))
        result = await sender.send(target, Message(b"{}", "t", 60))
        await sender.aclose()
        assert (result.failure, result.status, len(answers)) == (None, 201, 1)
        assert at.service.received[0].headers["host"] == at.service.url.removeprefix("http://")


async def _target(at: PushWorld, subscription_id: str, endpoint: str) -> Target:
    row = await at.world.api.pool.fetchrow(
        "select p256dh, auth, key_id from api.push_subscription where subscription_id = $1", subscription_id
    )
    return Target(subscription_id, endpoint, row["p256dh"], row["auth"], row["key_id"])
