"""Addresses that people type: which of them we may connect to. Text and numbers in, a verdict out; no sockets here.

A server of one's own is reached at an address that an admin of a workspace types, and we connect to it from inside the
operator's network. So an address is judged twice:

    judge     the URL as it was typed: one plain form, everything else is refused
    permit    what its name resolved to, right before connecting to exactly that; one bad answer refuses them all

Without the operator's word only public https servers are reached. SELF_HOSTED_HOSTS names the others, each with its
port: those may be private, may be this machine, and may speak http. What no server of a person's own ever is
(link-local, the clouds' metadata, multicast, unspecified) stays closed to them too.

RFC 6890 and the IANA special-purpose registries say which networks are public; RFC 4291, 6052, 3056 and 4380 how IPv6
wraps an IPv4 address, which is unwrapped and judged as itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Host = tuple[str, int]  # a name or address as text, and the port

LONGEST = 300  # characters of a URL
HTTPS = 443
UNPRIVILEGED = 1024  # ports from here on may hold a web server; below, mail and its kin live

_URL = re.compile(r"(https?)://([^/]*)(/.*)?", re.IGNORECASE)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:(?!\d)", re.IGNORECASE)  # not the port of "localhost:11434"
_BRACKETS = re.compile(r"\[([0-9a-f:.]+)\](?::([0-9]+))?", re.IGNORECASE)
_HOST = re.compile(r"([a-z0-9._-]+)(?::([0-9]+))?", re.IGNORECASE)
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*")  # WHATWG: a host that ends in such a label is an IPv4 address
_PATH = re.compile(r"(/[A-Za-z0-9_~@:+,=-][A-Za-z0-9._~@:+,=-]*)*/?")

# Names that are never public (RFC 6761, 6762, 7686, 8375, 9476, ICANN's .internal) and those that routers like to give.
_HERE = re.compile(
    r"(.*\.)?(localhost|local|localdomain|internal|intranet|private|lan|home|corp|test|example|invalid|onion|alt|arpa)"
)

_NOT_PUBLIC = tuple(
    ip_network(block)
    for block in (
        "192.0.0.0/24",
        "192.88.99.0/24",  # the 6to4 relays of old
        "168.63.129.16/32",  # Azure's wire server, in public space
        "2001::/23",
        "3fff::/20",
        "fec0::/10",
    )
)
_METADATA = tuple(
    ip_network(block)
    for block in ("100.100.100.200/32", "168.63.129.16/32", "192.0.0.192/32", "fd00:ec2::/32", "fd20:ce::/32")
)
_GLOBAL_UNICAST = ip_network("2000::/3")
_NAT64 = ip_network("64:ff9b::/96")
_COMPATIBLE = ip_network("::/96")


class AddressRefused(ValueError):
    """An address that we do not connect to. The text is a sentence for the person who typed it."""


@dataclass(frozen=True)
class Endpoint:
    """A judged URL. `host` is a lower-case name or an IP address without brackets; `path` does not end in a slash."""

    scheme: str
    host: str
    port: int
    path: str = ""
    named: bool = False  # by the operator

    @property
    def authority(self) -> str:
        """What the Host header says: without the port that the scheme implies."""
        host = _bracketed(self.host)
        return host if self.port == _implied(self.scheme) else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"

    def origin_at(self, address: Address) -> str:
        """Scheme, address and port: what to connect to."""
        return f"{self.scheme}://{_bracketed(str(address))}:{self.port}"


# --- the URL ----------------------------------------------------------------------------------------------------


def judge(url: str, named: frozenset[Host] = frozenset()) -> Endpoint:
    """The endpoint of a URL as it was typed. `named` are the hosts that the operator allows. Raises AddressRefused."""
    endpoint = _read(url, named)
    if endpoint.named:
        return endpoint
    if endpoint.scheme != "https":
        raise AddressRefused("It must begin with https://. Plain http is only for hosts that the operator named.")
    if endpoint.port != HTTPS and endpoint.port < UNPRIVILEGED:
        raise AddressRefused(f"Port {endpoint.port} is not one of a web server. Use 443, or one from 1024 up.")
    address = _parsed(endpoint.host)
    if address is not None and not is_public(address):
        raise _closed(endpoint.host)
    if address is None and ("." not in endpoint.host or _HERE.fullmatch(endpoint.host)):
        raise _closed(endpoint.host)
    return endpoint


def named_hosts(text: str) -> frozenset[Host]:
    """The hosts of SELF_HOSTED_HOSTS: `name:port` or `[IPv6 address]:port`, with commas between them.

    Raises AddressRefused.
    """
    return frozenset(_named(entry.strip()) for entry in text.split(",") if entry.strip())


def _named(entry: str) -> Host:
    host, port = _split(entry, None)
    address = _parsed(host)
    if address is not None and not _may_be_named(address):
        raise AddressRefused("It names an address that nobody's server has.")
    return host, port


def _read(url: str, named: frozenset[Host]) -> Endpoint:
    """The one plain form: scheme, host, port, path."""
    if len(url) > LONGEST:
        raise AddressRefused(f"It is longer than {LONGEST} characters.")
    if not url.isascii():
        raise AddressRefused("It holds letters outside of ASCII. Write an international name in its xn-- form.")
    if not all("!" <= character <= "~" for character in url):
        raise AddressRefused("It holds a space or a control character.")
    if "\\" in url:
        raise AddressRefused("It holds a backslash. Write it with / only.")
    found = _URL.fullmatch(url)
    if found is None:
        known = _SCHEME.match(url) and not url.lower().startswith(("http:", "https:"))
        why = f"{url.partition(':')[0]} is not spoken here. " if known else ""
        raise AddressRefused(f"{why}It must begin with https:// and a host name.")
    if "?" in url or "#" in url:
        raise AddressRefused("It must end with the path: no ? and no #.")
    scheme, authority, path = found[1].lower(), found[2], found[3] or ""
    if not _PATH.fullmatch(path):
        raise AddressRefused("Its path may hold letters, digits, dots, dashes and single slashes only.")
    host, port = _split(authority, _implied(scheme))
    return Endpoint(scheme, host, port, path.rstrip("/"), named=(host, port) in named)


def _split(authority: str, implied: int | None) -> Host:
    """Host and port. Without `implied` the port must be there."""
    if "@" in authority:
        raise AddressRefused("It holds a user name or password (before an @). Paste the key into its own field.")
    if "%" in authority:
        raise AddressRefused("Its host holds a % sign. Write the plain name or address.")
    found = _BRACKETS.fullmatch(authority) or _HOST.fullmatch(authority)
    if found is None:
        raise AddressRefused("Its host is not a name or an IP address with at most one port.")
    host = _host(found[1].lower())
    if authority.startswith("[") != (":" in host):
        raise AddressRefused("Brackets are for IPv6 addresses.")
    return host, _port(found[2], implied)


def _host(text: str) -> str:
    """A name or address in its only spelling."""
    address = _parsed(text)
    if address is not None:
        return str(address)
    if ":" in text:
        raise AddressRefused("What stands in the brackets is not an IPv6 address.")
    labels = text.split(".")
    if not labels[-1]:
        raise AddressRefused("Its host ends with a dot. Leave the dot out.")
    if _NUMERIC.fullmatch(labels[-1]):
        raise AddressRefused("Write an IP address as four plain numbers, like 192.0.2.10.")
    if len(text) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise AddressRefused("Its host is not a name that can exist.")
    return text


def _port(digits: str | None, implied: int | None) -> int:
    if digits is None:
        if implied is None:
            raise AddressRefused("A host needs its port, as in ollama.internal:11434.")
        return implied
    if len(digits) > 5 or digits.startswith("0") or int(digits) > 65535:
        raise AddressRefused("Its port must be a number from 1 to 65535.")
    return int(digits)


def _implied(scheme: str) -> int:
    return HTTPS if scheme == "https" else 80


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _parsed(text: str) -> Address | None:
    """The address that `text` is in its standard form: no octal, hexadecimal or short spellings."""
    try:
        return ip_address(text)
    except ValueError:
        return None


def _closed(host: str) -> AddressRefused:
    return AddressRefused(
        f"{host} leads to a private or reserved network. "
        "The operator can allow it by naming host and port in SELF_HOSTED_HOSTS."
    )


# --- the addresses behind it ------------------------------------------------------------------------------------


def permit(endpoint: Endpoint, answers: Sequence[str]) -> list[Address]:
    """The addresses of an endpoint, in the order of the resolver's `answers`, if every single one may be connected to.

    Raises AddressRefused.
    """
    addresses = [_parsed(answer) for answer in dict.fromkeys(answers)]
    permitted = [a for a in addresses if a and (_may_be_named(a) if endpoint.named else is_public(a))]
    if not permitted or len(permitted) < len(addresses):
        raise _never(endpoint.host) if endpoint.named else _closed(endpoint.host)
    return permitted


def _never(host: str) -> AddressRefused:
    return AddressRefused(f"{host} leads to an address that is reserved for the network itself.")


def is_public(address: Address) -> bool:
    """Whether the address belongs to the public internet. One that wraps others is as good as they are."""
    wrapped = _wrapped(address)
    if wrapped:
        return all(is_public(inner) for inner in wrapped)
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return False
    return address.is_global and not address.is_multicast and not address.is_reserved and not _in(address, _NOT_PUBLIC)


def _may_be_named(address: Address) -> bool:
    """What the operator may open: this machine, private networks, the public one."""
    wrapped = _wrapped(address)
    if wrapped:
        return all(_may_be_named(inner) for inner in wrapped)
    if isinstance(address, IPv4Address) and address.is_reserved:
        return False
    closed = address.is_unspecified or address.is_multicast or address.is_link_local
    return not closed and not _in(address, _METADATA)


def _wrapped(address: Address) -> tuple[IPv4Address, ...]:
    """The IPv4 addresses that an IPv6 address stands for."""
    if not isinstance(address, IPv6Address):
        return ()
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    if address.teredo is not None:
        return address.teredo
    low = int(address) & 0xFFFFFFFF
    return (IPv4Address(low),) if address in _NAT64 or (address in _COMPATIBLE and low > 1) else ()


def _in(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)
