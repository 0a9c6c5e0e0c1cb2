"""Why the BGP session of this node with a peer stands, or does not: out of what the running speaker says of it.

The document is that of `bgp summary`, see `herald.engine.bgp_document`.
"""

from collections.abc import Iterable, Iterator
from typing import Any

from herald.bgp.explanation import not_exchanged
from herald.cli.show_tables import duration
from herald.config.nearest import suggestion
from herald.config.wording import counted
from herald.report.explain import Explanation, Section, State, Verdict

Document = dict[str, Any]


def explain_session(node: str, sessions: Iterable[Document], name: str) -> Explanation:
    """The session of `node` with the peer `name`, or that there is none."""
    by_name = {each["peer"]: each for each in sessions}
    one = by_name.get(name)
    if one is None:
        known = ", ".join(sorted(by_name)) or "none"
        words = f"{node} has no BGP session with {name}{suggestion(name, by_name)}; it has {known}"
        return Explanation(
            "peer", name, f"BGPPeer {name}, as {node} sees it", (), Verdict(State.NOT_ANNOUNCED, words), {"node": node}
        )
    sections = [Section("SESSION", (_standing(one),))]
    sections += [Section(title, (text,)) for title, text in _diagnosis(one)]
    sections.append(Section("ROUTES", tuple(_family(family) for family in one["families"]) or ("none",)))
    facts = {"node": node, "session": one}
    return Explanation("peer", name, _headline(node, one), tuple(sections), _verdict(one), facts)


def _headline(node: str, one: Document) -> str:
    wanted = one["neighbor"]["peerASN"] or one["remoteASN"]
    asn = "any AS" if wanted is None else f"AS {wanted}"
    role = f", its {one['neighbor']['role']}" if one["neighbor"].get("role") else ""
    return f"BGPPeer {one['peer']}  {one['endpoint']}  {asn}, we are AS {one['localASN']}{role}; as {node} sees it now"


def _standing(one: Document) -> str:
    text = f"{one['state']} for {duration(one['since'])}"
    if one["nextRetry"] is not None:
        text += f"; next attempt in {duration(one['nextRetry'])}"
    if one["flaps"]:
        text += f"; lost {counted(one['flaps'], 'time')}"
    return text


def _waits_for_bfd(one: Document) -> bool:
    return str(one["waitsFor"]).startswith("waiting for BFD")


def _diagnosis(one: Document) -> Iterator[tuple[str, str]]:
    """What went wrong; while BFD alone decides (strict mode), that is history, and its remedy not the one to try."""
    found = one["diagnosis"]
    if found is None:
        return
    if _waits_for_bfd(one):
        why = f": {found['why']}" if found["why"] else ""
        yield "BEFORE", f"{found['error']}{why} ({duration(found['age'])} ago)"
        return
    yield "ERROR", f"{found['error']} ({duration(found['age'])} ago)"
    if found["why"]:
        yield "CAUSE", found["why"]
    if found["fix"]:
        yield "FIX", found["fix"]
    last = one["lastError"]
    if last is not None and not last.startswith(found["error"]):
        yield "LATEST", f"{last} ({duration(one['lastErrorAge'])} ago)"


def _family(family: Document) -> str:
    sent = f"{family['family']}: {family['advertised']} of {counted(family['wanted'], 'route')} sent"
    heard = f", {family['received']} received" if family["received"] else ""
    return f"{sent}{heard}. {_why_unsent(family)}" if family["reason"] else f"{sent}{heard}"


def _why_unsent(family: Document) -> str:
    if family["reason"].startswith("the peer does not offer"):
        return f"{family['reason']}: {not_exchanged(family['family'])}"
    return str(family["reason"])


def _what_to_do(one: Document) -> str:
    if not _waits_for_bfd(one):
        return ""
    bfd = "see `herald show bfd`; the router must begin BFD by itself, without a BGP session"
    if one["neighbor"]["passive"] and one["notAccepted"] is not None:
        return f". Fix: have this node take its connections, or take passive off the BGPPeer; for BFD {bfd}"
    return f". Fix: {bfd}"


def _verdict(one: Document) -> Verdict:
    if one["state"] != "Established":
        if one["waitsFor"] is not None:
            return Verdict(State.NOT_ANNOUNCED, f"{one['waitsFor']}{_what_to_do(one)}")
        found = one["diagnosis"]
        if found is None:
            return Verdict(State.NOT_ANNOUNCED, f"the session is not up yet ({one['state']}), and nothing went wrong")
        why = f": {found['why']}. Fix: {found['fix']}" if found["why"] else ""
        return Verdict(State.NOT_ANNOUNCED, f"{found['error']}{why}")
    unsent = [family for family in one["families"] if family["reason"] and family["wanted"] > family["advertised"]]
    total = counted(sum(family["advertised"] for family in one["families"]), "route")
    if unsent:
        return Verdict(State.DEGRADED, f"{total} sent; {unsent[0]['family']}: {_why_unsent(unsent[0])}")
    if not any(family["wanted"] for family in one["families"]):
        return Verdict(State.NOT_ANNOUNCED, "the session is established, and there is no route to send over it")
    return Verdict(State.ANNOUNCED, f"{total} sent")
