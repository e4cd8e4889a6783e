"""What a person typed, or a link said: a server's address, and links that open the app. All of it may be hostile.

Pure: nothing is resolved and nobody is asked. An address is taken apart here, by hand and narrowly, because libraries
repair what they don't understand, and what one shows another may not connect to. Relies on httpx2 for the one thing
that has to be the same as when the connection is made: how a name in other letters is spelt in ASCII.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Literal, TypeAlias
from urllib.parse import parse_qsl, unquote

import httpx2

from autopilot.client.pairing import Invitation
from autopilot.contract.errors import Unprocessable

Standing: TypeAlias = Literal["loopback", "private", "public"]
Scheme: TypeAlias = Literal["http", "https"]

LONGEST = 2048
PORTS = range(1, 65536)
DEFAULT_PORTS = {"http": 80, "https": 443}
LOCAL_NAMES = ("local", "home.arpa", "internal")
"""Reserved for networks of one's own (RFC 6762, RFC 8375, ICANN 2024): nobody can buy a name under them."""
_LOOPBACK = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))
_PRIVATE = (
    *(IPv4Network(block) for block in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16")),
    IPv4Network("100.64.0.0/10"),  # a tailnet's
    *(IPv6Network(block) for block in ("fc00::/7", "fe80::/10")),
)
"""Listed here because what Python calls private differs from version to version."""
_NOWHERE = (*(IPv4Network(block) for block in ("0.0.0.0/8", "224.0.0.0/3")), *map(IPv6Network, ("::/128", "ff00::/8")))
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_ODD = frozenset("\\<>\"'`{}|^")
_LONGEST_NAME = 253
_SECRET = re.compile(r"[A-Za-z0-9_-]{8,200}")
_WORKER = re.compile(r"[A-Za-z0-9._:~-]{1,160}")
_APPROVAL = re.compile(r"ap_[0-9a-f]{32}")


class AddressRefused(Unprocessable):
    """This is no address of a server that the app connects to; `message` says why, for a person."""

    def __init__(self, reason_code: str, message: str) -> None:
        super().__init__(message, details=[{"reason_code": reason_code, "field": "server", "message": message}])


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where a server is. Two that mean the same are equal."""

    scheme: Scheme
    host: str
    """As it is connected to, and as it is to be shown: ASCII, lower case, an IPv6 address without brackets."""
    port: int
    standing: Standing
    """Of the host: this very device, a network of one's own, or the internet."""
    reads_as: str | None = None
    """What the name looks like where it is written in other letters; None: it isn't."""

    @property
    def url(self) -> str:
        """For `Session` and `RuntimeCodexClient`; without path, and without the port that goes without saying."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == DEFAULT_PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{host}{port}"

    @property
    def is_encrypted(self) -> bool:
        """Whether it is https."""
        return self.scheme == "https"


@dataclass(frozen=True, slots=True)
class PairLink:
    """`autopilot://pair?server=…#secret`, or the link of the web app to the same: somebody offers to let this in."""

    server: ServerAddress
    secret: str = field(repr=False)

    @property
    def invitation(self) -> Invitation:
        """For a `Joiner`."""
        return Invitation(self.server.url, self.secret)


@dataclass(frozen=True, slots=True)
class WorkerLink:
    """`autopilot://worker/<id>`: of an alert."""

    worker_id: str


@dataclass(frozen=True, slots=True)
class ApprovalLink:
    """`autopilot://approval/<id>`: of an alert."""

    approval_id: str


DeepLink: TypeAlias = PairLink | WorkerLink | ApprovalLink


def server_address(written: str) -> ServerAddress:
    """The server that a person means; without a scheme https, and http in a network of one's own.

    What follows the host (a path, a query) is left out: people copy it out of a browser.

    Raises:
        AddressRefused: `message` says why, for a person.
    """
    text = written.strip()
    if not text:
        raise AddressRefused("empty", "Write the address of your server, such as https://autopilot.example.")
    if len(text) > LONGEST or any(_is_odd(character) for character in text):
        raise AddressRefused("not_an_address", "There is something in it that no address has: a blank, or an odd sign.")
    said = _SCHEME.match(text)
    scheme = said[1].lower() if said else None
    if scheme not in {"http", "https", None}:
        raise AddressRefused("scheme", f"The app speaks https, not {scheme}.")
    authority = re.split(r"[/?#]", text[said.end() :] if said else text, maxsplit=1)[0]
    if "@" in authority:
        raise AddressRefused("user_info", "There is an @ in it: what stands before it is not the server.")
    if said is None and authority.endswith(":"):
        raise AddressRefused("port", "There is a colon and no port: write https:// and the name.")
    host, port = _parted(authority)
    name, standing, reads_as = _host(host)
    is_plain = scheme == "http" or (scheme is None and standing != "public")
    if is_plain and standing == "public":
        raise AddressRefused("plain_http", "Without encryption others could read your session: use https.")
    chosen: Scheme = "http" if is_plain else "https"
    return ServerAddress(chosen, name, DEFAULT_PORTS[chosen] if port is None else port, standing, reads_as)


def read_deep_link(written: str) -> DeepLink | None:
    """What a link asks the app to do; None: nothing that it knows.

    Raises:
        AddressRefused: a pairing link names a server that the app does not connect to.
    """
    text = written.strip()
    said = _SCHEME.match(text)
    if said is None or len(text) > LONGEST or not text.isascii() or any(_is_odd(character) for character in text):
        return None
    before, _, fragment = text[said.end() :].partition("#")
    place, _, query = before.partition("?")
    if said[1].lower() != "autopilot":
        return _pair_link(text, fragment) if place.endswith("/pair") and place.count("/") == 1 and not query else None
    kind, _, named = place.partition("/")
    match kind.lower():
        case "pair" if not named:
            servers = [value for name, value in _query(query) if name == "server"]
            return _pair_link(servers[0], fragment) if len(servers) == 1 else None
        case "worker" if not query and not fragment and _WORKER.fullmatch(unquote(named)):
            return WorkerLink(unquote(named))
        case "approval" if not query and not fragment and _APPROVAL.fullmatch(named):
            return ApprovalLink(named)
    return None


def _pair_link(server: str, secret: str) -> PairLink | None:
    return PairLink(server_address(server), secret) if _SECRET.fullmatch(secret) else None


def _query(query: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query, keep_blank_values=True, max_num_fields=20)
    except ValueError:
        return []


def _is_odd(character: str) -> bool:
    """Whether it has no place in an address: invisible, blank, or good only to mislead."""
    return character in _ODD or unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zs", "Zl", "Zp"}


def _parted(authority: str) -> tuple[str, int | None]:
    """Host and port; an IPv6 address in brackets, or bare where it has no port."""
    if authority.startswith("["):
        host, closing, rest = authority.partition("]")
        if not closing or (rest and not rest.startswith(":")):
            raise AddressRefused("not_an_address", "An IPv6 address is written in brackets: [2001:db8::1].")
        return f"{host}]", _port(rest[1:])
    if authority.count(":") > 1:
        return f"[{authority}]", None
    host, _, port = authority.partition(":")
    return host, _port(port)


def _port(written: str) -> int | None:
    if not written:
        return None
    if not (written.isascii() and written.isdecimal() and len(written) <= len(str(PORTS[-1]))):
        raise AddressRefused("port", "What follows the colon is no port: it is a number up to 65535.")
    if int(written) not in PORTS:
        raise AddressRefused("port", "There is no such port: it is a number from 1 to 65535.")
    return int(written)


def _host(written: str) -> tuple[str, Standing, str | None]:
    """As it is connected to, where it stands, and what it reads as."""
    if written.startswith("["):
        return *_numeric(_ipv6(written[1:-1])), None
    written = written.removesuffix(".").lower()
    if _NUMBER.fullmatch(written.rpartition(".")[2]):  # to programs that repair addresses any such name is a number
        return *_numeric(_ipv4(written)), None
    name, reads_as = _spelt(written)
    return name, _standing_of_name(name), reads_as


def _ipv6(written: str) -> IPv4Address | IPv6Address:
    if "%" in written:
        raise AddressRefused("zone", "An address with a zone (%) holds on one device only: use another one.")
    try:
        address = IPv6Address(written)
    except AddressValueError as error:
        raise AddressRefused("not_an_address", "This is no IPv6 address.") from error
    return address.ipv4_mapped or address


def _ipv4(written: str) -> IPv4Address:
    try:
        return IPv4Address(written)
    except AddressValueError as error:
        message = "A number is no name: write an IPv4 address as four numbers, such as 192.168.1.20."
        raise AddressRefused("number", message) from error


def _numeric(address: IPv4Address | IPv6Address) -> tuple[str, Standing]:
    if any(address in block for block in _NOWHERE):
        raise AddressRefused("nowhere", "Nobody can be at that address: use the one that the server has for others.")
    if any(address in block for block in _LOOPBACK):
        return str(address), "loopback"
    return str(address), "private" if any(address in block for block in _PRIVATE) else "public"


def _standing_of_name(name: str) -> Standing:
    if name == "localhost" or name.endswith(".localhost"):
        return "loopback"
    return "private" if name.endswith(tuple(f".{local}" for local in LOCAL_NAMES)) else "public"


def _spelt(written: str) -> tuple[str, str | None]:
    """A name in ASCII, and as it reads where that is another."""
    try:
        url = httpx2.URL(f"https://{written}" if "%" not in written else "")
    except httpx2.InvalidURL as error:
        raise _no_name() from error
    name, shown = url.raw_host.decode("ascii", "replace").removesuffix("."), url.host.removesuffix(".")
    if len(name) > _LONGEST_NAME or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise _no_name()
    if "xn--" not in name:
        return name, None
    if shown.isascii():  # it can't be read: no such spelling was ever given out
        raise _no_name()
    return name, shown


def _no_name() -> AddressRefused:
    return AddressRefused("name", "This is no name that a server can have.")
