"""Layer 2: this node answers ARP for the addresses it holds, and tells the segment when it begins to.

    holding     an address and where it is answered for: the wish
    link        which interfaces of the machine may answer at all
    ethernet, arp   the bytes
    event       what the two machines are told and what they ask for
    responder   the machine that answers requests and notices foreign claims (with `conflict`)
    announcer   the machine that sends gratuitous ARP when an address is taken
    driver      the shell: one packet socket per link, both machines behind it

Nothing here knows Kubernetes, nor how a socket is opened: the engine brings the sockets and the list of interfaces.
NDP is not here yet; an IPv6 holding is accepted and reported as not answered.
"""
