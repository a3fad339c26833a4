"""Much data through little memory: 200 MB each way, streamed, with a bound on what the gateway holds."""

import hashlib
import threading

from client import request_bytes
from harness import is_sanitized, proxy_to
from testing import check, equal, test

SIZE = 200 << 20
PIECE = bytes(range(256)) * 1024  # 256 KiB
BOUND = 24 << 20  # resident bytes beyond what was there before: buffers of two sockets


def expected_digest():
    digest = hashlib.sha1()
    for _ in range(SIZE // len(PIECE)):
        digest.update(PIECE)
    return digest.hexdigest()


def take(reader, size, gateway, peaks):
    digest = hashlib.sha1()
    left = size
    while left:
        if not reader.buffer:
            check(reader.fill(1 << 20), f"ended with {left} bytes to come")
        part = bytes(reader.buffer[:left])
        del reader.buffer[:len(part)]
        digest.update(part)
        left -= len(part)
        if (left >> 20) % 16 == 0:
            peaks.append(gateway.memory())
    return digest.hexdigest()


@test(seconds=120)
def download(t):
    def reply(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
        for _ in range(SIZE // len(PIECE)):
            exchange.send(PIECE)
    upstream = t.upstream(reply)
    gateway = t.gateway(proxy_to(upstream.port))
    client = t.client(gateway)
    peaks = [gateway.memory()]
    client.send(request_bytes("GET", "/big"))
    equal(client.response_head().status, 200, "status")
    equal(take(client.reader, SIZE, gateway, peaks), expected_digest(), "SHA-1 of what came")
    check(max(peaks) - peaks[0] < BOUND or is_sanitized(), f"memory grew by {max(peaks) - peaks[0]}")


@test(seconds=120)
def upload(t):
    seen = {}

    def reply(exchange):
        seen["digest"] = take(exchange.reader, SIZE, gateway, peaks)
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone")
    upstream = t.upstream(reply, head_only=True)
    gateway = t.gateway(proxy_to(upstream.port))
    peaks = [gateway.memory()]
    client = t.client(gateway, seconds=30)
    client.send(request_bytes("PUT", "/big", [f"Content-Length: {SIZE}"]))
    for _ in range(SIZE // len(PIECE)):
        client.send(PIECE)
    equal(client.response().body, b"done", "answer")
    equal(seen["digest"], expected_digest(), "SHA-1 of what the upstream got")
    check(max(peaks) - peaks[0] < BOUND or is_sanitized(), f"memory grew by {max(peaks) - peaks[0]}")


@test(seconds=120)
def chunked_both_ways_at_once(t):
    """An echo: back-pressure in one direction must not stop the other for ever."""
    size = 32 << 20

    def reply(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            length = int(exchange.reader.line(), 16)
            data = exchange.reader.exact(length + 2)
            exchange.send(b"%x\r\n%s" % (length, data))
            if length == 0:
                return
    upstream = t.upstream(reply, head_only=True)
    gateway = t.gateway(proxy_to(upstream.port))
    before = gateway.memory()
    client = t.client(gateway, seconds=30)
    client.send(request_bytes("POST", "/echo", ["Transfer-Encoding: chunked"]))

    def give():
        for _ in range(size // len(PIECE)):
            client.send(b"%x\r\n%s\r\n" % (len(PIECE), PIECE))
        client.send(b"0\r\n\r\n")
    giving = threading.Thread(target=give, daemon=True)
    giving.start()
    response = client.response()
    giving.join()
    equal((len(response.body), hashlib.sha1(response.body).digest()),
          (size, hashlib.sha1(PIECE * (size // len(PIECE))).digest()), "length and SHA-1 of the echo")
    gateway.check_growth(before, BOUND)
