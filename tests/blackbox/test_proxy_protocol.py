"""The PROXY protocol: whose connection it is, said by trusted proxies in the first bytes, and by nobody else."""

import socket
import struct
import threading

from client import Client, request_bytes
from harness import proxy_to
from test_tls import TlsClient, trusting
from testing import check, contains, equal, test, wait_until

MARK = b"\r\n\r\n\0\r\nQUIT\n"
V1 = b"PROXY TCP4 203.0.113.7 192.0.2.1 5555 443\r\n"
V2 = MARK + b"\x21\x11\x00\x0c" + socket.inet_aton("203.0.113.7") + socket.inet_aton("192.0.2.1") + struct.pack(">HH", 5555, 443)
V6 = MARK + b"\x21\x21\x00\x24" + socket.inet_pton(socket.AF_INET6, "2001:db8::7") * 2 + struct.pack(">HH", 5555, 443)
LISTEN = "127.0.0.1:0 proxy_protocol, 127.0.0.1:0 ssl http2 proxy_protocol"


def bed(t, trusted="127.0.0.0/8", header="proxy_protocol", listen=LISTEN, plugins="", **settings):
    upstream = t.upstream()
    return t.gateway(proxy_to(upstream.port, "retries: 0") + plugins, listen=listen,
                     settings={"trusted_ips": trusted, "real_ip_header": header, **settings}), upstream


def proxied(t, gateway, header, port="proxy"):
    client = t.own(Client(gateway.ports[port]))
    client.send(header)
    return client


@test
def the_client_is_whom_the_proxy_names(t):
    gateway, upstream = bed(t)
    for header, address in ((V1, "203.0.113.7"), (V2, "203.0.113.7"), (V6, "2001:db8::7"), (V2[:15] + b"\x10" + V2[16:] + b"\x04\0\x01x", "203.0.113.7"),
                            (b"PROXY UNKNOWN\r\n", "127.0.0.1"), (MARK + b"\x20\0\0\0", "127.0.0.1")):
        client = proxied(t, gateway, header)
        for _ in range(2):
            equal(client.get("/", "X-Real-IP: 9.9.9.9", "proxy_protocol: 9.9.9.9", "X-Forwarded-For: 8.8.8.8").status, 200, "status")
            equal(upstream.requests[-1].header("X-Real-IP"), address, f"X-Real-IP with {header}")
            equal(upstream.requests[-1].header("X-Forwarded-For"), "8.8.8.8, 127.0.0.1", "X-Forwarded-For")


@test
def in_pieces_and_in_one_with_the_request(t):
    gateway, upstream = bed(t)
    for header in (V1, V2):
        client = t.own(Client(gateway.ports["proxy"]))
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in header + request_bytes("GET", "/"):
            client.send(bytes([byte]))
        equal(client.response().status, 200, "byte by byte")
        equal(upstream.requests[-1].header("X-Real-IP"), "203.0.113.7", "client")
        equal(proxied(t, gateway, header + request_bytes("GET", "/")).response().status, 200, "in one")


@test
def before_tls(t):
    gateway, upstream = bed(t)

    class Proxied(TlsClient):
        def __init__(self, port, context):
            Client.__init__(self, port)
            self.socket.sendall(V2)
            self.socket = context.wrap_socket(self.socket, server_hostname="localhost", suppress_ragged_eofs=False)
            self.reader = type(self.reader)(self.socket, 10)
    client = t.own(Proxied(gateway.ports["proxy, TLS"], trusting()))
    equal(client.get("/").status, 200, "status")
    equal(upstream.requests[-1].header("X-Real-IP"), "203.0.113.7", "client")
    equal(upstream.requests[-1].header("X-Forwarded-Proto"), "https", "scheme")
    silent = proxied(t, gateway, b"\x16\x03\x01", "proxy, TLS")
    check(silent.is_closed(), "closed without the header")


