"""Upgrades: RFC 6455 handshakes by hand, bytes only after 101, refusals, and the ends of tunnels."""

import base64
import hashlib
import threading

from client import request_bytes
from harness import proxy_to
from messages import Closed, Late
from testing import check, equal, test, wait_until
from upstream import answer

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
HANDSHAKE = ["Connection: Upgrade", "Upgrade: websocket", f"Sec-WebSocket-Key: {KEY}", "Sec-WebSocket-Version: 13"]


def accept_of(key):
    return base64.b64encode(hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()).decode()


def switching(key=KEY):
    return (f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Accept: {accept_of(key)}\r\n\r\n").encode()


def frame(payload, mask=None):
    """A whole text frame of less than 126 bytes; clients mask (RFC 6455 5.2)."""
    if mask is None:
        return bytes([0x81, len(payload)]) + payload
    return bytes([0x81, 0x80 | len(payload)]) + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


def echoing(exchange):
    exchange.send(switching(exchange.request.header("Sec-WebSocket-Key")))
    try:
        while True:
            head = exchange.reader.exact(2)
            mask = exchange.reader.exact(4)
            data = exchange.reader.exact(head[1] & 0x7f)
            exchange.send(frame(bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))))
    except Closed:
        exchange.close()


def bed(t, reply, service="retries: 0", settings=None):
    upstream = t.upstream(reply)
    return t.gateway(proxy_to(upstream.port, service), settings=settings), upstream


@test
def websocket_frames_both_ways(t):
    gateway, upstream = bed(t, echoing)
    client = t.client(gateway)
    response = client.request("GET", "/chat", *HANDSHAKE)
    equal(response.status, 101, "status")
    equal(response.header("Upgrade"), "websocket", "Upgrade")
    equal(response.header("Connection").lower(), "upgrade", "Connection")
    equal(response.header("Sec-WebSocket-Accept"), accept_of(KEY), "Sec-WebSocket-Accept")
    for text in (b"hello", b"", b"x" * 125):
        client.send(frame(text, b"\x01\x02\x03\x04"))
        equal(client.reader.exact(len(text) + 2), frame(text), "echo")
    request = upstream.one_request()
    equal((request.header("Connection"), request.header("Upgrade")), ("keep-alive, Upgrade", "websocket"), "at the upstream")
    client.end()
    wait_until(lambda: not upstream.sockets, "the upstream's side is closed with the client's")


@test
def nothing_passes_before_101(t):
    """What a client sends too early must not reach an upstream that has not switched, and is not lost if it does."""
    go_on = threading.Event()

    def reply(exchange):
        go_on.wait(10)
        exchange.send(switching())
        exchange.reader.exact(5)
        exchange.send(b"got it")
        exchange.close()
    gateway, upstream = bed(t, reply)
    client = t.client(gateway)
    client.send(request_bytes("GET", "/", HANDSHAKE) + b"early")
    wait_until(lambda: upstream.requests, "the request at the upstream")
    try:
        client.reader.fill(seconds=0.2)
    except Late:
        pass
    check(b"early" not in upstream.received[0], "bytes passed before 101")
    go_on.set()
    equal(client.response().status, 101, "status")
    equal(client.reader.exact(6), b"got it", "the early bytes came after 101")


@test
def upstream_refuses_to_switch(t):
    gateway, upstream = bed(t, answer(b"no", "403 Forbidden"))
    client = t.client(gateway)
    response = client.request("GET", "/", *HANDSHAKE)
    equal((response.status, response.body), (403, b"no"), "answer")
    equal(client.get("/next").status, 403, "the connection goes on as HTTP")
    equal(len(upstream.requests), 2, "requests at the upstream")


