"""Addresses and links as people and attackers write them."""

from __future__ import annotations

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopilot.client.addresses import (
    AddressRefused,
    ApprovalLink,
    PairLink,
    ServerAddress,
    WorkerLink,
    read_deep_link,
    server_address,
)
from autopilot.client.pairing import Invitation, app_link, web_link
from autopilot.client.presenters.addresses import warnings
from autopilot.client.presenters.errors import trouble

HTTP, HTTPS = "http://", "https://"

TAKEN = {
    HTTPS + "autopilot.example": (HTTPS + "autopilot.example", "public"),
    "autopilot.example": (HTTPS + "autopilot.example", "public"),
    "  HTTPS://Autopilot.Example/  \n": (HTTPS + "autopilot.example", "public"),
    "autopilot.example.": (HTTPS + "autopilot.example", "public"),
    HTTPS + "autopilot.example:443/workers?x=1#y": (HTTPS + "autopilot.example", "public"),
    HTTPS + "autopilot.example:8443": (HTTPS + "autopilot.example:8443", "public"),
    HTTPS + "autopilot.example:": (HTTPS + "autopilot.example", "public"),
    HTTPS + "a-b.c9.example": (HTTPS + "a-b.c9.example", "public"),
    "desk": (HTTPS + "desk", "public"),
    HTTPS + "93.184.216.34": (HTTPS + "93.184.216.34", "public"),
    HTTPS + "[2001:DB8:0::1]:8443": (HTTPS + "[2001:db8::1]:8443", "public"),
    "2001:db8::1": (HTTPS + "[2001:db8::1]", "public"),
    "localhost:8787": (HTTP + "localhost:8787", "loopback"),
    HTTP + "127.0.0.1:80": (HTTP + "127.0.0.1", "loopback"),
    HTTPS + "127.8.9.10": (HTTPS + "127.8.9.10", "loopback"),
    "::1": (HTTP + "[::1]", "loopback"),
    HTTP + "[::1]:8787/": (HTTP + "[::1]:8787", "loopback"),
    HTTP + "app.localhost": (HTTP + "app.localhost", "loopback"),
    "192.168.1.20:8787": (HTTP + "192.168.1.20:8787", "private"),
    HTTP + "10.0.0.1": (HTTP + "10.0.0.1", "private"),
    HTTP + "172.31.255.255": (HTTP + "172.31.255.255", "private"),
    HTTPS + "192.168.1.20": (HTTPS + "192.168.1.20", "private"),
    HTTP + "169.254.10.1": (HTTP + "169.254.10.1", "private"),
    HTTP + "100.101.102.103:8787": (HTTP + "100.101.102.103:8787", "private"),
    HTTP + "[fd00::1]": (HTTP + "[fd00::1]", "private"),
    HTTP + "[fe80::1]": (HTTP + "[fe80::1]", "private"),
    HTTP + "[::ffff:192.168.1.20]": (HTTP + "192.168.1.20", "private"),
    "Adas-Mac.local:8787": (HTTP + "adas-mac.local:8787", "private"),
    HTTPS + "adas-mac.local": (HTTPS + "adas-mac.local", "private"),
    HTTP + "desk.home.arpa": (HTTP + "desk.home.arpa", "private"),
    HTTP + "desk.internal": (HTTP + "desk.internal", "private"),
}
REFUSED = {
    # nothing, or not an address
    "": "empty",
    " \n\t": "empty",
    HTTPS: "name",
    HTTPS + "/workers": "name",
    "//autopilot.example": "name",
    "https:autopilot.example": "port",
    "https:/autopilot.example": "port",
    "auto pilot.example": "not_an_address",
    HTTPS + "autopilot\n.example": "not_an_address",
    HTTPS + "autopilot.example\x00": "not_an_address",
    HTTPS + "autopilot\u200b.example": "not_an_address",
    HTTPS + "autopilot.\u202eelpmaxe": "not_an_address",
    HTTPS + "autopilot.example\\@evil.example": "not_an_address",
    "https:\\\\autopilot.example": "not_an_address",
    HTTPS + "a" * 3000: "not_an_address",
    # another scheme
    "ftp://autopilot.example": "scheme",
    "file:///etc/passwd": "scheme",
    "ws://autopilot.example": "scheme",
    "httpss://autopilot.example": "scheme",
    "javascript://autopilot.example/%0aalert(1)": "scheme",
    "javascript:alert(1)": "port",
    "autopilot://pair?server=https://a.example#s": "scheme",
    "data:text/html,x": "port",
    # who hides which server it is
    HTTPS + "autopilot.example@evil.example": "user_info",
    HTTPS + "ada:secret@autopilot.example": "user_info",
    "autopilot.example:443@evil.example": "user_info",
    HTTPS + "autopilot.example%2f@evil.example": "user_info",
    HTTPS + "autopilot%2eexample": "name",
    HTTPS + "%31%32%37.0.0.1": "number",
    # ports
    HTTPS + "autopilot.example:0": "port",
    HTTPS + "autopilot.example:65536": "port",
    HTTPS + "autopilot.example:-1": "port",
    HTTPS + "autopilot.example:+443": "port",
    HTTPS + "autopilot.example:\uff14\uff14\uff13": "port",
    HTTPS + "autopilot.example:44 3": "not_an_address",
    HTTPS + "autopilot.example:1e3": "port",
    HTTPS + "[2001:db8::1]8443": "not_an_address",
    # names that are none
    HTTPS + "-autopilot.example": "name",
    HTTPS + "autopilot-.example": "name",
    HTTPS + "autopilot..example": "name",
    HTTPS + ".example": "name",
    HTTPS + "auto_pilot.example": "name",
    HTTPS + "autopilot.example,evil.example": "name",
    HTTPS + "autopilot.example;evil.example": "name",
    HTTPS + "a" * 64 + ".example": "name",
    HTTPS + ".".join(["a" * 60] * 5): "name",
    HTTPS + "xn--a": "name",
    HTTPS + "xn--zzzzzz-.com": "name",
    HTTPS + "ⓐpple.com": "name",
    # numbers in disguise
    HTTP + "2130706433": "number",
    HTTP + "0x7f000001": "number",
    HTTP + "0x7f.1": "number",
    HTTP + "127.1": "number",
    HTTP + "0177.0.0.1": "number",
    HTTP + "192.168.001.020": "number",
    HTTP + "1.2.3.4.5": "number",
    HTTPS + "256.1.1.1": "number",
    HTTPS + "autopilot.example.1": "number",
    HTTPS + "autopilot.0x1": "number",
    HTTPS + "\uff11\uff12\uff17.0.0.1": "number",
    HTTPS + "127.0.0.\uff11": "name",
    HTTP + "[::1": "not_an_address",
    HTTP + "[1.2.3.4]": "not_an_address",
    HTTP + "[::g]": "not_an_address",
    "1:2:3": "not_an_address",
    HTTP + "[fe80::1%en0]": "zone",
    HTTP + "[fe80::1%25en0]:8787": "zone",
    # where nobody is
    HTTP + "0.0.0.0:8787": "nowhere",
    HTTP + "[::]": "nowhere",
    HTTP + "[::ffff:0.0.0.0]": "nowhere",
    HTTPS + "224.0.0.1": "nowhere",
    HTTPS + "255.255.255.255": "nowhere",
    HTTPS + "240.0.0.1": "nowhere",
    HTTPS + "[ff02::1]": "nowhere",
    # without encryption over the internet
    HTTP + "autopilot.example": "plain_http",
    HTTP + "93.184.216.34": "plain_http",
    HTTP + "desk": "plain_http",
    HTTP + "desk.lan": "plain_http",
    HTTP + "192.168.1.20.evil.example": "plain_http",
    HTTP + "local": "plain_http",
    HTTP + "evil-local.example": "plain_http",
    HTTP + "notlocalhost": "plain_http",
    HTTP + "172.32.0.1": "plain_http",
    HTTP + "100.128.0.1": "plain_http",
    HTTP + "[2001:db8::1]": "plain_http",
    HTTP + "[::ffff:93.184.216.34]": "plain_http",
    HTTP + "аутопилот.рф": "plain_http",
}


