"""A replica whose watches have gone silent without a word takes over: it must not act on what was true before."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from controller_stand import Process, Stand, comes_true

from herald.lab.kubernetes.api_server import ApiServer


class Line:
    """Passes TCP on to the API server. Connections that are there when it is frozen stay, and nothing comes of them."""

    def __init__(self, upstream: int) -> None:
        self._upstream = upstream
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._frozen: set[socket.socket] = set()
        self._open: set[socket.socket] = set()
        self.port: int = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def freeze(self) -> None:
        """From now on nothing is passed on, but for connections that come later."""
        self._frozen |= self._open

    def close(self) -> None:
        """Cut everything."""
        self._listening.close()
        for one in list(self._open):
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                client, _ = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self._upstream))
                self._open |= {client, server}
                for ends in ((client, server), (server, client)):
                    threading.Thread(target=self._pass_on, args=ends, daemon=True).start()

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):  # closed
            while octets := source.recv(65536):
                if source not in self._frozen:
                    sink.sendall(octets)
            if source not in self._frozen:
                sink.shutdown(socket.SHUT_WR)


@contextmanager
def line_to(stand: Stand) -> Iterator[Line]:
    """A line, which whatever the stand starts from now on goes by."""
    assert stand.cluster.port is not None
    line = Line(stand.cluster.port)
    text = stand.kubeconfig.read_text().replace(f":{stand.cluster.port}", f":{line.port}")
    direct, stand.kubeconfig = stand.kubeconfig, stand.folder / "by-line.kubeconfig"
    stand.kubeconfig.write_text(text)
    try:
        yield line
    finally:
        stand.kubeconfig = direct
        line.close()


def addresses_of(process: Process) -> list[str]:
    return [line["service"] for line in process.lines("ipAllocated")]


def test_who_takes_over_reads_everything_anew_before_anything_is_given(cluster: ApiServer, tmp_path: Path) -> None:
    stand = Stand(cluster, tmp_path)
    with stand.controller("controller-a") as first:
        comes_true(lambda: bool(first.lines("leading")), "a leader")
        with line_to(stand) as line, stand.controller("controller-b") as second:
            comes_true(lambda: bool(second.lines("following")), "one who follows")
            stand.put_service("early")
            comes_true(lambda: "early" in stand.shown(), "an address by the first")
            line.freeze()
            for number in range(5):
                stand.put_service(f"unseen{number}")
            comes_true(lambda: len(stand.shown()) == 6, "addresses by the first")
            before = stand.shown()
            assert first.terminate() == 0
            stand.put_service("late")
            comes_true(lambda: "late" in stand.shown(), "an address by the second", 25)
            assert stand.shown().items() >= before.items()
            assert len(set(stand.shown().values())) == 7
            comes_true(lambda: bool(addresses_of(second)), "a line in the log of the second")
            assert addresses_of(second) == ["default/late"]
