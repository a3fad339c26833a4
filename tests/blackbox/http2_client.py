"""The same client over HTTP/2: takes the bytes of HTTP/1.1 requests, sends each as a stream of its own, and gives answers in
the same form, so that a test of what passes through the gateway runs over both. What has no meaning in HTTP/2 (odd line
ends, HTTP/1.0, upgrades, half a message) skips the test."""

import http
import re
import socket
import sys

from messages import Closed, Late, Response
from testing import Skip

try:
    import h2.config
    import h2.connection
    import h2.events
    import h2.exceptions
except ImportError:  # Debian's python3-h2, for a Python that is not Debian's
    sys.path.append("/usr/lib/python3/dist-packages")
    try:
        import h2.config
        import h2.connection
        import h2.events
        import h2.exceptions
    except ImportError:
        h2 = None

OF_CONNECTION = {"connection", "keep-alive", "transfer-encoding", "trailer", "host"}


def as_bytes(data):
    return data if isinstance(data, bytes) else data.encode("latin-1")


def usual(name):
    return "-".join(part.capitalize() for part in name.split("-"))


class Http2Client:
    def __init__(self, port, address="127.0.0.1", source=None, seconds=10, receive_buffer=None):
        if h2 is None:
            raise Skip("no python3-h2")
        self.socket = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(seconds)
        if source:
            self.socket.bind((source, 0))
        self.socket.connect((address, port))
        self.connection = h2.connection.H2Connection(h2.config.H2Configuration(
            client_side=True, header_encoding="latin-1", validate_outbound_headers=False, normalize_outbound_headers=False))
        self.connection.initiate_connection()
        self.buffer = b""
        self.waiting = []  # streams in the order of their requests
        self.answers = {}  # stream -> Response
        self.over = {}  # stream -> None, or how it broke
        self.pending = {}  # stream -> (body, trailers) still to be sent
        self.has_ended = False
        self.flush()

    @property
    def local_port(self):
        return self.socket.getsockname()[1]

    def flush(self):
        self.socket.sendall(self.connection.data_to_send())

    # ---- requests

    def send(self, data):
        self.buffer += as_bytes(data)
        while self.buffer and self.take_request():
            pass

    def send_split(self, data, size=1):
        del size
        self.send(data)

    def take_request(self):
        head, end, rest = self.buffer.partition(b"\r\n\r\n")
        if not end:
            raise Skip("half a head")
        lines = head.decode("latin-1").split("\r\n")
        found = re.match(r"^(\S+) (\S+) HTTP/1\.1$", lines[0])
        if any(":" not in line for line in lines[1:]):
            raise Skip("no such field in HTTP/2")
        fields = [(name.lower(), value.strip(" \t")) for name, _, value in (line.partition(":") for line in lines[1:])]
        names = [name for name, _ in fields]
        if not found or "upgrade" in names or any(not re.match(r"^[!#$%&'*+\-.^_`|~0-9a-z]+$", name) for name in names):
            raise Skip("no such request in HTTP/2")
        method, target = found.groups()
        if not target.startswith("/") or names.count("host") != 1 or method == "CONNECT":
            raise Skip("no such target in HTTP/2")
        hosts = [value for name, value in fields if name == "host"]
        options = ",".join(value for name, value in fields if name == "connection").lower()
        if set(filter(None, re.split(r"[\s,]+", options))) - {"close", "keep-alive", "te"}:
            raise Skip("no such connection option in HTTP/2")
        length = [int(value) for name, value in fields if name == "content-length" and value.isdigit()]
        trailers = []
        has_body = bool(length)
        if "transfer-encoding" in names:
            has_body = True
            body = b""
            while True:
                line, end, rest = rest.partition(b"\r\n")
                if not end or not re.match(rb"^[0-9a-fA-F]+$", line):
                    raise Skip("no such chunks in HTTP/2")
                size = int(line, 16)
                if size == 0:
                    break
                body, rest = body + rest[:size], rest[size + 2:]
            section, end, rest = (b"\r\n" + rest).partition(b"\r\n\r\n")
            for line in section.decode("latin-1").split("\r\n"):
                name, _, value = line.partition(":")
                if name:
                    trailers.append((name.lower(), value.strip()))
            if not end or any(name in ("content-length", "transfer-encoding", "host") for name, _ in trailers):
                raise Skip("no such trailers in HTTP/2")
        else:
            if length and len(rest) < length[0]:
                raise Skip("half a body")
            body, rest = (rest[:length[0]], rest[length[0]:]) if length else (b"", rest)
        self.buffer = rest
        out = [(":method", method), (":scheme", "http"), (":path", target), (":authority", hosts[0])]
        out += [(name, "trailers" if name == "te" else value) for name, value in fields
                if name not in OF_CONNECTION and (name != "te" or "trailers" in value)]
        stream = self.connection.get_next_available_stream_id()
        as_sent = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in out]
        self.connection.send_headers(stream, as_sent, end_stream=not has_body)
        if has_body:
            self.pending[stream] = (body, trailers)
        self.waiting.append((stream, method))
        self.answers[stream] = Response()
        self.send_bodies()
        return True

    def send_bodies(self):
        for stream, (body, trailers) in list(self.pending.items()):
            try:
                room = min(self.connection.local_flow_control_window(stream), self.connection.max_outbound_frame_size)
                while body and room > 0:
                    self.connection.send_data(stream, body[:room])
                    body = body[room:]
                    room = min(self.connection.local_flow_control_window(stream), self.connection.max_outbound_frame_size)
                self.pending[stream] = (body, trailers)
                if body:
                    continue
                if trailers:
                    self.connection.send_headers(stream, trailers, end_stream=True)
                else:
                    self.connection.end_stream(stream)
            except (h2.exceptions.StreamClosedError, h2.exceptions.ProtocolError):
                pass  # answered early
            del self.pending[stream]
        self.flush()

    def request(self, method, target, *headers, body=None, version="HTTP/1.1", host="gw.example"):
        from client import request_bytes
        self.send(request_bytes(method, target, headers, body, version, host))
        return self.response(method)

    def get(self, target, *headers):
        return self.request("GET", target, *headers)

    # ---- answers

    def take_events(self):
        try:
            data = self.socket.recv(65536)
        except (TimeoutError, socket.timeout):
            raise Late(b"") from None
        except ConnectionError:
            data = b""
        if not data:
            self.has_ended = True
            return
        for event in self.connection.receive_data(data):
            answer = self.answers.get(getattr(event, "stream_id", None))
            if isinstance(event, (h2.events.ResponseReceived, h2.events.InformationalResponseReceived)):
                fields = [(name, value) for name, value in event.headers if not name.startswith(":")]
                for name, _ in fields:
                    if name != name.lower() or name in ("connection", "keep-alive", "transfer-encoding", "upgrade"):
                        raise Closed(f"a field that HTTP/2 does not have: {name}".encode(), False)
                one = Response() if isinstance(event, h2.events.InformationalResponseReceived) else answer
                one.version, one.status = "HTTP/2.0", int(dict(event.headers)[":status"])
                one.reason = http.HTTPStatus(one.status).phrase if one.status in list(http.HTTPStatus) else ""
                one.headers = [(usual(name), value) for name, value in fields]
                if one is not answer:
                    answer.interim.append(one)
            elif isinstance(event, h2.events.DataReceived):
                answer.body += event.data
                answer.chunks.append(event.data)
                self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.TrailersReceived):
                answer.trailers = [(usual(name), value) for name, value in event.headers]
            elif isinstance(event, h2.events.StreamEnded):
                self.over[event.stream_id] = None
            elif isinstance(event, h2.events.StreamReset):
                self.over.setdefault(event.stream_id, f"reset {event.error_code}")
        self.send_bodies()

    def response(self, method="GET"):
        del method
        stream, method = self.waiting.pop(0)
        while stream not in self.over and not self.has_ended:
            self.take_events()
        answer = self.answers.pop(stream)
        if self.over.get(stream, "closed") is not None:
            raise Closed(answer.body, True)
        has_body = method != "HEAD" and answer.status not in (204, 304)
        answer.framing = "none" if not has_body else "length" if answer.header("Content-Length") is not None else "chunked"
        return answer

    def is_closed(self, seconds=None):
        """What closes an HTTP/1.1 connection ends a stream here."""
        del seconds
        return True

    def everything(self):
        raise Skip("bytes of HTTP/1.1")

    response_head = half_close = everything

    @property
    def reader(self):
        raise Skip("bytes of HTTP/1.1")

    def reset(self):
        self.end()

    def end(self):
        self.socket.close()