@pytest.mark.parametrize("written", TAKEN)
def test_an_address_is_brought_into_one_form(written):
    address = server_address(written)

    assert (address.url, address.standing) == TAKEN[written]
    assert server_address(address.url) == address
    assert (httpx2.URL(address.url).raw_host.decode(), httpx2.URL(address.url).userinfo) == (address.host, b"")


@pytest.mark.parametrize("written", REFUSED)
def test_what_is_refused_says_why(written):
    with pytest.raises(AddressRefused) as refused:
        server_address(written)

    assert refused.value.reason_code == REFUSED[written]
    told = trouble(refused.value)
    assert told.way == "correct"
    assert told.fields == (("server", refused.value.message),)
    assert told.hint == refused.value.message
    assert refused.value.message.endswith(".")


@pytest.mark.parametrize(
    ("written", "host", "reads_as"),
    [
        (HTTPS + "bücher.example", "xn--bcher-kva.example", "bücher.example"),
        (HTTPS + "BÜCHER.example", "xn--bcher-kva.example", "bücher.example"),
        (HTTPS + "аpple.com", "xn--pple-43d.com", "аpple.com"),  # noqa: RUF001 - the first letter is Cyrillic
        (HTTPS + "xn--80ak6aa92e.com", "xn--80ak6aa92e.com", "аррӏе.com"),  # noqa: RUF001 - all of it is
        ("例え.example:8443", "xn--r8jz45g.example", "例え.example"),
    ],
)
def test_a_name_in_other_letters_is_shown_as_what_it_is(written, host, reads_as):
    address = server_address(written)

    assert (address.host, address.reads_as) == (host, reads_as)
    assert address.url.isascii()
    (warning,) = warnings(address)
    assert host in warning
    assert reads_as in warning


