"""Gossip among speakers: SWIM with Lifeguard, on the wire as HashiCorp's memberlist speaks it. RFCs: none.

    message               the messages themselves            member, roster   who is known, and in which state
    lzw, packet, stream   what is wrapped round them         standing         the rules by which states change
    keyring, keys_heard   encryption, and changing keys      prober           who still answers
    profile               timing, and MetalLB's file of it   exchange         whole states over TCP, joining
    paths                 which ways are closed, and the     gossip           the machine: all of it together
                          direction                          driver, door     the shell: one UDP socket, TCP streams

What is left out: user messages and delegates (they are read and ignored), host names, protocol versions other than 2.
"""
