"""gRPC through the gateway, with grpcio on both ends, and HTTP/2 to upstreams that do what no server should."""

import json
import queue
import struct
import threading

import test_http2
from grpc_server import GrpcClient, GrpcServer, grpc
from harness import command
from test_http2 import DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PREFACE, RST_STREAM, SETTINGS, frame, literal
from test_tls import Authority
from testing import Skip, check, contains, equal, test, wait_until


def document(port, protocol="grpc", route=None, service=None, plugins=()):
    return json.dumps({"_format_version": "3.0", "services": [
        {"name": "echo", "protocol": protocol, "host": "127.0.0.1" if protocol == "grpc" else "localhost", "port": port,
         **(service or {}), "plugins": list(plugins),
         "routes": [{"name": "calls", "protocols": ["grpc", "grpcs"], "paths": ["/test."], **(route or {})}]}]})


def bed(t, **options):
    if grpc is None:
        raise Skip("python3-grpcio is missing")
    server = t.own(GrpcServer())
    gateway = t.gateway(document(server.port, **options))
    return server, gateway, t.own(GrpcClient(gateway.port))


def plain(t):
    if grpc is None:
        raise Skip("python3-grpcio is missing")
    return t.shared("plain", bed)


@test
def unary_calls_empty_and_large(t):
    _, _, client = plain(t)
    for size in (0, 1, 100_000, 9 << 20):
        message = bytes([size % 251]) * size
        equal(client.unary("Unary", message)[0] == message, True, f"a message of {size} bytes comes back")


@test
def streams_of_the_client_the_server_and_both(t):
    _, _, client = plain(t)
    parts = [b"%d" % i * 5000 for i in range(200)]
    equal(client.channel.stream_unary(client.path("Collect"))(iter(parts), timeout=20) == b"".join(parts), True, "collected")
    counted = list(client.channel.unary_stream(client.path("Count"))(b"1000", timeout=20))
    equal(counted, [b"%d" % i for i in range(1000)], "counted")
    to_send = queue.Queue()
    call = client.channel.stream_stream(client.path("PingPong"))(iter(to_send.get, None), timeout=20)
    for i in range(50):  # each after the answer to the one before
        to_send.put(b"%d" % i)
        equal(next(call), b"pong %d" % i, "pong")
    to_send.put(None)
    equal(list(call), [], "rest of it")
    equal(call.code().name, "OK", "status")


@test
def many_calls_share_connections(t):
    server, gateway, client = plain(t)
    pending = [client.channel.unary_unary(client.path("Unary")).future(b"%d" % i, timeout=20) for i in range(300)]
    for i, each in enumerate(pending):
        equal(each.result(), b"%d" % i, "answer")


@test
def metadata_goes_both_ways(t):
    server, _, client = plain(t)
    metadata = (("x-initial", "first"), ("x-trailing-bin", b"\x00\xff"), ("x-mine", "a, b"))
    answer, initial, trailing = client.unary("Unary", b"x", metadata=metadata)
    equal(answer, b"x", "answer")
    equal(initial.get("x-initial"), "first", "initial metadata")
    equal(trailing.get("x-trailing-bin"), b"\x00\xff", "trailing metadata")
    seen = server.calls[-1][1]
    equal(seen.get("x-mine"), "a, b", "metadata that the server saw")
    contains(seen.get("via", ""), "2.0 ", "Via")
    check("x-forwarded-for" in seen and "x-kong-request-id" in seen, f"the gateway's own fields: {seen}")


@test
def statuses_and_their_messages(t):
    _, _, client = plain(t)
    equal(client.status("Fail", "too much: 100 % of ünits".encode()), ("RESOURCE_EXHAUSTED", "too much: 100 % of ünits"),
          "status of the server")
    equal(client.status("Missing")[0], "UNIMPLEMENTED", "a method that is not there")
    call = client.channel.unary_stream(client.path("HalfFail"))(b"", timeout=20)
    equal(next(call), b"one", "first message")
    try:
        next(call)
        check(False, "the status was lost")
    except grpc.RpcError as error:
        equal((error.code().name, error.details()), ("DATA_LOSS", "lost"), "status behind a message")


@test
def the_clients_deadline_reaches_the_server_and_ends_the_call(t):
    server, _, client = bed(t)
    equal(client.status("Silent", timeout=0.7)[0], "DEADLINE_EXCEEDED", "status")
    check(0 < server.calls[-1][2] < 1, f"the server knew the deadline: {server.calls[-1][2]}")
    check(server.cancelled.wait(10), "the server is told that nobody waits")


@test
def a_call_that_the_client_cancels_ends_at_the_server(t):
    server, _, client = bed(t)
    call = client.channel.unary_unary(client.path("Silent")).future(b"", timeout=20)
    wait_until(lambda: server.calls, "the call has arrived")
    call.cancel()
    check(server.cancelled.wait(10), "the server is told")
    equal(client.unary("Unary", b"next")[0], b"next", "the next call")


