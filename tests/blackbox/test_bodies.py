"""Bodies in both directions: framing, interim answers, early answers, HTTP/1.0, pipelining, half-close."""

import json
import threading

from client import chunked, request_bytes
from harness import proxy_to
from testing import check, contains, equal, test, wait_until
from upstream import CLOSE, answer


def bed(t, reply=None, service="retries: 0", settings=None, **options):
    upstream = t.upstream(reply, **options)
    return t.gateway(proxy_to(upstream.port, service), settings=settings), upstream


@test
def content_length_both_ways(t):
    gateway, upstream = bed(t, answer(b"0123456789"))
    client = t.client(gateway)
    response = client.request("PUT", "/x", body=b"abc" * 1000)
    equal((response.framing, response.body), ("length", b"0123456789"), "answer")
    request = upstream.one_request()
    equal((request.framing, request.body), ("length", b"abc" * 1000), "request at the upstream")


@test
def body_of_length_zero(t):
    gateway, upstream = bed(t, answer(b""))
    response = t.client(gateway).request("POST", "/x", body=b"")
    equal((response.status, response.header("Content-Length")), (200, "0"), "answer")
    equal(upstream.one_request().header("Content-Length"), "0", "Content-Length at the upstream")


@test
def chunked_both_ways_with_trailers(t):
    reply = (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
             + chunked(b"first,", b"second", trailers=["X-Sum: 42"]))
    gateway, upstream = bed(t, reply)
    client = t.client(gateway)
    client.send(request_bytes("POST", "/x", ["Transfer-Encoding: chunked", "TE: trailers", "Trailer: X-Check"])
                + chunked(b"abc", b"defgh", trailers=["X-Check: 7"]))
    response = client.response()
    equal((response.framing, response.body, response.trailers), ("chunked", b"first,second", [("X-Sum", "42")]), "answer")
    request = upstream.one_request()
    equal((request.framing, request.body), ("chunked", b"abcdefgh"), "request at the upstream")
    equal(request.trailers, [("X-Check", "7")], "trailers at the upstream")
    equal(client.get("/next").status, 200, "the next request")


@test
def trailers_are_dropped_for_a_client_that_did_not_ask(t):
    reply = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"abc", trailers=["X-Sum: 42"])
    gateway, _ = bed(t, reply)
    response = t.client(gateway).get("/x")
    equal((response.body, response.trailers), (b"abc", []), "answer")


