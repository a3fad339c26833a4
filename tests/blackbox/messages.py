"""Reading HTTP/1.1 messages strictly, as RFC 9112 writes them: what the gateway sends to a client or to an upstream must
be well-formed to the byte. Anything else is Malformed, with the bytes in question."""

import re
import select
import socket
import time

TOKEN = re.compile(rb"^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$")
VALUE = re.compile(rb"^[\t\x20-\x7e\x80-\xff]*$")
REQUEST_LINE = re.compile(rb"^([!#$%&'*+\-.^_`|~0-9A-Za-z]+) ([\x21-\x7e]+) (HTTP/1\.[01])$")
STATUS_LINE = re.compile(rb"^(HTTP/1\.[01]) ([1-9][0-9][0-9]) ([\t\x20-\x7e\x80-\xff]*)$")
LONGEST_LINE = 1 << 20


class Malformed(Exception):
    pass


class Closed(Exception):
    """The other side closed before the message was complete; `received` is what there was of it."""

    def __init__(self, received, was_reset):
        super().__init__(f"{'reset' if was_reset else 'closed'} after {bytes(received[-400:])!r}")
        self.received = bytes(received)
        self.was_reset = was_reset


class Late(Exception):
    def __init__(self, received):
        super().__init__(f"nothing more within the deadline after {bytes(received[-400:])!r}")
        self.received = bytes(received)


class Message:
    def __init__(self):
        self.headers = []  # (name, value) as received
        self.trailers = []
        self.body = b""
        self.framing = "none"  # length, chunked, close
        self.raw = b""
        self.chunks = []

    def all(self, name):
        return [value for key, value in self.headers if key.lower() == name.lower()]

    def header(self, name):
        """The one value, or None."""
        values = self.all(name)
        if len(values) > 1:
            raise Malformed(f"{name} came {len(values)} times: {values}")
        return values[0] if values else None


class Request(Message):
    method = target = version = ""

    def __repr__(self):
        return f"{self.method} {self.target} {self.version} {self.headers} {self.body[:200]!r}"


class Response(Message):
    version = reason = ""
    status = 0

    def __init__(self):
        super().__init__()
        self.interim = []  # 1xx responses before this one

    def __repr__(self):
        return f"{self.version} {self.status} {self.reason} {self.headers} {self.body[:300]!r}"


class Reader:
    """Bytes of a socket, in order, with a deadline for every wait."""

    def __init__(self, sock, seconds=10):
        self.socket = sock
        self.seconds = seconds
        self.buffer = bytearray()
        self.message = bytearray()  # what was consumed of the present message
        self.total = 0
        self.on_bytes = None

    def fill(self, at_most=65536, seconds=None):
        """Reads something more; False at the end."""
        seconds = self.seconds if seconds is None else seconds
        ready = select.poll()
        ready.register(self.socket, select.POLLIN)
        if not ready.poll(seconds * 1000):
            raise Late(self.message + self.buffer)
        try:
            data = self.socket.recv(at_most)
        except ConnectionError:
            raise Closed(self.message + self.buffer, True) from None
        if data and self.on_bytes:
            self.on_bytes(data)
        self.total += len(data)
        self.buffer += data
        return bool(data)

    def line(self):
        start = 0
        while True:
            at = self.buffer.find(b"\n", start)
            if at >= 0:
                break
            if len(self.buffer) > LONGEST_LINE:
                raise Malformed("a line without end")
            start = len(self.buffer)
            if not self.fill():
                raise Closed(self.message + self.buffer, False)
        line = self.exact(at + 1)
        if not line.endswith(b"\r\n") or b"\r" in line[:-2]:
            raise Malformed(f"a line that does not end with one CRLF: {line!r}")
        return line[:-2]

    def exact(self, size):
        while len(self.buffer) < size:
            if not self.fill():
                raise Closed(self.message + self.buffer, False)
        out = bytes(self.buffer[:size])
        del self.buffer[:size]
        self.message += out
        return out

    def to_end(self):
        while self.fill():
            pass
        return self.exact(len(self.buffer))

    def at_end(self, seconds=None):
        """Waits for the end; True if it came without another byte."""
        try:
            return not self.buffer and not self.fill(seconds=seconds)
        except Closed:
            return True


