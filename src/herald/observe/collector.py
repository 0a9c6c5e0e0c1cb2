"""The garbage collector of a process that keeps tens of thousands of objects and must never stand still.

Almost everything Herald keeps is free of cycles and goes when its last user lets go of it. What the collector is still
there for is rare, while a full walk over what 10,000 Services hold takes hundreds of milliseconds, in which nothing is
answered and nothing decided.
"""

import gc

YOUNG = 10_000
"""Objects made before the young ones are looked at: about a millisecond of work."""


def calm() -> None:
    """Call when all is imported and nothing of the cluster is read yet: walk seldom, and never over modules."""
    gc.collect()
    set_aside()
    gc.set_threshold(YOUNG, 200, 1_000)


def set_aside() -> None:
    """What is there now is to stay: never walk over it again. Takes no time, for it looks at nothing.

    What is set aside is still freed with its last reference.
    """
    gc.freeze()
