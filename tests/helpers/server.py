"""A server on this machine that does all that servers do wrong."""

import re
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from naturalistic.datasets.download import CHUNK, NOTE


class Server(ThreadingHTTPServer):
    """Serves ``bodies`` with ranges; ``faults[path]`` lists what goes wrong with the next answers."""

    def __init__(self, bodies):
        self.bodies, self.faults, self.asked, self.n_sent = dict(bodies), {}, [], 0
        self.at_once, self.most_at_once, self.lock, self.delay = 0, 0, threading.Lock(), 0
        self.ended = threading.Event()
        self.meeting = None  # a barrier: no request is answered before so many have come
        super().__init__(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server_port}"
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # clients that go away are what is tested


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server, name = self.server, self.path.lstrip("/")
        with server.lock:
            server.asked.append((name, self.headers.get("Range")))
            server.at_once += 1
            server.most_at_once = max(server.most_at_once, server.at_once)
        server.ended.wait(server.delay)
        if server.meeting:
            server.meeting.wait()
        with server.lock:  # before the answer: whoever has all of it may ask again before this thread goes on
            server.at_once -= 1
        faults = server.faults.get(name)
        self.answer(name, faults.pop(0) if faults else None)

    def answer(self, name, fault):
        body = self.server.bodies.get(name.removeprefix("moved/"))
        if body is None or isinstance(fault, int):
            return self.send_error(fault or 404)
        if fault == "redirect":
            return self.head(302, Location=f"{self.server.address}/moved/{name}")
        first = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        first = int(first[1]) if first and fault != "no ranges" else 0
        rest, headers = body[first:], {}
        if first:
            shown = first + 1 if fault == "other range" else first
            headers["Content-Range"] = f"bytes {shown}-{len(body) - 1}/{len(body)}" if fault != "odd range" else "some"
        if fault == "corrupt":
            rest = bytes(len(rest))
        if fault in ("longer", "endless"):
            rest += b"more"
        if fault == "not packed":
            headers["Content-Encoding"] = "gzip"
        if fault not in ("no length", "endless"):
            headers["Content-Length"] = len(rest)
        self.head(206 if first else 200, **{key.replace("_", "-"): value for key, value in headers.items()})
        if fault in ("broken", "no length"):
            rest = rest[: 3 * CHUNK + 77]
        with self.server.lock:
            self.server.n_sent += len(rest)
        self.wfile.write(rest)
        if fault == "broken":
            self.connection.shutdown(socket.SHUT_RDWR)

    def head(self, code, **headers):
        self.send_response(code)
        for key, value in headers.items():
            self.send_header(key, str(value))
        self.end_headers()

    def log_message(self, *_):
        pass


def contents(folder):
    """What lies in a folder, but for the note."""
    found = {p.relative_to(folder).as_posix(): p.read_bytes() for p in Path(folder).rglob("*") if p.is_file()}
    return {name: body for name, body in found.items() if name != NOTE}
