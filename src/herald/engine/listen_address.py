"""Where BGP connections are taken: `10.0.0.2:179`, `[2001:db8::2]:179`, or `:179` for all addresses of the node."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from herald.bgp.family import Address


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """An address of this node, or the unspecified one of its family, and a TCP port."""

    address: Address
    port: int

    @property
    def text(self) -> str:
        return f"[{self.address}]:{self.port}" if self.address.version == 6 else f"{self.address}:{self.port}"

    def takes(self, own: Address) -> bool:
        """Whether a connection to this address of the node comes here."""
        return self.address.version == own.version and (self.address.is_unspecified or self.address == own)


def parse(text: str) -> tuple[ListenAddress, ...]:
    """One place, or without an address one for each family. Raises ValueError."""
    host, colon, port_text = text.rpartition(":")
    if not colon or not port_text.isdecimal() or not 0 < int(port_text) < 65536:
        raise ValueError(f'"{text}" is not ADDRESS:PORT, such as 10.0.0.2:179, [2001:db8::2]:179 or :179')
    port = int(port_text)
    if not host:
        return ListenAddress(IPv4Address(0), port), ListenAddress(IPv6Address(0), port)
    is_bracketed = host.startswith("[") and host.endswith("]")
    try:
        address = ip_address(host[1:-1] if is_bracketed else host)
    except ValueError:
        raise ValueError(f'"{text}": {host} is not an IP address') from None
    if address.version == 6 and not is_bracketed:
        raise ValueError(f'"{text}": an IPv6 address is written in brackets, as in [{host}]:{port}')
    return (ListenAddress(address, port),)
