"""HTTP/2 as only hostile or careless clients speak it: frames by hand. Each attack ends in bounded memory, and another client
is served meanwhile."""

import struct
import time

from client import Client
from harness import proxy_to
from testing import check, equal, test, wait_until
from upstream import answer

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 2, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS = 1, 4
CALM = 11


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def length(size):
    if size < 127:
        return bytes([size])
    out, size = b"\x7f", size - 127
    while size >= 128:
        out, size = out + bytes([size % 128 + 128]), size // 128
    return out + bytes([size])


def literal(name, value):
    return b"\0" + length(len(name)) + name + length(len(value)) + value


def head(path=b"/", method=b"GET", more=()):
    fields = [(b":method", method), (b":scheme", b"http"), (b":path", path), (b":authority", b"gw.example"), *more]
    return b"".join(literal(name, value) for name, value in fields)


def get(stream, **options):
    return frame(HEADERS, END_STREAM | END_HEADERS, stream, head(**options))


def send_all(client, pieces):
    """Until the other side closes. How many were sent."""
    sent = 0
    try:
        for piece in pieces:
            client.send(piece)
            sent += 1
    except (ConnectionError, TimeoutError):
        pass
    return sent


def attacked(t, pieces, growth=16 << 20, ends=True, reads=True):
    upstream = t.upstream(answer(b"x" * 200_000))
    gateway = t.gateway(proxy_to(upstream.port, "retries: 0"))
    equal(t.client(gateway).get("/").status, 200, "an ordinary request before")
    before = gateway.memory()
    client = t.own(Client(gateway.port, seconds=15))
    client.send(PREFACE + frame(SETTINGS, 0, 0))
    send_all(client, pieces)
    if ends and reads:
        received = client.everything()
        gateway_said = received.rfind(frame(GOAWAY, 0, 0)[3:9])
        check(gateway_said > 0, f"no GOAWAY in the last of {len(received)} bytes")
        code, = struct.unpack(">I", received[gateway_said + 10:gateway_said + 14])
        equal(code, CALM, "code of the GOAWAY")
    gateway.check_growth(before, growth, "the attack")
    equal(t.client(gateway).get("/").status, 200, "an ordinary request after")
    return gateway


@test
def rapid_reset(t):
    attacked(t, (get(stream) + frame(RST_STREAM, 0, stream, struct.pack(">I", 8)) for stream in range(1, 20_001, 2)))


@test
def made_you_reset(t):
    attacked(t, (get(stream) + frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", 0x7fffffff)) for stream in range(1, 20_001, 2)))


@test
def continuation_flood(t):
    attacked(t, [frame(HEADERS, END_STREAM, 1, head())] + [frame(CONTINUATION, 0, 1, literal(b"x", b"y" * 1000))] * 20_000)


@test
def hpack_bomb(t):
    """A table entry of 4000 bytes and then references to it: 12,000 for each request, which would be 47 MB."""
    entry = b"\x40" + length(1) + b"x" + length(3900) + b"v" * 3900
    pieces = [frame(HEADERS, END_STREAM | END_HEADERS, stream, head() + (entry if stream == 1 else b"") + b"\xbe" * 12_000)
              for stream in range(1, 101, 2)]
    attacked(t, pieces, ends=False)


@test
def settings_flood(t):
    attacked(t, [frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 65535)) * 100] * 1000)


@test
def ping_flood(t):
    attacked(t, [frame(PING, 0, 0, b"12345678") * 100] * 1000)


@test
def empty_frames(t):
    attacked(t, [frame(HEADERS, END_HEADERS, 1, head(method=b"POST")), *[frame(DATA, 0, 1) * 100] * 1000])


@test
def stalled_windows(t):
    """A hundred large answers on a connection whose client opens no window: each costs a bounded amount, and time ends them."""
    upstream = t.upstream(answer(b"x" * 2_000_000))
    gateway = t.gateway(proxy_to(upstream.port, "retries: 0"), settings={"send_timeout": "1s"})
    equal(t.client(gateway).get("/").status, 200, "an ordinary request before")
    before = gateway.memory()
    client = t.own(Client(gateway.port))
    client.send(PREFACE + frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0))
                + b"".join(get(stream) for stream in range(1, 201, 2)))
    equal(t.client(gateway).get("/").status, 200, "an ordinary request meanwhile")
    gateway.check_growth(before, 64 << 20, "100 stalled answers")
    reset = frame(RST_STREAM, 0, 0)[3:5]
    seen = bytearray()
    deadline = time.monotonic() + 15
    while seen.count(b"\x00\x00\x04" + reset) < 100 and time.monotonic() < deadline:
        seen += client.socket.recv(65536)
    equal(seen.count(b"\x00\x00\x04" + reset), 100, "streams that were reset")


@test
def a_reload_and_the_end_lose_no_request(t):
    """The end says GOAWAY, and what is under way is answered."""
    upstream = t.upstream(answer(b"slow"))
    gateway = t.gateway(proxy_to(upstream.port))
    client = t.own(Client(gateway.port))
    client.send(PREFACE + frame(SETTINGS, 0, 0) + get(1))
    wait_until(lambda: upstream.requests, "the request is at the upstream")
    gateway.is_expected_to_end = True
    gateway.signal(15)
    received = client.everything()
    check(frame(DATA, END_STREAM, 1, b"slow") in received, f"the answer is in {received!r}")
    check(frame(GOAWAY, 0, 0)[3:9] in received, "a GOAWAY")