@test
def what_the_gateway_refuses_has_a_status(t):
    server, gateway, client = bed(t, plugins=[{"name": "key-auth"}])
    equal(client.status("Unary")[0], "UNAUTHENTICATED", "without a key")
    equal(client.status("/other.Service/Method"), ("NOT_FOUND", "NotFound"), "without a route")
    equal(len(server.calls), 0, "calls that reached the server")


@test
def a_server_that_is_gone(t):
    server, gateway, client = bed(t)
    equal(client.unary("Unary", b"x")[0], b"x", "before")
    server.server.stop(0).wait(5)
    wait_until(lambda: client.status("Unary") == ("UNAVAILABLE", "Unavailable"), "the gateway says that it is gone")


@test
def a_server_that_stops_in_order_loses_no_call(t):
    """It says GOAWAY, ends what is under way, and another takes its place at the same address."""
    server, gateway, client = bed(t)
    stop = threading.Event()
    failed, served = [], []

    def call_on_and_on():
        own = GrpcClient(gateway.port)
        while not stop.is_set():
            try:
                own.unary("Unary", b"x")
                served.append(1)
            except grpc.RpcError as error:
                failed.append(error.details())
        own.end()

    second = t.own(GrpcServer())
    threads = [threading.Thread(target=call_on_and_on) for _ in range(4)]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(served) > 50, "calls are served")
    gateway.write(document(second.port))
    gateway.reload()
    wait_until(lambda: second.calls, "the new server is called")
    server.server.stop(5).wait(10)
    count = len(served)
    wait_until(lambda: len(served) > count + 50, "calls go on")
    stop.set()
    for thread in threads:
        thread.join()
    equal(failed, [], "failed calls")


@test
def grpcs_to_the_server(t):
    if grpc is None:
        raise Skip("python3-grpcio is missing")
    cert, key = Authority(t.folder()).sign("localhost")
    server = t.own(GrpcServer(grpc.ssl_server_credentials([(key.encode(), cert.encode())])))
    gateway = t.gateway(document(server.port, "grpcs"))
    client = t.own(GrpcClient(gateway.port))
    equal(client.unary("Unary", b"x" * 300_000)[0], b"x" * 300_000, "answer")


@test
def a_document_says_what_is_wrong_with_its_grpc_routes(t):
    bad = document(9, route={"strip_path": True, "methods": ["POST"]}, service={"path": "/x"})
    path = t.folder() / "kong.yaml"
    path.write_text(bad)
    said = command("check", path)
    check(said.returncode != 0, "it is refused")
    for part in ("cannot set 'strip_path' when 'protocols' is 'grpc' or 'grpcs'",
                 "cannot set 'methods' when 'protocols' is 'grpc' or 'grpcs'", "value must be null"):
        contains(said.stdout + said.stderr, part, "what `check` says")


# ---- HTTP/2 upstreams of another kind

class Script:
    """What one connection of a raw upstream does, frame by frame."""

    def __init__(self, exchange):
        self.exchange = exchange
        reader = exchange.reader
        while len(reader.buffer) < len(PREFACE):
            reader.fill(seconds=20)
        del reader.buffer[:len(PREFACE)]
        self.send(frame(SETTINGS, 0, 0))

    def send(self, data):
        self.exchange.send(data)

    def next_frame(self):
        buffer = self.exchange.reader.buffer
        while True:
            if len(buffer) >= 9:
                size = int.from_bytes(buffer[:3], "big")
                if len(buffer) >= 9 + size:
                    out = (buffer[3], buffer[4], int.from_bytes(buffer[5:9], "big"), bytes(buffer[9:9 + size]))
                    del buffer[:9 + size]
                    if out[0] == SETTINGS and not out[1] & 1:
                        self.send(frame(SETTINGS, 1, 0))
                    return out
            if not self.exchange.reader.fill(seconds=20):
                return None

    def next_request(self):
        """The number of the stream, once all of it is there."""
        while True:
            got = self.next_frame()
            if got is None:
                return None
            if got[0] in (HEADERS, DATA) and got[1] & END_STREAM:
                return got[2]

    def answer(self, stream, body=b"ok"):
        head = literal(b":status", b"200") + literal(b"content-length", b"%d" % len(body))
        self.send(frame(HEADERS, END_HEADERS, stream, head) + frame(DATA, END_STREAM, stream, body))


def scripted(t, play, service=None):
    """`play(script, number)` for each connection; `number` is its own, from 0."""
    def run(exchange):
        play(Script(exchange), exchange.connection)
    upstream = t.upstream(run, raw=True)
    text = document(upstream.port, service=service, route={"protocols": ["http"], "paths": ["/"], "strip_path": False})
    return upstream, t.gateway(text)


def post(t, gateway, body=b"hello"):
    return t.client(gateway).request("POST", "/x", body=body)