@test
def smuggled_request_behind_a_refused_upgrade(t):
    """The bytes behind the handshake are the next request of this client, for the gateway to read, not the upstream."""
    upstream = t.upstream(answer(b"no", "426 Upgrade Required"))
    gateway = t.gateway(proxy_to(upstream.port, "retries: 0", "paths: [/open]"))
    client = t.client(gateway)
    client.send(request_bytes("GET", "/open", ["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 999"])
                + request_bytes("GET", "/secret"))
    equal(client.response().status, 426, "the upstream's answer")
    try:
        equal(client.response().status, 404, "the second request is routed by the gateway")
    except Closed:
        pass
    equal([request.target for request in upstream.requests], ["/"], "the upstream saw")


@test
def upgrade_with_http_1_0_is_none(t):
    gateway, upstream = bed(t, answer(b"plain"))
    response = t.client(gateway).request("GET", "/", *HANDSHAKE, version="HTTP/1.0")
    equal(response.status, 200, "status")
    equal(upstream.one_request().header("Upgrade"), None, "Upgrade at the upstream")


@test
def data_right_behind_101_is_not_lost(t):
    def reply(exchange):
        exchange.send(switching() + frame(b"welcome"))
        exchange.hold()
    gateway, _ = bed(t, reply)
    client = t.client(gateway)
    equal(client.request("GET", "/", *HANDSHAKE).status, 101, "status")
    equal(client.reader.exact(9), frame(b"welcome"), "first frame")


@test
def upstream_ends_the_tunnel(t):
    def reply(exchange):
        exchange.send(switching() + b"bye")
        exchange.close()
    gateway, _ = bed(t, reply)
    client = t.client(gateway)
    equal(client.request("GET", "/", *HANDSHAKE).status, 101, "status")
    equal(client.everything(), b"bye", "what came, and the end")


@test
def half_closed_tunnel_carries_the_other_half(t):
    def reply(exchange):
        exchange.send(switching())
        exchange.reader.to_end()
        exchange.send(b"after your end")
        exchange.close()
    gateway, _ = bed(t, reply)
    client = t.client(gateway)
    equal(client.request("GET", "/", *HANDSHAKE).status, 101, "status")
    client.send(b"some")
    client.half_close()
    equal(client.everything(), b"after your end", "the other half")


@test
def idle_tunnel_ends_by_read_timeout(t):
    """kong.md 3.8: read_timeout and write_timeout are the idle times of a tunnel."""
    def reply(exchange):
        exchange.send(switching())
        exchange.hold()
    gateway, _ = bed(t, reply, "retries: 0, read_timeout: 300, write_timeout: 300")
    client = t.client(gateway)
    equal(client.request("GET", "/", *HANDSHAKE).status, 101, "status")
    equal(client.everything(), b"", "closed in silence")


@test
def tunnel_carries_much_both_ways(t):
    size = 20 << 20

    def reply(exchange):
        exchange.send(switching())

        def give():
            exchange.send(b"d" * size)
        giving = threading.Thread(target=give, daemon=True)
        giving.start()
        while exchange.reader.total < size:
            exchange.reader.fill()
            exchange.reader.buffer.clear()
        giving.join()
        exchange.send(b"all")
        exchange.close()
    gateway, _ = bed(t, reply)
    before = gateway.memory()
    client = t.client(gateway)
    equal(client.request("GET", "/", *HANDSHAKE).status, 101, "status")
    sending = threading.Thread(target=lambda: client.send(b"u" * size), daemon=True)
    sending.start()
    left = size
    while left:
        left -= len(client.reader.exact(min(left, 1 << 20)))
    equal(client.reader.exact(3), b"all", "after both directions")
    sending.join()
    gateway.check_growth(before, 16 << 20)


@test
def other_protocols_than_websocket(t):
    """Only what Kong tunnels: `Upgrade: websocket`; others are hop-by-hop and end here."""
    gateway, upstream = bed(t, answer(b"plain"))
    response = t.client(gateway).get("/", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c",
                                     "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA")
    equal(response.status, 200, "status")
    request = upstream.one_request()
    equal((request.header("Upgrade"), request.header("HTTP2-Settings")), (None, None), "at the upstream")