@test
def identity_in_trailers_does_not_pass(t):
    """Upstreams that merge trailers into the head would believe them."""
    gateway, upstream = bed(t, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    client = t.client(gateway)
    client.send(request_bytes("POST", "/x", ["Transfer-Encoding: chunked"])
                + chunked(b"a", trailers=["X-Consumer-Username: root", "x_credential_identifier: root", "X_Real_IP: 10.0.0.1", "X-Check: 1"]))
    equal(client.response().status, 200, "status")
    equal(upstream.one_request().trailers, [("X-Check", "1")], "trailers at the upstream")


@test
def forbidden_trailers_do_not_pass(t):
    """RFC 9110 6.5.1: framing and routing fields in a trailer mean nothing; the strict readers of both sides refuse them."""
    reply = (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
             + chunked(b"abc", trailers=["Content-Length: 99", "X-Sum: 1"]))
    gateway, upstream = bed(t, reply)
    client = t.client(gateway)
    client.send(request_bytes("POST", "/x", ["Transfer-Encoding: chunked", "TE: trailers"])
                + chunked(b"a", trailers=["Transfer-Encoding: chunked", "Host: evil", "X-Check: 1"]))
    response = client.response()
    check(response.status in (200, 400), f"answer: {response}")
    equal(upstream.malformed, [], "malformed at the upstream")
    if response.status == 200:
        check(all(name.lower() != "content-length" for name, _ in response.trailers), f"trailers: {response.trailers}")


@test
def body_that_ends_with_the_connection(t):
    """RFC 9112 6.3: the upstream's close is the end; an HTTP/1.1 client gets chunks, and keeps its connection."""
    gateway, _ = bed(t, [b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nsome text", CLOSE])
    client = t.client(gateway)
    for _ in range(2):
        response = client.get("/x")
        equal((response.framing, response.body), ("chunked", b"some text"), "answer")


@test
def http_1_0_client_gets_no_chunks(t):
    gateway, upstream = bed(t, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"abc", b"def"))
    client = t.client(gateway)
    response = client.request("GET", "/x", "Connection: keep-alive", version="HTTP/1.0")
    equal((response.framing, response.body), ("close", b"abcdef"), "answer")
    equal(response.header("Connection"), "close", "Connection")
    equal(upstream.one_request().version, "HTTP/1.1", "version at the upstream")


@test
def http_1_0_upstream(t):
    gateway, upstream = bed(t, [b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc", CLOSE])
    client = t.client(gateway)
    for _ in range(2):
        response = client.get("/x")
        equal((response.version, response.body), ("HTTP/1.1", b"abc"), "answer")
    equal(upstream.connections, 2, "connections: HTTP/1.0 without keep-alive is not reused")


@test
def head_204_and_304_have_no_body(t):
    def reply(exchange):
        status = exchange.request.target.strip("/")
        if exchange.request.method == "HEAD":
            return exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        fields = b"Content-Length: 1000\r\n" if status == "304" else b""
        return exchange.send(b"HTTP/1.1 " + status.encode() + b" X\r\n" + fields + b"ETag: \"a\"\r\n\r\n")
    gateway, upstream = bed(t, reply)
    client = t.client(gateway)
    for method, status in (("HEAD", 200), ("GET", 204), ("GET", 304), ("HEAD", 200)):
        response = client.request(method, f"/{status}")
        equal((response.status, response.body), (status, b""), f"{method} {status}")
    equal(client.request("HEAD", "/200").header("Content-Length"), "1000", "Content-Length of HEAD")
    equal(upstream.connections, 1, "connections to the upstream")


@test
def head_answered_in_chunks(t):
    gateway, upstream = bed(t, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    client = t.client(gateway)
    for _ in range(2):
        equal(client.request("HEAD", "/x").body, b"", "body")
    equal(upstream.connections, 1, "connections to the upstream")


@test
def expect_100_continue(t):
    gateway, upstream = bed(t)
    client = t.client(gateway)
    client.send(request_bytes("POST", "/x", ["Expect: 100-continue", "Content-Length: 5"]))
    head = client.response_head()
    equal((head.status, head.headers), (100, []), "the interim answer before the body")
    client.send(b"hello")
    response = client.response()
    equal(response.status, 200, "status")
    request = upstream.one_request()
    equal(request.body, b"hello", "body at the upstream")
    equal(client.get("/next").status, 200, "the next request")


@test
def expect_100_continue_of_a_client_that_does_not_wait(t):
    gateway, upstream = bed(t)
    client = t.client(gateway)
    client.send(request_bytes("POST", "/x", ["Expect: 100-continue", "Content-Length: 5"]) + b"hello")
    equal(client.response().status, 200, "status")
    equal(upstream.one_request().body, b"hello", "body at the upstream")


@test
def expect_100_continue_is_not_asked_for_when_the_answer_is_known(t):
    """RFC 9110 10.1.1: a final status at once; the body then never comes, so the connection cannot go on."""
    upstream = t.upstream()
    gateway = t.gateway(proxy_to(upstream.port, route="paths: [/only]"))
    client = t.client(gateway)
    client.send(request_bytes("POST", "/none", ["Expect: 100-continue", "Content-Length: 5"]))
    head = client.response()
    equal((head.status, head.interim), (404, []), "answer")
    equal(head.header("Connection"), "close", "Connection")


@test
def upstream_s_own_100_continue_is_not_passed_twice(t):
    def reply(exchange):
        exchange.send(b"HTTP/1.1 100 Continue\r\n\r\n" + answer(b"ok"))
    gateway, _ = bed(t, reply)
    client = t.client(gateway)
    client.send(request_bytes("POST", "/x", ["Expect: 100-continue", "Content-Length: 2"]) + b"hi")
    response = client.response()
    equal(response.body, b"ok", "body")
    check(len(response.interim) <= 1, f"interim answers: {response.interim}")


@test
def early_hints(t):
    def reply(exchange):
        exchange.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n" + answer(b"ok"))
    gateway, _ = bed(t, reply)
    client = t.client(gateway)
    response = client.get("/x")
    equal([(one.status, one.header("Link")) for one in response.interim], [(103, "</a.css>; rel=preload")], "interim answers")
    equal(response.body, b"ok", "final answer")
    response = client.request("GET", "/x", "Connection: keep-alive", version="HTTP/1.0")
    equal(response.interim, [], "interim answers to an HTTP/1.0 client")  # RFC 9110 15.2


@test
def pipelining_keeps_the_order(t):
    gateway, upstream = bed(t)
    client = t.client(gateway)
    count = 50
    client.send(b"".join(request_bytes("POST", f"/{i}", body=b"x" * i) for i in range(count)))
    for i in range(count):
        got = json.loads(client.response().body)
        equal((got["target"], got["body"]), (f"/{i}", "x" * i), "answer")
    equal(len(upstream.requests), count, "requests at the upstream")


@test
def pipelining_past_the_depth_waits(t):
    gateway, _ = bed(t, settings={"pipeline_depth": "2"})
    client = t.client(gateway)
    client.send(b"".join(request_bytes("GET", f"/{i}") for i in range(40)))
    for i in range(40):
        equal(json.loads(client.response().body)["target"], f"/{i}", "answer")


@test
def pipelining_ends_with_close(t):
    gateway, upstream = bed(t)
    client = t.client(gateway)
    client.send(request_bytes("GET", "/1") + request_bytes("GET", "/2", ["Connection: close"]) + request_bytes("GET", "/3"))
    equal([json.loads(client.response().body)["target"] for _ in range(2)], ["/1", "/2"], "answers")
    check(client.is_closed(), "the connection should be closed")
    equal([request.target for request in upstream.requests], ["/1", "/2"], "the upstream saw")


@test
def request_byte_by_byte(t):
    gateway, upstream = bed(t)
    client = t.client(gateway)
    client.send_split(request_bytes("POST", "/x", ["Transfer-Encoding: chunked"]) + chunked(b"abc", b"de"))
    equal(client.response().status, 200, "status")
    equal(upstream.one_request().body, b"abcde", "body at the upstream")


@test
def answer_byte_by_byte(t):
    def reply(exchange):
        for byte in b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"abc", b"de"):
            exchange.send(bytes([byte]))
    gateway, _ = bed(t, reply)
    equal(t.client(gateway).get("/x").body, b"abcde", "body")


@test
def client_that_closes_its_half_gets_its_answer(t):
    go_on = threading.Event()

    def reply(exchange):
        go_on.wait(10)
        exchange.send(answer(b"ok"))
    gateway, upstream = bed(t, reply)
    client = t.client(gateway)
    client.send(request_bytes("GET", "/x"))
    client.half_close()
    wait_until(lambda: upstream.requests, "the request at the upstream")
    go_on.set()
    equal(client.response().body, b"ok", "body")
    check(client.is_closed(), "the connection should be closed after it")


@test
def client_that_goes_away_in_the_body_ends_the_upstream_s_request(t):
    gateway, upstream = bed(t)
    client = t.client(gateway)
    client.send(request_bytes("POST", "/x", ["Content-Length: 100"]) + b"only this")
    wait_until(lambda: any(b"only this" in received for received in upstream.received), "the beginning at the upstream")
    client.end()
    wait_until(lambda: upstream.incomplete, "the upstream sees the request broken off")
    equal((upstream.requests, upstream.malformed), ([], []), "the upstream saw")


@test
def client_that_went_away_in_the_body_is_not_waited_for(t):
    """Its end came together with the beginning of the body: the attempt is over, and no upstream is to blame for it."""
    gateway, upstream = bed(t, service="retries: 0, read_timeout: 8000")
    client = t.client(gateway)
    client.send(request_bytes("POST", "/x", ["Content-Length: 10"]) + b"01234")
    client.end()
    wait_until(lambda: upstream.incomplete, "the upstream sees the request broken off", 4)
    equal(gateway.metric("cardea_upstream_timeouts_total"), 0, "timeouts of the upstream")


@test
def client_that_goes_away_while_waiting_frees_the_upstream_s_connection(t):
    gateway, upstream = bed(t, lambda exchange: exchange.hold())
    client = t.client(gateway)
    client.send(request_bytes("GET", "/x"))
    wait_until(lambda: upstream.requests, "the request at the upstream")
    client.reset()
    wait_until(lambda: gateway.status()["requests"]["active"] <= 1, "the request is given up")


@test
def body_streams_before_it_is_whole(t):
    """Neither side waits for the other's end: the upstream answers to what it has got so far."""
    def reply(exchange):
        exchange.reader.exact(len(b"5\r\nfirst\r\n"))
        exchange.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ngot1\r\n")
        exchange.reader.exact(len(b"6\r\nsecond\r\n0\r\n\r\n"))
        exchange.send(b"4\r\ngot2\r\n0\r\n\r\n")
    gateway, _ = bed(t, reply, head_only=True)
    client = t.client(gateway)
    client.send(request_bytes("POST", "/x", ["Transfer-Encoding: chunked"]) + b"5\r\nfirst\r\n")
    equal(client.response_head().status, 200, "status, before the request's end")
    equal(client.reader.exact(9), b"4\r\ngot1\r\n", "first chunk")
    client.send(b"6\r\nsecond\r\n0\r\n\r\n")
    equal(client.reader.exact(14), b"4\r\ngot2\r\n0\r\n\r\n", "second chunk")


@test
def early_answer_during_an_upload(t):
    """The client gets the upstream's word although it has sent nothing near all; the connection is not used again."""
    def reply(exchange):
        exchange.send(answer(b"too much", "413 Too Large", "Connection: close"))
        exchange.close()
    gateway, _ = bed(t, reply, head_only=True)
    client = t.client(gateway)
    client.send(request_bytes("POST", "/x", ["Content-Length: 100000000"]) + b"x" * 1000)
    response = client.response()
    equal((response.status, response.body), (413, b"too much"), "answer")
    equal(response.header("Connection"), "close", "Connection")
    check(client.is_closed(), "the connection should be closed")


@test
def early_answer_leaves_no_desynchronised_upstream_connection(t):
    """An upstream that answers early and keeps reading would take the next request for the body's rest."""
    def reply(exchange):
        if exchange.request.method == "POST":
            exchange.send(answer(b"early"))
            exchange.hold()
        else:
            exchange.send(answer(b"clean"))
    gateway, upstream = bed(t, reply, head_only=True)
    client = t.client(gateway)
    client.send(request_bytes("POST", "/x", ["Content-Length: 100000"]) + b"x" * 100)
    equal(client.response().body, b"early", "early answer")
    other = t.client(gateway)
    equal(other.get("/next").body, b"clean", "the next request")
    equal(upstream.connections, 2, "connections to the upstream")


@test
def our_own_early_answer_keeps_the_connection_for_a_small_body(t):
    upstream = t.upstream()
    gateway = t.gateway(proxy_to(upstream.port, route="paths: [/only]"))
    client = t.client(gateway)
    client.send(request_bytes("POST", "/none", ["Content-Length: 10"]) + b"01234")
    response = client.response()
    equal(response.status, 404, "answer")
    if response.header("Connection") != "close":
        client.send(b"56789" + request_bytes("GET", "/only"))
        equal(client.response().status, 200, "the next request begins after the unwanted body")


@test
def body_over_client_max_body_size(t):
    gateway, upstream = bed(t, settings={"client_max_body_size": "1k", "linger_timeout": "1s"})
    response = t.client(gateway).request("POST", "/x", body=b"x" * 1025)
    equal(response.status, 413, "with Content-Length")
    contains(response.body.decode(), "Payload too large", "body")
    equal(t.client(gateway).request("POST", "/x", body=b"x" * 1024).status, 200, "just as much as allowed")
    upstream.clear()
    client = t.client(gateway)
    client.send(request_bytes("POST", "/x", ["Transfer-Encoding: chunked"]))
    client.send_split(chunked(*[b"y" * 100] * 20), 106)
    equal(client.response().status, 413, "in chunks")
    equal((upstream.requests, upstream.malformed), ([], []), "the upstream saw")


@test
def many_requests_on_one_connection_then_close(t):
    gateway, upstream = bed(t, settings={"keepalive_requests": "5"})
    client = t.client(gateway)
    for i in range(5):
        response = client.get(f"/{i}")
        equal(response.header("Connection"), "close" if i == 4 else None, f"Connection of answer {i}")
    check(client.is_closed(), "the connection should be closed")
    equal(len(upstream.requests), 5, "requests at the upstream")


@test
def answer_without_date_gets_one(t):
    gateway, _ = bed(t, answer(b""))
    check(t.client(gateway).get("/").header("Date"), "no Date")


@test
def big_head_in_both_directions(t):
    fields = "".join(f"X-Answer-{i}: {'y' * 900}\r\n" for i in range(40))
    gateway, upstream = bed(t, f"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{fields}\r\n".encode())
    response = t.client(gateway).get("/x", *[f"X-Ask-{i}: {'z' * 700}" for i in range(40)])
    answered = [value for name, value in response.headers if name.startswith("X-Answer-")]
    asked = [value for name, value in upstream.one_request().headers if name.startswith("X-Ask-")]
    equal((answered, asked), (["y" * 900] * 40, ["z" * 700] * 40), "fields of the answer and of the request")
