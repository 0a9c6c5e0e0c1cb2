"""Take-over in about 200 ms: nodes next in line watch an owner by BFD, and ask by gossip before they believe it dead.

    vigil   from the silence of a node to its death or its return      fence   what the node does that was silent itself

Both are machines without I/O. Who watches whom is `herald.announcement.sentries`; the sessions and the questions are
those of `herald.bfd` and `herald.swim`, brought together by `herald.engine.fast_failover`.
"""
