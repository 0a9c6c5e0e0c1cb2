"""The engine: the process of a speaker that owns the network, and the one place where sockets are opened.

    process        wiring; options and __main__ start it
    wish           what control last wanted, and what a message changes in it
    link, codec    what control and engine say to each other; control_link is the engine's end of it
    peers, tcp     BGP sessions and how they are dialled
    packet_socket  AF_PACKET sockets for Layer 2
    netlink        the kernel's interfaces, followed live; rtnetlink is the bytes
    membership     which speakers are alive; heartbeat finds out by files, beat is what they contain
    usable         the interfaces of this node that count in elections, without those that come and go
    show           what `herald show` asks

It knows protocols, and nothing of Kubernetes, manifests or stores.
"""
