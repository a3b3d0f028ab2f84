"""HTTP servers on this machine that answer well, badly or not at all, and what they serve."""

import contextlib
import gzip
import hashlib
import http.server
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable

from stages.sources.schema import Mirrors, RawFile, RawFiles

NAMES = (
    "train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte",
)  # fmt: skip
CONTENT = {name: name.encode() * 20_000 for name in NAMES}
NAME = NAMES[0]
BODY = gzip.compress(CONTENT[NAME])
BOMB = gzip.compress(bytes(100_000_000))
DRIP_SECONDS = 0.05

Answer = Callable[[http.server.BaseHTTPRequestHandler], None]


class Server:
    """An HTTP server on this machine that answers every request in one way, and keeps count of them.

    With a certificate it speaks HTTPS, and is `localhost`.
    """

    def __init__(self, answer: Answer, certificate: ssl.SSLContext | None = None) -> None:
        requests: list[str] = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                requests.append(self.path)
                with contextlib.suppress(ConnectionError):  # the client hangs up on wrong content
                    answer(self)

            do_POST = do_GET  # noqa: N815 - the name is that of the HTTP method

            def log_message(self, *_: object) -> None:
                """Keep the test's output clean."""

        self.requests = requests
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        if certificate is not None:
            self.http.socket = certificate.wrap_socket(self.http.socket, server_side=True)
            self.url = f"https://localhost:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


def send(request: http.server.BaseHTTPRequestHandler, body: bytes, status: int = 200) -> None:
    request.send_response(status)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


def good(request: http.server.BaseHTTPRequestHandler) -> None:
    name = request.path.rpartition("/")[2].removesuffix(".gz")
    send(request, gzip.compress(CONTENT[name]))


def other_content(request: http.server.BaseHTTPRequestHandler) -> None:
    name = request.path.rpartition("/")[2].removesuffix(".gz")
    send(request, gzip.compress(bytes(len(CONTENT[name]))))


def page(request: http.server.BaseHTTPRequestHandler) -> None:
    send(request, b"<html>You are not logged in</html>")


def bomb(request: http.server.BaseHTTPRequestHandler) -> None:
    send(request, BOMB)


def half(request: http.server.BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(len(BODY)))
    request.end_headers()
    request.wfile.write(BODY[: len(BODY) // 2])


def half_without_length(request: http.server.BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.end_headers()
    request.wfile.write(BODY[: len(BODY) // 2])


def hang(request: http.server.BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(len(BODY)))
    request.end_headers()
    request.wfile.write(BODY[:100])
    request.wfile.flush()
    time.sleep(2)


def drip(request: http.server.BaseHTTPRequestHandler) -> None:
    """Send a byte now and then, never pausing for long."""
    request.send_response(200)
    request.end_headers()
    for byte in BODY[:100]:
        request.wfile.write(bytes([byte]))
        request.wfile.flush()
        time.sleep(DRIP_SECONDS)


def endless(request: http.server.BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.end_headers()
    while True:
        request.wfile.write(bytes(1 << 20))


def reset(request: http.server.BaseHTTPRequestHandler) -> None:
    """Break the connection off, so that the client gets no end of it but an error."""
    request.send_response(200)
    request.send_header("Content-Length", str(len(BODY)))
    request.end_headers()
    request.wfile.write(BODY[:1000])
    request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.connection.close()


def slam(request: http.server.BaseHTTPRequestHandler) -> None:
    """Break the connection off before anything is sent."""
    request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.connection.close()


def elsewhere(request: http.server.BaseHTTPRequestHandler) -> None:
    """Redirect to a page that says, with code 200, that it is not here."""
    if request.path == "/sorry":
        page(request)
    else:
        request.send_response(302)
        request.send_header("Location", "/sorry")
        request.send_header("Content-Length", "0")
        request.end_headers()


def in_circles(request: http.server.BaseHTTPRequestHandler) -> None:
    request.send_response(302)
    request.send_header("Location", request.path)
    request.send_header("Content-Length", "0")
    request.end_headers()


def encoded_bomb(request: http.server.BaseHTTPRequestHandler) -> None:
    """A bomb that the client's HTTP library is told to unpack, before anybody looks at it."""
    request.send_response(200)
    request.send_header("Content-Encoding", "gzip")
    request.send_header("Content-Length", str(len(BOMB)))
    request.end_headers()
    request.wfile.write(BOMB)


def busy(request: http.server.BaseHTTPRequestHandler) -> None:
    send(request, b"", 429)


def missing(request: http.server.BaseHTTPRequestHandler) -> None:
    send(request, b"", 404)


def forbidden(request: http.server.BaseHTTPRequestHandler) -> None:
    send(request, b"", 403)


def broken(request: http.server.BaseHTTPRequestHandler) -> None:
    send(request, b"", 503)


def expected(content: bytes) -> RawFile:
    return RawFile(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


FILES = RawFiles(**{name: expected(content) for name, content in CONTENT.items()})


def source(*urls: str) -> Mirrors:
    return Mirrors(kind="mirrors", urls=list(urls))
