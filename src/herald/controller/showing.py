"""Which addresses the statuses of services show, both ways round."""

from collections import defaultdict

from herald.cluster.meta import NamespacedName
from herald.cluster.service import Service
from herald.net.ip_family import IPAddress, parse_address


class Showing:
    """What the objects say, not what they should.

    A write of which nobody knows whether it was done may have been: its addresses count as shown until the object is
    seen in another version.
    """

    def __init__(self) -> None:
        self._versions: dict[NamespacedName, str] = {}
        self._shown: dict[NamespacedName, tuple[IPAddress, ...]] = {}
        self._by: defaultdict[IPAddress, set[NamespacedName]] = defaultdict(set)

    def note(self, key: NamespacedName, service: Service | None) -> None:
        """The service looks like this now; None if it is gone."""
        version = service.metadata.resource_version if service is not None else ""
        if version and self._versions.get(key) == version:
            return
        self._versions.pop(key, None)
        self._replace(key, parsed(service.ingress_ips) if service is not None else ())

    def note_attempt(self, key: NamespacedName, version: str, addresses: tuple[IPAddress, ...]) -> None:
        """The service, at `version`, may have been made to show these."""
        self._versions[key] = version
        self._replace(key, tuple(dict.fromkeys((*self.of(key), *addresses))))

    def _replace(self, key: NamespacedName, shown: tuple[IPAddress, ...]) -> None:
        for address in self._shown.pop(key, ()):
            self._by[address].discard(key)
            if not self._by[address]:
                del self._by[address]
        if shown:
            self._shown[key] = shown
            for address in shown:
                self._by[address].add(key)

    def of(self, key: NamespacedName) -> tuple[IPAddress, ...]:
        """The addresses that the status of the service shows, as far as they are addresses."""
        return self._shown.get(key, ())

    def by(self, address: IPAddress) -> frozenset[NamespacedName]:
        """The services whose status shows the address."""
        return frozenset(self._by.get(address, ()))


def parsed(texts: tuple[str, ...]) -> tuple[IPAddress, ...]:
    """The addresses among `texts`; somebody else may have written anything into a status."""
    found = []
    for text in texts:
        try:
            found.append(parse_address(text))
        except ValueError:
            continue
    return tuple(found)
