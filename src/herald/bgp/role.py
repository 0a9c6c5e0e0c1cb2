"""What the two ends of an external session are to each other (RFC 9234 §4): each states its own role.

    we are         the peer must be     our routes are marked (OTC, §5)
    provider       customer             yes
    customer       provider             no
    peer           peer                 yes
    rs-server      rs-client            yes
    rs-client      rs-server            no

The mark, Only to Customer, tells every AS behind the peer that the route may go down to its customers and nowhere else:
who gets it back from one of them has found a leak. It goes by our own role, also where the peer states none (§4.2).
Herald announces its own routes and takes none, so of §5 there is nothing else to do.
"""

from enum import Enum

from herald.bgp.notification import Code, OpenSubcode, WireError


class Role(Enum):
    """What a speaker is to its peer; the value is the number on the wire."""

    PROVIDER = 0
    RS_SERVER = 1
    RS_CLIENT = 2
    CUSTOMER = 3
    PEER = 4

    @property
    def text(self) -> str:
        """The word that users write, FRR's as well."""
        return self.name.lower().replace("_", "-")

    @property
    def counterpart(self) -> "Role":
        """What the other end must be."""
        return _COUNTERPARTS[self]

    @property
    def marks_routes(self) -> bool:
        """Whether routes to the counterpart carry Only to Customer."""
        return self in (Role.PROVIDER, Role.PEER, Role.RS_SERVER)


_COUNTERPARTS = {
    Role.PROVIDER: Role.CUSTOMER,
    Role.CUSTOMER: Role.PROVIDER,
    Role.PEER: Role.PEER,
    Role.RS_SERVER: Role.RS_CLIENT,
    Role.RS_CLIENT: Role.RS_SERVER,
}
_BY_NUMBER = {role.value: role for role in Role}
_BY_TEXT = {role.text: role for role in Role}


def role_text(number: int) -> str:
    """The word for a number that a peer has sent; one that RFC 9234 does not know stays a number."""
    role = _BY_NUMBER.get(number)
    return str(number) if role is None else role.text


def parse_role(text: str) -> Role:
    """The role of that word. Raises `KeyError`."""
    return _BY_TEXT[text]


def check_roles(ours: Role | None, theirs: frozenset[int], *, strict: bool) -> None:
    """Raises `WireError` if the roles that the peer states do not go with ours; None of ours goes with all (§4.2).

    A peer that states none is refused only in strict mode; one that states several always.
    """
    if ours is None or theirs == {ours.counterpart.value}:
        return
    if not theirs and not strict:
        return
    said = " and ".join(role_text(number) for number in sorted(theirs)) or "none, which roleStrict does not accept"
    reason = f"the peer's BGP role is {said}; ours is {ours.text}, which goes with {ours.counterpart.text}"
    raise WireError(Code.OPEN_MESSAGE_ERROR, OpenSubcode.ROLE_MISMATCH, reason)
