"""`python -m herald.engine`: the network process of a speaker, started by `herald.speaker.supervisor`."""

import sys

from herald.engine.options import parse


def main() -> None:
    """Be the engine until told to leave."""
    options = parse()
    # The engine never speaks TLS. asyncio imports `ssl` only to offer it, and lives without: 4 MiB less on every node.
    sys.modules["ssl"] = None  # type: ignore[assignment]  # None is how Python is told "this import fails"
    from herald.engine.process import run

    run(options)


if __name__ == "__main__":
    main()
