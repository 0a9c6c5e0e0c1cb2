"""The webhooks: what the API server asks before it stores one of our objects, and how it turns old BGPPeers into new.

`admission` decides, as a function of the request and of what is known of the cluster; `consequences` finds what an
allowed change brings with it; `admission_review` and `conversion` are the two codecs. `certificates` says what must be
done for TLS and when, `rotation` does it, `server` listens. `run` puts it all together.

Everything works without them as well: the schemas of the CRDs refuse what can be told from one object, and what gets
past them is told by conditions and events.
"""
