"""A Stock gives the address that a walk through the whole pool would find."""

from dataclasses import dataclass, field

from allocation_objects import pool, service
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from herald.allocator.allocation import Allocation, Refusal
from herald.allocator.allocator import Allocator
from herald.allocator.sharing import Tenant, tenant_of
from herald.allocator.stock import Stock
from herald.cluster.service import Service
from herald.config.pool import Pool
from herald.net.ip_family import IPAddress, IPFamily

PORTS = ("TCP/80", "UDP/80", "TCP/443")
UPSIDE_DOWN = ("10.0.1.254-10.0.2.1", "10.0.0.5/32", "10.0.0.254-10.0.1.1")


@dataclass
class Walk:
    """The rules of MetalLB word by word: every address, in the order of the manifest, tried against all services."""

    pool: Pool
    held: dict[str, tuple[Tenant, IPAddress]] = field(default_factory=dict)

    def lowest(self, tenant: Tenant) -> IPAddress | None:
        walk = (address for entry in self.pool.ranges for address in entry.walk() if address in self.pool)
        return next((address for address in walk if self.allows(tenant, address)), None)

    def allows(self, tenant: Tenant, address: IPAddress) -> bool:
        others = [held for held, where in self.held.values() if where == address and held.key != tenant.key]
        return all(
            tenant.terms.willing and other.terms == tenant.terms and not set(other.ports) & set(tenant.ports)
            for other in others
        )


services = st.builds(
    service,
    st.sampled_from([f"s{number}" for number in range(12)]),
    ports=st.lists(st.sampled_from(PORTS), unique=True, max_size=2),
    share=st.sampled_from([None, "k", "k", "l"]),
    local=st.booleans(),
    selector=st.sampled_from([{}, {"a": "1"}]),
)


class StockAgainstWalk(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.pool = pool("p", *UPSIDE_DOWN, buggy=True)
        self.allocator = Allocator({self.pool.name: self.pool})
        self.walk = Walk(self.pool)

    @rule(subject=services)
    def a_service_takes_the_lowest_address(self, subject: Service) -> None:
        self.walk.held.pop(subject.metadata.name, None)
        self.allocator.release(subject.key)
        tenant = tenant_of(subject)
        expected = self.walk.lowest(tenant)
        answer = self.allocator.allocate(subject)
        if expected is None:
            assert isinstance(answer, Refusal)
        else:
            assert answer == Allocation(self.pool.name, (expected,))
            self.walk.held[subject.metadata.name] = (tenant, expected)

    @rule(subject=services, number=st.integers(0, 12))
    def a_service_asks_for_an_address(self, subject: Service, number: int) -> None:
        address = [address for entry in self.pool.ranges for address in entry.walk()][number % 9]
        tenant = tenant_of(subject)
        allowed = address in self.pool and self.walk.allows(tenant, address)
        answer = self.allocator.register(subject, (address,))
        assert isinstance(answer, Allocation) == allowed
        if allowed:
            self.walk.held[subject.metadata.name] = (tenant, address)

    @precondition(lambda self: self.walk.held)
    @rule(choice=st.integers(0))
    def a_service_lets_go(self, choice: int) -> None:
        name = sorted(self.walk.held)[choice % len(self.walk.held)]
        tenant, address = self.walk.held.pop(name)
        assert self.allocator.release(tenant.key) == Allocation(self.pool.name, (address,))

    @rule()
    def the_pools_are_handed_over_again(self) -> None:
        assert self.allocator.set_pools({self.pool.name: self.pool}) == ()

    @invariant()
    def the_books_agree(self) -> None:
        used = {address for _, address in self.walk.held.values()}
        assert self.allocator.counters(self.pool.name).assigned_ipv4 == len(used)
        for address in used:
            names = {held.key for held, where in self.walk.held.values() if where == address}
            assert set(self.allocator.holders(address)) == names


TestStockAgainstWalk = StockAgainstWalk.TestCase


def test_a_64_bit_range_is_never_listed() -> None:
    stock = Stock(pool("p", "2001:db8::/64"), IPFamily.IPV6)
    tenant = tenant_of(service())
    assert str(stock.lowest(tenant)) == "2001:db8::"


@given(st.permutations(range(20)))
def test_released_addresses_come_back_lowest_first(order: list[int]) -> None:
    allocator = Allocator({(only := pool("p", "10.0.0.0/28")).name: only})
    crowd = [service(f"s{number:02}") for number in range(16)]
    for each in crowd:
        assert isinstance(allocator.allocate(each), Allocation)
    gone = [number for number in order if number < 16][:5]
    for number in gone:
        allocator.release(crowd[number].key)
    given_again = [allocator.allocate(service(f"n{number}")) for number in range(5)]
    expected = [f"10.0.0.{number}" for number in sorted(gone)]
    assert [str(a.addresses[0]) for a in given_again if isinstance(a, Allocation)] == expected
