"""Being a member of the groups that `GroupMember` asks for, on the sockets of a lane. Part of the shell."""

from ipaddress import IPv6Address

from herald.layer2.lane import OneLane, Say
from herald.layer2.link import NdpLink
from herald.layer2.packet_socket import GroupSocket


class Groups:
    """Joins and leaves, and remembers what could not be joined."""

    def __init__(self, lane: OneLane[NdpLink, GroupSocket], warning: Say) -> None:
        self._lane = lane
        self._warning = warning
        self._not_joined: dict[int, set[IPv6Address]] = {}

    def join(self, index: int, group: IPv6Address) -> bool:
        """Be a member there; False if that did not work and is to be tried again. Without a socket there is no need."""
        opened = self._lane.sockets.get(index)
        if opened is None:
            return True
        try:
            opened.join(group)
        except OSError as error:
            if index not in self._not_joined:  # said once, not for each group
                name = self._lane.links[index].name
                extra: dict[str, object] = {
                    "event": "joinGroup",
                    "interface": name,
                    "group": str(group),
                    "error": str(error),
                }
                self._warning("cannot join group %s on %s, retrying: %s", group, name, error, extra=extra)
            self._not_joined.setdefault(index, set()).add(group)
            return False
        self._forget(index, group)
        return True

    def join_again(self) -> bool:
        """Try what could not be joined; False if something still cannot."""
        again = [(index, group) for index, groups in self._not_joined.items() for group in groups]
        failed = [group for index, group in again if not self.join(index, group)]
        return not failed

    def leave(self, index: int, group: IPv6Address) -> OSError | None:
        """Be no longer a member there; an error means that the socket is of no further use."""
        self._forget(index, group)
        opened = self._lane.sockets.get(index)
        if opened is None:
            return None
        try:
            opened.leave(group)
        except OSError as error:
            return error
        return None

    def look_again(self) -> None:
        """The sockets may be others: what one that is gone could not join is forgotten."""
        self._not_joined = {index: groups for index, groups in self._not_joined.items() if index in self._lane.sockets}

    def _forget(self, index: int, group: IPv6Address) -> None:
        groups = self._not_joined.get(index, set())
        groups.discard(group)
        if not groups:
            self._not_joined.pop(index, None)
