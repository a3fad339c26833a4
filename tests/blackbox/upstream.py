"""A scripted server on 127.0.0.1: it records every byte and every request, read strictly, and answers as it is told.

An answer is bytes, a list of steps (bytes, CLOSE, RESET, HOLD), or a function that takes an Exchange. With
`head_only` the function is called when the head is there, and reads the body itself. With `raw` it is called when a
connection opens, and gets the bare connection."""

import json
import re
import socket
import struct
import threading

from messages import Closed, Late, Malformed, Reader, read_framed_body, read_request, read_request_head

CLOSE, RESET, HOLD = "close", "reset", "hold"


def answer(body=b"", status="200 OK", *headers):
    """A whole response with Content-Length."""
    lines = "".join(f"{line}\r\n" for line in headers)
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{lines}\r\n".encode("latin-1") + body


class Exchange:
    """One request on one connection, or a bare connection."""

    def __init__(self, upstream, sock, reader, request, connection, number):
        self.upstream = upstream
        self.socket = sock
        self.reader = reader
        self.request = request
        self.connection = connection  # number of the connection, from 0
        self.number = number          # number of the request on it, from 0
        self.is_over = False

    def send(self, data):
        self.socket.sendall(data)

    def read_body(self):
        read_framed_body(self.reader, self.request)
        return self.request.body

    def close(self):
        self.is_over = True

    def reset(self):
        self.is_over = True
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def hold(self):
        """Neither answers nor closes, until the other side closes or the test ends."""
        self.is_over = True
        try:
            while self.reader.fill(seconds=60):
                self.reader.buffer.clear()
        except (Closed, Late, OSError):
            pass


def run_steps(exchange, steps):
    for step in steps if isinstance(steps, list) else [steps]:
        if step == CLOSE:
            exchange.close()
        elif step == RESET:
            exchange.reset()
        elif step == HOLD:
            exchange.hold()
        else:
            exchange.send(step)


def described(request):
    return {"method": request.method, "target": request.target, "version": request.version,
            "headers": request.headers, "body": request.body.decode("latin-1"), "trailers": request.trailers}


def echo(exchange):
    """Answers with a JSON copy of the request. Its query may ask for something else: status=N, chunked, close, partial,
    garbage, sleep, hop, via, cookie, size=N (a body of N bytes instead)."""
    request = exchange.request
    asked = dict(re.findall(r"[?&](\w+)=?([^&]*)", request.target))
    if "sleep" in asked:
        return exchange.hold()
    if "close" in asked:
        return exchange.close()
    if "garbage" in asked:
        exchange.send(b"this is not http\r\n")
        return exchange.close()
    if "partial" in asked:
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"half\":")
        return exchange.close()
    status = int(asked.get("status", 200))
    headers = ["Content-Type: application/json", "Server: upstream"]
    if "hop" in asked:
        headers += ["Connection: X-Hop", "X-Hop: 1", "Keep-Alive: timeout=3", "Proxy-Authenticate: Basic",
                    "Upgrade: h2c", "Trailer: X-T"]
    if "via" in asked:
        headers += ["Via: 1.1 inner"]
    if "cookie" in asked:
        headers += ["Set-Cookie: a=1; Path=/", "Set-Cookie: b=2"]
    body = json.dumps(described(request)).encode()
    if "size" in asked:
        body = b"x" * int(asked["size"])
    if status in (204, 304):
        body = b""
    elif "chunked" in asked:
        headers += ["Transfer-Encoding: chunked"]
    else:
        headers += [f"Content-Length: {len(body)}"]
    head = f"HTTP/1.1 {status} Status {status}\r\n" + "".join(line + "\r\n" for line in headers) + "\r\n"
    if request.method == "HEAD":
        body = b""
    elif "chunked" in asked:
        body = b"".join(b"%x\r\n%s\r\n" % (len(body[at:at + 64]), body[at:at + 64]) for at in range(0, len(body), 64))
        body += b"0\r\n\r\n"
    exchange.send(head.encode() + body)
    return None


class Upstream:
    def __init__(self, answer=echo, raw=False, head_only=False, port=0, address="127.0.0.1", seconds=30):
        self.answer = answer
        self.is_raw = raw
        self.head_only = head_only
        self.seconds = seconds
        self.requests = []     # in order of arrival
        self.received = []     # bytes of each connection
        self.malformed = []    # what was not HTTP/1.1 to the byte
        self.incomplete = []   # beginnings of requests that never ended
        self.half_read = set()     # connections on which a request has begun and not yet ended
        self.resets = 0
        self.lock = threading.Lock()
        self.sockets = set()
        self.is_ended = False
        self.listener = socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((address, port))
        self.listener.listen(512)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def connections(self):
        return len(self.received)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def one_request(self):
        with self.lock:
            if len(self.requests) != 1 or self.malformed:
                raise Malformed(f"the upstream got {len(self.requests)} requests {self.requests}, malformed: {self.malformed}")
            return self.requests[0]

    def clear(self):
        with self.lock:
            self.requests, self.malformed, self.incomplete = [], [], []

    def drop_connections(self):
        """Closes the connections, but goes on accepting new ones."""
        with self.lock:
            for sock in list(self.sockets):
                _shut(sock)

    def end(self):
        self.is_ended = True
        _shut(self.listener)
        self.listener.close()
        self.drop_connections()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                number = len(self.received)
                self.received.append(bytearray())
                self.sockets.add(sock)
            threading.Thread(target=self._serve, args=(sock, number), daemon=True).start()

    def _serve(self, sock, number):
        reader = Reader(sock, self.seconds)

        def on_bytes(data):
            self.received[number].extend(data)
            self.half_read.add(number)
        reader.on_bytes = on_bytes
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.is_raw:
                self.answer(Exchange(self, sock, reader, None, number, 0))
                return
            count = 0
            while True:
                request = self._next_request(reader)
                self.half_read.discard(number)
                if request is None:
                    return
                exchange = Exchange(self, sock, reader, request, number, count)
                if callable(self.answer):
                    self.answer(exchange)
                else:
                    run_steps(exchange, self.answer)
                count += 1
                if exchange.is_over:
                    return
        except (ConnectionError, Closed, Late, OSError):
            with self.lock:
                self.resets += 1
        except Malformed as fault:
            with self.lock:
                self.malformed.append(str(fault))
        finally:
            with self.lock:
                self.sockets.discard(sock)
            self.half_read.discard(number)
            sock.close()

    def _next_request(self, reader):
        try:
            request = read_request_head(reader) if self.head_only else read_request(reader)
        except Closed as closed:
            if closed.received:
                with self.lock:
                    self.incomplete.append(closed.received)
            return None
        except Malformed as fault:
            with self.lock:
                self.malformed.append(str(fault))
            return None
        with self.lock:
            self.requests.append(request)
        return request


def _shut(sock):
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
