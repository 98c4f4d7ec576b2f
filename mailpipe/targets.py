"""Which URLs may be webhook endpoints, as far as the text alone tells. Pure.

What a name resolves to is not asked: it may change after registration.
"""

import ipaddress
import re
from urllib.parse import urlsplit

from mailpipe.rules import Violation

MAX_URL_CHARS = 2048
PORTS = frozenset({443, 8443})

_PRINTABLE = re.compile(r"\A[!-~]+\Z")
_HOST = re.compile(
    r"\A(?=.{1,253}\Z)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)+\Z"
)
_NUMBER = re.compile(r"\A(0x[0-9a-f]*|[0-9]+)\Z")
_INTERNAL = ("localhost", "local", "internal", "intranet", "lan", "home", "corp", "arpa", "onion")
"""Top-level names that lead to no public host (RFC 6761, RFC 6762; ICANN on `internal`)."""

_FORBIDDEN = [
    ipaddress.ip_network(one)
    for one in (
        # IANA IPv4 and IPv6 Special-Purpose Address Registries, multicast, and what was reserved.
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16"),
        *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        *("::/96", "::1/128", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/23"),
        *("2001:db8::/32", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10"),
        "ff00::/8",
    )
]
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def forbidden(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether an address is not of the public Internet; an IPv4 one inside IPv6 is judged as such.

    Python's `is_global` is not enough: it is true of 6to4 and NAT64 forms of private addresses.
    """
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return forbidden(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
        inner = address.ipv4_mapped or address.sixtofour
        if inner is not None:
            return forbidden(inner)
    return any(address in network for network in _FORBIDDEN if network.version == address.version)


def check_url(url: str, *, local: bool) -> Violation | None:
    """The first rule that an endpoint's URL breaks. `local`: the local cloud takes plain HTTP and
    any host and port.
    """
    if len(url) > MAX_URL_CHARS:
        return Violation("url", "max_length", f"url is longer than {MAX_URL_CHARS} characters.")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return _broken("is no URL")
    if not _PRINTABLE.match(url) or "\\" in url or not parts.hostname:
        return _broken("is no URL with a host, in ASCII")
    if parts.scheme != "https" and not (local and parts.scheme == "http"):
        return Violation("url", "url_scheme", "url begins with https://.")
    if parts.username is not None or parts.password is not None or "@" in parts.netloc:
        return _broken("holds a user name or password; leave them out")
    if "#" in url:
        return _broken("holds a fragment (#); leave it out")
    if local:
        return None
    if port is not None and port not in PORTS:
        return Violation("url", "url_port", "url has the port 443 or 8443, or none.")
    return _check_host(parts.hostname)


def _check_host(host: str) -> Violation | None:
    target = Violation("url", "forbidden_target", "url leads to no host of the public Internet.")
    if ":" in host:
        try:
            return target if forbidden(ipaddress.IPv6Address(host)) else None
        except ValueError:
            return _broken("has a host that is no address")
    host = host.removesuffix(".")
    labels = host.split(".")
    # Resolvers take 2130706433, 0x7f.1, 0177.0.0.1 and 127.1 for addresses; nobody needs to.
    if _NUMBER.match(labels[-1]):
        try:
            return target if forbidden(ipaddress.IPv4Address(host)) else None
        except ValueError:
            return target
    if labels[-1] in _INTERNAL or len(labels) == 1:
        return target
    return None if _HOST.match(host) else _broken("has a host that is no name")


def _broken(what: str) -> Violation:
    return Violation("url", "url_syntax", f"url {what}.")
