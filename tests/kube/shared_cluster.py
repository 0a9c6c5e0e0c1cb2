"""The one API server of a test run, and the states to which it is brought back between tests."""

from herald.api import crd
from herald.lab.kubernetes.api_server import ApiServer
from herald.lab.kubernetes.snapshot import Snapshot

APPLY = ("apply", "--server-side", "-f", "-")


class Shared:
    """The API server of the run, and its states to come back to."""

    def __init__(self, server: ApiServer) -> None:
        self.server = server
        self._bare = server.snapshot()
        self._with_crds: Snapshot | None = None

    def bare(self) -> ApiServer:
        """The server as it was when it had just been started."""
        self.server.heal()
        self._bare = self.server.restore(self._bare)
        return self.server

    def with_crds(self) -> ApiServer:
        """The server as it was with Herald's CRDs just applied."""
        if self._with_crds is None:
            self.bare().kubectl(*APPLY, stdin=crd.dump_yaml())
            self.server.wait_crds_served()
            self._with_crds = self.server.snapshot()
        self.server.heal()
        self._with_crds = self.server.restore(self._with_crds)
        return self.server
