"""Whether an address may be told anything: one that came out of a name is looked at before it is used."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address

_METADATA: Final = frozenset(
    map(ip_address, ("fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "192.0.0.192", "168.63.129.16"))
)
"""Where clouds tell a machine its secrets, besides 169.254.169.254, which is link-local."""
_TRANSLATED: Final = IPv6Network("64:ff9b::/96")
"""RFC 6052: the IPv4 address is the last 32 bits."""
_6TO4: Final = IPv6Network("2002::/16")
"""RFC 3056: the IPv4 address follows the first 16 bits."""
_TEREDO: Final = IPv6Network("2001::/32")
_BROADCAST: Final = IPv4Address("255.255.255.255")
_THIS_NETWORK: Final = IPv4Network("0.0.0.0/8")


def objection(address: Address, *, private: bool) -> str | None:
    """Say why nothing may be sent to an address; None where it may.

    Args:
        address: The one that will be connected to.
        private: Whether it may be of this machine or a private network.
    """
    for each in _all_that_it_is(address):
        if each in _METADATA:
            return "its address is one at which a cloud keeps the secrets of a machine"
        if each.is_link_local or each.is_multicast or each.is_unspecified or each == _BROADCAST:
            return "its address is link-local or multicast"
        if isinstance(each, IPv4Address) and each in _THIS_NETWORK:
            return "its address is none of a machine"
        if not private and not each.is_global:
            return "its address is private: set private = true for this sink, if that is meant"
    return None


def _all_that_it_is(address: Address) -> tuple[Address, ...]:
    """The address itself, and the IPv4 address that it leads to."""
    if isinstance(address, IPv4Address):
        return (address,)
    embedded = address.ipv4_mapped
    if address in _TRANSLATED:
        embedded = IPv4Address(int(address) & 0xFFFF_FFFF)
    elif address in _6TO4:
        embedded = address.sixtofour
    elif address in _TEREDO and address.teredo:
        embedded = address.teredo[1]
    if embedded is None:
        return (address,)
    # `is_global` calls these global, or not, whatever address they lead to: that one counts.
    return (embedded,)
