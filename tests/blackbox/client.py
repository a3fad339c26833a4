"""A client that sends exactly the bytes it is told, and reads answers strictly."""

import socket
import struct

from messages import Closed, Late, Reader, read_response, read_response_head


def as_bytes(data):
    return data if isinstance(data, bytes) else data.encode("latin-1")


def request_bytes(method, target, headers=(), body=None, version="HTTP/1.1", host="gw.example"):
    """A well-formed request. Headers are `Name: value` lines; a body gets its Content-Length unless one is given."""
    lines = [f"{method} {target} {version}"]
    names = {line.split(":")[0].lower() for line in headers}
    if host is not None and "host" not in names:
        lines.append(f"Host: {host}")
    lines += headers
    if body is not None and not names & {"content-length", "transfer-encoding"}:
        lines.append(f"Content-Length: {len(body)}")
    return as_bytes("\r\n".join(lines) + "\r\n\r\n") + (body or b"")


def chunked(*pieces, trailers=()):
    out = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return out + b"0\r\n" + b"".join(as_bytes(line) + b"\r\n" for line in trailers) + b"\r\n"


class Client:
    def __init__(self, port, address="127.0.0.1", source=None, seconds=10, receive_buffer=None):
        self.socket = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(seconds)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if source:
            self.socket.bind((source, 0))
        self.socket.connect((address, port))
        self.reader = Reader(self.socket, seconds)

    @property
    def local_port(self):
        return self.socket.getsockname()[1]

    def send(self, data):
        self.socket.sendall(as_bytes(data))

    def send_split(self, data, size=1):
        """In pieces, each its own segment as far as the kernel lets us; stops quietly if the other side has closed."""
        data = as_bytes(data)
        try:
            for at in range(0, len(data), size):
                self.socket.sendall(data[at:at + size])
        except ConnectionError:
            pass

    def response(self, method="GET"):
        return read_response(self.reader, method)

    def response_head(self):
        return read_response_head(self.reader)

    def request(self, method, target, *headers, body=None, **options):
        self.send(request_bytes(method, target, headers, body, **options))
        return self.response(method)

    def get(self, target, *headers):
        return self.request("GET", target, *headers)

    def half_close(self):
        self.socket.shutdown(socket.SHUT_WR)

    def everything(self):
        """All bytes until the end; a reset counts as an end."""
        try:
            return self.reader.to_end()
        except Closed as closed:
            return closed.received

    def is_closed(self, seconds=None):
        """Whether the other side closes, without another byte."""
        try:
            return self.reader.at_end(seconds)
        except Late:
            return False

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.end()

    def end(self):
        self.socket.close()