@test
def an_http1_client_of_an_http2_upstream(t):
    def play(script, _):
        while stream := script.next_request():
            script.answer(stream)
    upstream, gateway = scripted(t, play)
    client = t.client(gateway)
    for _ in range(3):
        answer = client.get("/a")
        equal((answer.status, answer.body, answer.reason), (200, b"ok", "OK"), "answer")
    equal(post(t, gateway).body, b"ok", "answer to a POST")
    equal(upstream.connections, 1, "connections of the upstream")


@test
def refused_streams_are_sent_again(t):
    seen = []

    def play(script, _):
        while stream := script.next_request():
            seen.append(stream)
            if len(seen) == 1:
                script.send(frame(RST_STREAM, 0, stream, struct.pack(">I", 7)))
            else:
                script.answer(stream)
    _, gateway = scripted(t, play)
    equal(post(t, gateway).status, 200, "status")
    equal(len(seen), 2, "requests that the upstream saw")


@test
def goaway_sends_what_was_not_processed_elsewhere(t):
    seen = []

    def play(script, number):
        stream = script.next_request()
        seen.append(number)
        if number == 0:
            script.send(frame(GOAWAY, 0, 0, struct.pack(">II", 0, 0)))
            return
        script.answer(stream)
        script.next_request()
    _, gateway = scripted(t, play)
    equal(post(t, gateway).status, 200, "status")
    equal(seen, [0, 1], "connections that saw the request")


@test
def what_may_have_been_processed_is_not_sent_again(t):
    seen = []

    def play(script, number):
        seen.append(script.next_request())
    _, gateway = scripted(t, play)
    equal(post(t, gateway).status, 502, "status")
    equal(len(seen), 1, "requests that the upstream saw")


@test
def a_reset_in_the_middle_of_a_body_is_seen(t):
    def play(script, _):
        while stream := script.next_request():
            head = literal(b":status", b"200") + literal(b"content-length", b"100")
            script.send(frame(HEADERS, END_HEADERS, stream, head) + frame(DATA, 0, stream, b"part") +
                        frame(RST_STREAM, 0, stream, struct.pack(">I", 2)))
    upstream, gateway = scripted(t, play)
    for _ in range(2):
        client = t.client(gateway)
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        received = client.everything()
        contains(received, b"Content-Length: 100\r\n", "head")
        check(received.endswith(b"\r\n\r\npart"), f"the body breaks off: {received[-40:]!r}")
    equal(upstream.connections, 1, "connections of the upstream")


@test
def bad_answers_become_502(t):
    bad = [literal(b":status", b"abc"), literal(b":status", b"101"), literal(b"x", b"y"),
           literal(b":status", b"200") + literal(b"connection", b"close"),
           literal(b":status", b"200") + literal(b"X-Upper", b"y"),
           literal(b":status", b"200") + literal(b"x", b"a\nb"),
           literal(b":status", b"200") + literal(b":status", b"200"),
           literal(b":status", b"200") + b"".join(literal(b"x-%d" % i, b"y") for i in range(2000))]
    turn = iter(bad)

    def play(script, _):
        while stream := script.next_request():
            block = next(turn)
            first, rest = block[:16000], block[16000:]
            flags = END_STREAM | (0 if rest else END_HEADERS)
            data = frame(HEADERS, flags, stream, first)
            while rest:
                part, rest = rest[:16000], rest[16000:]
                data += frame(test_http2.CONTINUATION, 0 if rest else END_HEADERS, stream, part)
            script.send(data)
    _, gateway = scripted(t, play)
    for block in bad:
        equal(post(t, gateway).status, 502, f"status for {block[:60]!r}")


@test
def http2_where_an_https_upstream_speaks_it(t):
    """The tag cardea-http2: by ALPN, and HTTP/1.1 where the upstream does not."""
    from test_tls_upstream import TlsUpstream
    from upstream import echo
    identity = Authority(t.folder()).sign("localhost")

    def play(exchange):
        script = Script(exchange)
        while stream := script.next_request():
            script.answer(stream, b"by HTTP/2")
    speaking = t.own(TlsUpstream(play, t.folder(), identity, raw=True))
    speaking.context.set_alpn_protocols(["h2", "http/1.1"])
    other = t.own(TlsUpstream(echo, t.folder(), identity))
    services = [{"name": name, "url": f"https://localhost:{port}", "tags": tags, "routes": [{"name": name, "paths": [f"/{name}"]}]}
                for name, port, tags in (("h2", speaking.port, ["cardea-http2"]), ("h1", other.port, ["cardea-http2"]))]
    gateway = t.gateway(json.dumps({"_format_version": "3.0", "services": services}))
    client = t.client(gateway)
    for _ in range(3):
        equal(client.get("/h2").body, b"by HTTP/2", "answer of the one that speaks it")
        equal(json.loads(client.get("/h1").body)["version"], "HTTP/1.1", "version that the other sees")
    equal(speaking.connections, 1, "connections of the one")
    equal(other.connections, 1, "connections of the other")