def test_it_warns_of_what_is_not_encrypted_and_of_nothing_else():
    assert warnings(server_address(HTTPS + "autopilot.example")) == ()
    assert warnings(server_address(HTTPS + "192.168.1.20")) == ()
    (private,) = warnings(server_address("192.168.1.20:8787"))
    (loopback,) = warnings(server_address("localhost"))
    assert "same network" in private
    assert "this very device" in loopback


@given(st.text(max_size=60) | st.text(alphabet="htps:/@.[]%#?x0127a- ", max_size=40))
def test_whatever_is_written_gives_an_address_or_a_reason(written):
    for text in (written, f"https://{written}", f"http://{written}"):
        try:
            address = server_address(text)
        except AddressRefused:
            continue
        else:
            assert address.is_encrypted or address.standing != "public"
            assert address.url.isascii()
            assert server_address(address.url) == address
            assert httpx2.URL(address.url).raw_host.decode() == address.host


SECRET = "appair_0123456789abcdefABCDEF-_"


@pytest.mark.parametrize(
    "server", [HTTPS + "autopilot.example", HTTPS + "autopilot.example:8443", HTTP + "192.168.1.20"]
)
def test_the_links_of_our_own_screens_open_a_pairing(server):
    for link in (app_link(server, SECRET), web_link(server, SECRET), f" {app_link(server, SECRET)}\n"):
        opened = read_deep_link(link)

        assert opened == PairLink(server_address(server), SECRET)
        assert opened.invitation == Invitation(server, SECRET)
        assert SECRET not in repr(opened)


