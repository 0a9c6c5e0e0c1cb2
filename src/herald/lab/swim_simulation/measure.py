"""What is measured of a group: how soon a crash is known, what a quiet hour costs, how soon halves are one again."""

from dataclasses import dataclass

from herald.lab.swim_simulation.simulation import Simulation
from herald.swim.event import Kind
from herald.swim.profile import Profile

SETTLING_S = 1.0
LOOK_EVERY_S = 0.01


@dataclass(frozen=True, slots=True)
class Detection:
    """Seconds from a crash until the first survivor, and until every survivor, took the member for dead.

    `octets`: sent by each member on average from the crash on, until all knew. `wronged`: live members that anybody
    declared dead meanwhile.
    """

    first: float
    last: float
    octets: float
    wronged: int


def detection(size: int, profile: Profile, *, seed: int, loss: float, limit: float = 600.0) -> Detection:
    """One crash in a group that has been together for a while. Raises RuntimeError if not all saw it in `limit`."""
    simulation = Simulation(size, profile, seed=seed, loss=loss)
    simulation.run((SETTLING_S + seed % 97 / 97) * max(1.0, profile.probe_interval))
    simulation.crash(0)
    began, before = simulation.now, simulation.octets
    seen: set[int] = set()
    looked = 0

    def all_know() -> bool:
        nonlocal looked
        if len(simulation.verdicts) > looked:
            seen.update(one.observer for one in simulation.verdicts[looked:] if one.member == 0)
            looked = len(simulation.verdicts)
        return len(seen) == size - 1

    simulation.run(limit, all_know)
    if not all_know():
        raise RuntimeError(f"not everybody saw it within {limit} s")
    times = [one.at - began for one in simulation.verdicts if one.member == 0]
    sent = (simulation.octets - before) / (size - 1)
    return Detection(min(times), max(times), sent, len(simulation.false_deaths()))


@dataclass(frozen=True, slots=True)
class Calm:
    """A group in which nobody crashes: what each member sends a second, and what it wrongly believes.

    `octets` count IP and UDP or TCP headers. `suspicions` and `false_deaths`: by how many members, of how many.
    """

    octets: float
    packets: float
    suspicions: int
    false_deaths: int
    member_seconds: float


def calm(size: int, profile: Profile, *, seed: int, loss: float, seconds: float) -> Calm:
    """After it has settled, for so long."""
    simulation = Simulation(size, profile, seed=seed, loss=loss)
    simulation.run(SETTLING_S)
    octets, packets = simulation.octets, simulation.packets
    simulation.run(seconds)
    accused = {(at, note.member) for at, _, note in simulation.notes if note.kind is Kind.SUSPECTED}
    whole = size * seconds
    return Calm(
        (simulation.octets - octets) / whole,
        (simulation.packets - packets) / whole,
        len(accused),
        len(simulation.false_deaths()),
        whole,
    )


@dataclass(frozen=True, slots=True)
class Healing:
    """Seconds after a partition has healed until every member knows everybody again, and what each sent for it."""

    last: float
    octets: float


def healing(size: int, profile: Profile, *, seed: int, loss: float, limit: float = 600.0) -> Healing:
    """A third of the group is cut off until either side takes the other for dead, and then is not.

    Raises RuntimeError if they are not one group after `limit` seconds.
    """
    simulation = Simulation(size, profile, seed=seed, loss=loss)
    simulation.run(SETTLING_S)
    few = set(range(size // 3 or 1))
    simulation.separate(few)
    cut = _sides(few, size)
    _run_until(simulation, limit, cut)
    simulation.separate(())
    healed, before = simulation.now, simulation.octets
    _run_until(simulation, limit, [size] * size)
    return Healing(simulation.now - healed, (simulation.octets - before) / size)


def _sides(few: set[int], size: int) -> list[int]:
    return [len(few) if member in few else size - len(few) for member in range(size)]


def _run_until(simulation: Simulation, limit: float, present: list[int]) -> None:
    end = simulation.now + limit
    while simulation.present != present:
        if simulation.now >= end:
            raise RuntimeError(f"the group did not come to see itself so within {limit} s")
        simulation.run(LOOK_EVERY_S)