def read_fields(reader):
    fields = []
    while line := reader.line():
        name, colon, value = line.partition(b":")
        if not colon or not TOKEN.match(name):
            raise Malformed(f"a field line: {line!r}")
        value = value.strip(b" \t")
        if not VALUE.match(value):
            raise Malformed(f"a field value: {line!r}")
        fields.append((name.decode(), value.decode("latin-1")))
        if len(fields) > 5000:
            raise Malformed("fields without end")
    return fields


def read_chunks(reader, message):
    while True:
        line = reader.line()
        if not re.match(rb"^[0-9a-fA-F]{1,16}$", line):  # the gateway passes no extensions on
            raise Malformed(f"a chunk size: {line!r}")
        size = int(line, 16)
        if size == 0:
            break
        data = reader.exact(size)
        message.chunks.append(data)
        if reader.exact(2) != b"\r\n":
            raise Malformed("no CRLF after a chunk")
    message.body = b"".join(message.chunks)
    message.trailers = read_fields(reader)
    for name, _ in message.trailers:
        if name.lower() in ("content-length", "transfer-encoding", "host", "connection"):
            raise Malformed(f"a trailer field that must not be one: {name}")


def read_framed_body(reader, message):
    """RFC 9112 6: one Content-Length or one `Transfer-Encoding: chunked`, never both. False if there is neither."""
    lengths = message.all("content-length")
    codings = message.all("transfer-encoding")
    if codings:
        if lengths or codings != ["chunked"]:
            raise Malformed(f"framing: {lengths} and {codings}")
        message.framing = "chunked"
        read_chunks(reader, message)
        return True
    if lengths:
        if len(lengths) != 1 or not re.match(r"^[0-9]{1,18}$", lengths[0]):
            raise Malformed(f"Content-Length: {lengths}")
        message.framing = "length"
        message.body = reader.exact(int(lengths[0]))
        return True
    return False


def read_request_head(reader):
    request = Request()
    reader.message.clear()
    line = reader.line()
    found = REQUEST_LINE.match(line)
    if not found:
        raise Malformed(f"request line: {line!r}")
    request.method, request.target, request.version = (part.decode() for part in found.groups())
    request.headers = read_fields(reader)
    if len(request.all("host")) != 1:
        raise Malformed(f"Host: {request.all('host')}")
    return request


def read_request(reader):
    request = read_request_head(reader)
    read_framed_body(reader, request)
    request.raw = bytes(reader.message)
    return request


def read_response_head(reader):
    response = Response()
    reader.message.clear()
    line = reader.line()
    found = STATUS_LINE.match(line)
    if not found:
        raise Malformed(f"status line: {line!r}")
    version, status, reason = found.groups()
    response.version, response.status, response.reason = version.decode(), int(status), reason.decode("latin-1")
    response.headers = read_fields(reader)
    return response


def read_response(reader, method="GET"):
    """The final response; interim ones are in its `interim`."""
    interim = []
    while True:
        response = read_response_head(reader)
        if response.status >= 200 or response.status == 101:
            break
        if response.all("content-length") or response.all("transfer-encoding"):
            raise Malformed(f"framing in a {response.status}: {response.headers}")  # RFC 9110 8.6, RFC 9112 6.1
        interim.append(response)
    response.interim = interim
    if response.status in (101, 204, 304) or method == "HEAD":
        if response.status in (101, 204) and (response.all("content-length") or response.all("transfer-encoding")):
            raise Malformed(f"framing in a {response.status}: {response.headers}")
        if response.all("content-length") and response.all("transfer-encoding"):
            raise Malformed(f"framing: {response.headers}")
    elif not read_framed_body(reader, response):
        response.framing = "close"
        response.body = reader.to_end()
    response.raw = bytes(reader.message)
    return response


def wait_for_end(sock, seconds):
    """Reads until the other side closes; True if it did within that time."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        ready = select.poll()
        ready.register(sock, select.POLLIN)
        if not ready.poll(left * 1000):
            return False
        try:
            if not sock.recv(65536):
                return True
        except (ConnectionError, socket.timeout):
            return True
    return False