@pytest.mark.parametrize(
    ("link", "opens"),
    [
        ("autopilot://worker/desktopw:0199-ab~c.d", WorkerLink("desktopw:0199-ab~c.d")),
        ("autopilot://worker/desktopw%3A0199", WorkerLink("desktopw:0199")),
        ("AUTOPILOT://Worker/w-1", WorkerLink("w-1")),
        (f"autopilot://approval/ap_{'0a' * 16}", ApprovalLink(f"ap_{'0a' * 16}")),
    ],
)
def test_the_links_of_alerts_open_what_they_are_about(link, opens):
    assert read_deep_link(link) == opens


@pytest.mark.parametrize(
    "link",
    [
        *(
            "K7QM-3XF-B2D",
            "https://a.example/pair",
            "http://[#s",
            "autopilot://x#s",
            "",
            "autopilot:",
            "autopilot://",
            "autopilot:///",
            "autopilot://settings",
            "autopilot://wipe?confirm=1",
        ),
        *("autopilot://worker", "autopilot://worker/", "autopilot://worker/a/b", "autopilot://worker/..%2f..%2fx"),
        *(
            "autopilot://worker/a%00",
            "autopilot://worker/" + "a" * 161,
            "autopilot://worker/w?x=1",
            "autopilot://worker/w#x",
        ),
        *("autopilot://worker/%2577", "autopilot://worker/ö", "autopilot://x@worker/w", "autopilot://worker:80/w"),
        *(
            "autopilot://approval/ap_1",
            f"autopilot://approval/ap_{'0A' * 16}",
            f"autopilot://approval/ap_{'00' * 16}/x",
        ),
        *("autopilot://pair", "autopilot://pair#" + SECRET, "autopilot://pair?server=https://a.example"),
        *(
            f"autopilot://pair/x?server=https://a.example#{SECRET}",
            f"autopilot://pairing?server=https://a.example#{SECRET}",
        ),
        f"autopilot://pair?server=https://a.example&server=https://evil.example#{SECRET}",
        f"autopilot://pair?server=https://a.example#{SECRET} ; x",
        *("autopilot://pair?server=https://a.example#short", "autopilot://pair?server=https://a.example#" + "s" * 201),
        f"autopilot://pair?server=https://a.example#{SECRET}\u202e",
        f"autopilot://pair?{'&'.join(['x=1'] * 50)}&server=https://a.example#{SECRET}",
        f"https://a.example/workers#{SECRET}",
        f"https://a.example/x/pair#{SECRET}",
        f"https://a.example/pair?x=1#{SECRET}",
        *("mailto:ada@example.com", "javascript:alert(1)", "autopilot://pair?server=" + "a" * 3000 + f"#{SECRET}"),
    ],
)
def test_an_unknown_link_opens_nothing(link):
    assert read_deep_link(link) is None


@pytest.mark.parametrize(
    ("server", "reason"),
    [
        (HTTP + "evil.example", "plain_http"),
        (HTTPS + "autopilot.example%40evil.example", "user_info"),
        (HTTPS + "autopilot.example@evil.example", "user_info"),
        ("javascript%3A%2F%2Fx", "scheme"),
        ("", "empty"),
        (HTTP + "0.0.0.0", "nowhere"),
        (HTTP + "2130706433", "number"),
    ],
)
def test_a_pairing_link_to_a_server_that_can_t_be_says_why(server, reason):
    with pytest.raises(AddressRefused) as refused:
        read_deep_link(f"autopilot://pair?server={server}#{SECRET}")

    assert refused.value.reason_code == reason


@given(st.text(max_size=80), st.sampled_from(["pair?server=", "worker/", "approval/", "", "pair?", "pair#"]))
def test_whatever_a_link_says_it_opens_what_is_well_formed_or_nothing(text, beginning):
    try:
        opened = read_deep_link(f"autopilot://{beginning}{text}")
    except AddressRefused:
        return
    match opened:
        case WorkerLink(worker_id):
            assert worker_id.isascii()
            assert "/" not in worker_id
        case PairLink(server):
            assert isinstance(server, ServerAddress)
