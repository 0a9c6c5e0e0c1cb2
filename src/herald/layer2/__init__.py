"""Layer 2: this node answers ARP and NDP for the addresses it holds, and tells the segment when it begins to.

    holding     an address and where it is answered for: the wish
    link        which interfaces of the machine may answer at all
    ethernet, arp, ndp, solicited_node   the bytes
    event       what the machines are told and what they ask for
    responder   the machine that answers requests and notices foreign claims (with `ndp_answer`, `conflict`)
    announcer   the machine that sends gratuitous ARP and unsolicited advertisements when an address is taken
    group_member   the machine that joins the multicast groups in which held IPv6 addresses are asked for
    self_probe  the machine that makes sure that what is answered leaves the node
    handover    the machine that lets go of an address that another node has from now on
    quarantine  the machine that looks, where it is wanted, whether an address is in use before it is answered for
    refresh_interval, telling   an option as people write it; what the log says of an effect
    driver      the shell: a packet socket per link and protocol, the machines behind it (with `lane`, `groups`,
                `packet_socket`)

Nothing here knows Kubernetes, nor how a socket is opened: the engine brings the sockets and the list of interfaces.
"""
