"""grpc-web: what browsers send and get, in front of a gRPC server by grpcio."""

import base64
import struct

from grpc_server import GrpcServer, grpc
from testing import Skip, check, equal, test

PROTO, TEXT = "application/grpc-web+proto", "application/grpc-web-text+proto"


def message(data):
    return b"\0" + struct.pack(">I", len(data)) + data


def frames(body):
    """Messages, and the trailers of the last piece."""
    messages, trailers = [], None
    while body:
        kind, size = body[0], struct.unpack(">I", body[1:5])[0]
        piece, body = body[5:5 + size], body[5 + size:]
        if kind == 0x80:
            check(not body, "the trailers are the end")
            trailers = dict(line.split(":", 1) for line in piece.decode().split("\r\n") if line)
        else:
            messages.append(piece)
    return messages, trailers


def bed(t, config="{}", route="{name: calls, paths: [/]}", plugins="", **options):
    if grpc is None:
        raise Skip("python3-grpcio is missing")
    server = t.own(GrpcServer())
    gateway = t.gateway(f"""
_format_version: "3.0"
services:
- {{name: app, protocol: grpc, host: 127.0.0.1, port: {server.port}, routes: [{route}]}}
plugins:
- {{name: grpc-web, config: {config}}}
{plugins}""", **options)
    return server, gateway


def call(t, gateway, method, body, kind=PROTO, path="/test.Echo/"):
    return t.client(gateway).request("POST", path + method, f"Content-Type: {kind}", body=body)


@test
def calls_in_binary(t):
    server, gateway = bed(t)
    for size in (0, 5, 300_000):
        answer = call(t, gateway, "Unary", message(b"x" * size))
        equal(answer.status, 200, "status")
        equal(answer.header("Content-Type"), PROTO, "type")
        messages, trailers = frames(answer.body)
        equal(messages, [b"x" * size], "messages")
        equal(trailers["grpc-status"], "0", "status of the call")
    equal({method for method, _, _ in server.calls}, {"Unary"}, "methods")


@test
def calls_in_text(t):
    _, gateway = bed(t)
    answer = call(t, gateway, "Unary", base64.b64encode(message(b"hello")), TEXT)
    equal(answer.header("Content-Type"), TEXT, "type")
    # Each piece has padding of its own.
    body = b"".join(base64.b64decode(piece + b"=" * (-len(piece) % 4)) for piece in answer.body.split(b"=") if piece)
    equal(frames(body)[0], [b"hello"], "messages")
    equal(frames(body)[1]["grpc-status"], "0", "status of the call")
    equal(call(t, gateway, "Unary", b"*", TEXT).status, 400, "no base64")


@test
def a_stream_of_answers_comes_as_it_is_sent(t):
    _, gateway = bed(t)
    messages, trailers = frames(call(t, gateway, "Count", message(b"50")).body)
    equal(messages, [b"%d" % i for i in range(50)], "messages")
    equal(trailers["grpc-status"], "0", "status of the call")


@test
def a_call_that_fails_says_its_status(t):
    _, gateway = bed(t)
    messages, trailers = frames(call(t, gateway, "HalfFail", message(b"")).body)
    equal((messages, trailers["grpc-status"], trailers["grpc-message"]), ([b"one"], "15", "lost"), "a late failure")
    answer = call(t, gateway, "Fail", message(b"too much"))
    trailers = frames(answer.body)[1]
    status = trailers["grpc-status"] if trailers else answer.header("grpc-status")
    equal(status, "8", "an early one")


@test
def preflights_and_other_types(t):
    _, gateway = bed(t, "{allow_origin_header: 'https://a.test'}")
    answer = t.client(gateway).request(
        "OPTIONS", "/test.Echo/Unary", "Origin: https://a.test", "Access-Control-Request-Method: POST",
        "Access-Control-Request-Headers: content-type,x-grpc-web")
    equal((answer.status, answer.header("Access-Control-Allow-Origin"), answer.header("Access-Control-Allow-Methods")),
          (200, "https://a.test", "POST"), "preflight")
    answer = call(t, gateway, "Unary", b"{}", "application/json")
    equal((answer.status, answer.header("Access-Control-Allow-Origin")), (400, "https://a.test"), "JSON")


@test
def the_path_that_is_asked_for_goes_upstream_or_what_is_left_of_it(t):
    server, gateway = bed(t, "{pass_stripped_path: true}", "{name: calls, paths: [/web]}")
    equal(frames(call(t, gateway, "Unary", message(b"x"), path="/web/test.Echo/").body)[0], [b"x"], "stripped")
    server, gateway = bed(t, "{}", "{name: calls, paths: [/test.Echo]}")
    equal(frames(call(t, gateway, "Unary", message(b"x")).body)[0], [b"x"], "whole")


@test
def a_plugin_that_reads_the_whole_answer_gets_along_with_it(t):
    _, gateway = bed(t, plugins="- {name: response-transformer, config: {remove: {json: [a]}, add: {headers: ['x-seen:yes']}}}")
    answer = call(t, gateway, "Unary", message(b"whole"))
    equal(answer.header("x-seen"), "yes", "header")
    messages, trailers = frames(answer.body)
    equal((messages, trailers["grpc-status"]), ([b"whole"], "0"), "answer")
