"""Who is at the other end of a link: Router Discovery (RFC 4861 §4.1, §4.2, §6), for peers known by interface only.

`message` is the codec of the two messages, `discovery` the machine of one link, `event` its vocabulary. Nothing here
opens a socket, and nothing knows what the neighbour is looked for.
"""
