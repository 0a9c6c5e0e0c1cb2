"""Every kind of packet of BFD, ARP and Neighbor Discovery that Herald emits, in the words of tshark's fields."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address
from itertools import product
from random import Random

from capture_file import OUR_MAC, OURS, THEIR_MAC, Emitted, icmpv6, udp

from herald.bfd import control_packet
from herald.bfd.control_packet import ControlPacket, Diagnostic, State
from herald.bfd.echo import Echo
from herald.layer2 import arp, ndp, solicited_node
from herald.layer2.solicited_node import ALL_NODES, multicast_mac
from herald.net.interface import BROADCAST_MAC, Mac
from herald.router_discovery import message as router

LINK_LOCAL = IPv6Address("fe80::2")
VIP, VIP6 = IPv4Address("192.168.1.200"), IPv6Address("2001:db8:cafe::1")


def links() -> Iterator[Emitted]:
    """All of them."""
    for kind in (_bfd, _echoes, _arps, _neighbours, _routers):
        yield from kind()


def _bfd() -> Iterator[Emitted]:
    kinds = product(State, Diagnostic, ((False, False), (True, False), (False, True)), (3784, 4784), (4, 6))
    for state, diagnostic, (poll, final), port, version in kinds:
        yours = 0 if state is State.DOWN else 0x01020304
        sent = ControlPacket(state, 3, 0xA0B0C0D0, yours, 50_000, 300_000, 50_000, diagnostic, poll, final)
        meant = {
            "bfd.version": ["1"],
            "bfd.sta": [f"0x{int(state):02x}"],
            "bfd.diag": [f"0x{int(diagnostic):02x}"],
            "bfd.flags.p": [str(int(poll))],
            "bfd.flags.f": [str(int(final))],
            "bfd.detect_time_multiplier": ["3"],
            "bfd.my_discriminator": ["0xa0b0c0d0"],
            "bfd.your_discriminator": [f"0x{yours:08x}"],
            "bfd.desired_min_tx_interval": ["50000"],
            "bfd.required_min_rx_interval": ["300000"],
            "bfd.required_min_echo_interval": ["50000"],
            "udp.dstport": [str(port)],
        }
        name = f"BFD {state.text}, {diagnostic.name}, P {poll:d}, F {final:d}, port {port}, IPv{version}"
        yield Emitted(name, [udp(control_packet.encode(sent), port, version)], meant)


def _echoes() -> Iterator[Emitted]:
    for version in (4, 6):
        echo = Echo(0xA0B0C0D0, Random(1))
        echo.run(0.05, 3, 0.0)
        sent = echo.due(0.0)
        assert sent is not None
        ends = OURS[version], OURS[version]
        meant = {"udp.dstport": ["3785"], "udp.length": ["24"], "bfd_echo.packet": [sent.hex()]}
        yield Emitted(f"BFD echo, IPv{version}", [udp(sent, 3785, version, ends)], meant)


def _arps() -> Iterator[Emitted]:
    mac, router_mac = Mac(OUR_MAC), Mac(THEIR_MAC)
    their_ip, our_ip = IPv4Address("192.168.1.9"), IPv4Address("192.168.1.10")
    question = arp.Packet(arp.Operation.REQUEST, router_mac, their_ip, Mac(bytes(6)), VIP)
    probe = arp.Packet(arp.Operation.REQUEST, mac, IPv4Address("0.0.0.0"), Mac(bytes(6)), VIP)
    ask = arp.Packet(arp.Operation.REQUEST, mac, our_ip, Mac(bytes(6)), their_ip)
    announce, answer = arp.gratuitous(VIP, mac)
    frames = {
        "ARP answer": arp.reply(question, mac),
        "gratuitous ARP request": announce,
        "gratuitous ARP reply": answer,
        "ARP probe": arp.Frame(BROADCAST_MAC, mac, probe),
        "ARP request": arp.Frame(BROADCAST_MAC, mac, ask),
    }
    for name, frame in frames.items():
        told = frame.packet
        meant = {
            "eth.dst": [frame.destination.hex(":")],
            "arp.opcode": [str(int(told.operation))],
            "arp.src.hw_mac": [told.sender_mac.hex(":")],
            "arp.src.proto_ipv4": [str(told.sender_ip)],
            "arp.dst.hw_mac": [told.target_mac.hex(":")],
            "arp.dst.proto_ipv4": [str(told.target_ip)],
            "arp.isgratuitous": ["1"] if name.startswith("gratuitous") else [],
        }
        yield Emitted(name, [arp.encode(frame)], meant)


def _neighbours() -> Iterator[Emitted]:
    mac, theirs = Mac(OUR_MAC), Mac(THEIR_MAC)
    group = solicited_node.group(VIP6)
    asked = ndp.Frame(
        multicast_mac(group), theirs, IPv6Address("fe80::9"), group, ndp.NeighborSolicitation(VIP6, theirs)
    )
    dad = ndp.Frame(multicast_mac(group), theirs, ndp.UNSPECIFIED, group, ndp.NeighborSolicitation(VIP6))
    frames = {
        "NA, the answer": ndp.reply(asked, mac, LINK_LOCAL),
        "NA, the answer to a search for duplicates": ndp.reply(dad, mac, LINK_LOCAL),
        "NA, unsolicited": ndp.unsolicited(VIP6, mac, LINK_LOCAL),
        "NS": ndp.Frame(multicast_mac(group), mac, LINK_LOCAL, group, ndp.NeighborSolicitation(VIP6, mac)),
        "NS, search for duplicates": ndp.Frame(
            multicast_mac(group), mac, ndp.UNSPECIFIED, group, ndp.NeighborSolicitation(VIP6)
        ),
    }
    assert frames["NA, unsolicited"].receiver == ALL_NODES
    for name, frame in frames.items():
        told = frame.message
        meant = {
            "ipv6.src": [str(frame.sender)],
            "ipv6.dst": [str(frame.receiver)],
            "eth.dst": [frame.destination.hex(":")],
            "ipv6.hlim": ["255"],
        }
        match told:
            case ndp.NeighborSolicitation(target, source_mac):
                meant |= {"icmpv6.type": ["135"], "icmpv6.nd.ns.target_address": [str(target)]}
                linked = source_mac
            case ndp.NeighborAdvertisement(target, linked, is_router, solicited, override):
                meant |= {"icmpv6.type": ["136"], "icmpv6.nd.na.target_address": [str(target)]}
                meant["icmpv6.nd.na.flag.r"] = [str(int(is_router))]
                meant["icmpv6.nd.na.flag.s"] = [str(int(solicited))]
                meant["icmpv6.nd.na.flag.o"] = [str(int(override))]
        meant["icmpv6.opt.linkaddr"] = [] if linked is None else [linked.hex(":")]
        yield Emitted(name, [ndp.encode(frame)], meant)


def _routers() -> Iterator[Emitted]:
    mac = Mac(OUR_MAC)
    told = {
        "RS": (router.RouterSolicitation(mac), router.ALL_ROUTERS, {"icmpv6.type": ["133"]}),
        "RA": (
            router.RouterAdvertisement(0, mac),
            router.ALL_NODES,
            {"icmpv6.type": ["134"], "icmpv6.nd.ra.router_lifetime": ["0"], "icmpv6.nd.ra.flag.m": ["0"]},
        ),
    }
    for name, (said, destination, meant) in told.items():
        frame = icmpv6(router.encode(said), LINK_LOCAL, destination)
        yield Emitted(name, [frame], meant | {"icmpv6.opt.linkaddr": [mac.hex(":")], "ipv6.dst": [str(destination)]})