@test
def nobody_else_is_listened_to(t):
    gateway, upstream = bed(t, trusted="10.0.0.0/8")
    client = proxied(t, gateway, V1 + request_bytes("GET", "/"))
    response = client.response()
    equal(response.status, 400, "status for a stranger")
    contains(response.body.decode(), "PROXY protocol", "the reason")
    check(proxied(t, gateway, V1, "proxy, TLS").is_closed(), "closed on the TLS port")
    equal(upstream.requests, [], "requests that passed")
    wait_until(lambda: "it is not one of trusted_ips" in gateway.log(), "the log says why")
    gateway, upstream = bed(t)
    for bytes_ in (request_bytes("GET", "/"), b"PROXY TCP4 x y 1 2\r\n" + request_bytes("GET", "/"), MARK + b"\x31\x11\0\x0c" + b"x" * 12,
                   MARK + b"\x21\x11\xff\xff", b"PROXY UNKNOWN " + b"x" * 200, V1[:-2] + b"\n" + request_bytes("GET", "/")):
        equal(proxied(t, gateway, bytes_).response().status, 400, f"status for {bytes_[:20]}")
    equal(upstream.requests, [], "requests that passed")


@test
def a_header_that_does_not_come_ends_the_connection(t):
    gateway, _ = bed(t, header_timeout="1s")
    for start in (b"", V1[:10], V2[:14], V2[:-1]):
        check(proxied(t, gateway, start).is_closed(), f"closed after {start}")


@test
def a_header_that_does_not_count_is_dropped(t):
    gateway, upstream = bed(t, header="X-Real-IP")
    client = proxied(t, gateway, V1)
    equal(client.get("/").status, 200, "status")
    equal(upstream.requests[-1].header("X-Real-IP"), "127.0.0.1", "client")
    equal(client.get("/", "X-Real-IP: 9.9.9.9").status, 200, "status")
    equal(upstream.requests[-1].header("X-Real-IP"), "9.9.9.9", "client by the field")


@test
def limits_and_restrictions_count_the_client(t):
    gateway, _ = bed(t, plugins="plugins: [{name: ip-restriction, config: {deny: [203.0.113.7]}}]\n",
                     max_connections_per_client=2)
    equal(proxied(t, gateway, V1).get("/").status, 403, "who is denied")
    other = V1.replace(b"203.0.113.7", b"203.0.113.8")
    kept = [proxied(t, gateway, other) for _ in range(2)]
    for client in kept:
        equal(client.get("/").status, 200, "another")
    check(proxied(t, gateway, other).is_closed(), "a third of the same client is closed")
    third = V1.replace(b"203.0.113.7", b"203.0.113.9")
    equal(proxied(t, gateway, third).get("/").status, 200, "one of a third client")
    for client in kept:
        client.end()
    wait_until(lambda: not_closed(t, gateway, other), "there is place again")


def not_closed(t, gateway, header):
    try:
        return proxied(t, gateway, header).get("/").status == 200
    except OSError:
        return False
    except Exception as error:  # the reader's word for an end
        return "Closed" not in type(error).__name__ and None


# ---- to upstreams

@test
def the_upstream_is_told_first_whose_connection_it_is(t):
    seen = []

    server = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            data = b""
            while b" HTTP/1.1\r\n" not in data or not data.endswith(b"\r\n\r\n"):
                part = connection.recv(65536)
                if not part:
                    break
                data += part
            seen.append(data)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    threading.Thread(target=serve, daemon=True).start()
    t.own(Ending(server))
    for version in ("v1", "v2"):
        seen.clear()
        gateway = t.gateway(proxy_to(server.getsockname()[1], f"retries: 0, proxy_protocol: {version}"), listen=LISTEN,
                            settings={"trusted_ips": "127.0.0.0/8", "real_ip_header": "proxy_protocol"})
        client = proxied(t, gateway, V1)
        port = gateway.ports["proxy"]
        for _ in range(2):  # each on a connection of its own
            equal(client.get("/").status, 200, "status")
        expected = (f"PROXY TCP4 203.0.113.7 127.0.0.1 5555 {port}\r\n".encode() if version == "v1" else
                    MARK + b"\x21\x11\x00\x0c" + socket.inet_aton("203.0.113.7") + socket.inet_aton("127.0.0.1") +
                    struct.pack(">HH", 5555, port))
        equal(len(seen), 2, "connections")
        for data in seen:
            check(data.startswith(expected + b"GET / HTTP/1.1\r\n"), f"{version}: {data[:80]}")


class Ending:
    def __init__(self, server):
        self.server = server

    def end(self):
        self.server.close()
