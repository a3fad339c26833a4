"""Requests that readers may disagree about: our own corpus (tests/conformance) and the outside one, if it is there.

What is refused must not reach the upstream as a message; what is forwarded must reach it as the messages that were
meant, each well-formed to the byte. After each case a request of our own follows on another connection, so that the
upstream connection, too, is shown to be where it should be."""

import base64
import json
import re
from urllib.parse import unquote_to_bytes

import testing
from client import Client
from harness import ROOT, proxy_to
from messages import Closed, Late
from testing import Skip, check, equal, wait_until

OUTSIDE = ROOT.parent / "shared" / "data" / "http1-requests" / "cases.json"
QUICK = {"header_timeout": "500ms", "body_timeout": "500ms", "idle_timeout": "500ms", "linger_timeout": "500ms"}
SMALL = {**QUICK, "limit_request_line": "2k", "limit_header_line": "1k", "limit_header_bytes": "4k", "limit_header_count": "50"}


def bed(t, settings, is_split):
    # Not one for both ways: what a case in pieces leaves half sent may be seen to end only during the next case.
    def make(context):
        upstream = context.upstream()
        return context.gateway(proxy_to(upstream.port, "retries: 0"), settings=settings), upstream
    gateway, upstream = t.shared(json.dumps([settings, is_split]), make)
    upstream.clear()
    return gateway, upstream


def answers_of(client, methods):
    """Final statuses until the connection ends or nothing more comes, and whether it ended. After as many as there
    are methods, only a moment is given to what should not be there."""
    statuses = []
    count = len(methods)
    methods = list(methods)
    try:
        while True:
            if client.reader.at_end(0.05 if count and len(statuses) >= count else None):
                return statuses, True
            statuses.append(client.response(methods.pop(0) if methods else "GET").status)
    except Closed as closed:
        check(not closed.received or closed.was_reset, f"an answer is cut off: {closed}")
        return statuses, True
    except Late:
        return statuses, False


def talk(gateway, data, is_split, methods):
    client = Client(gateway.port, seconds=3)
    try:
        if is_split:
            client.send_split(data)
        else:
            client.send_split(data, len(data))
        return answers_of(client, methods)
    finally:
        client.end()


def check_sentinel(gateway, upstream):
    client = Client(gateway.port)
    try:
        equal(client.get("/sentinel", "Connection: close").status, 200, "the request after the case")
    finally:
        client.end()
    wait_until(lambda: any(request.target == "/sentinel" for request in upstream.requests), "the sentinel at the upstream")
    equal(upstream.malformed, [], "malformed at the upstream")
    return [request for request in upstream.requests if request.target != "/sentinel"]


def check_refused(gateway, upstream, data, is_split, status):
    statuses, has_ended = talk(gateway, data, is_split, ())
    seen = check_sentinel(gateway, upstream)
    equal(seen, [], "the upstream saw")
    # Bodies are streamed: of one that is cut short, the beginning may have gone on before.
    if not is_split and 408 not in statuses:
        equal(upstream.incomplete, [], "the upstream saw the beginning of")
    wait_until(lambda: not upstream.half_read, "the upstream has seen the end of what was cut short")
    check(has_ended, f"the connection should be closed; answers: {statuses}")
    check(len(statuses) <= 1, f"more than one answer: {statuses}")
    if status is None:
        check(all(400 <= one < 600 for one in statuses), f"answers: {statuses}")
    else:
        wanted = status if isinstance(status, list) else [status]
        check(len(statuses) == 1 and statuses[0] in wanted, f"answers: {statuses}, expected {status}")


def run_own(case, is_split):
    def run(t):
        gateway, upstream = bed(t, QUICK, is_split)
        data = case["request"].encode("latin-1")
        if "refuse" in case:
            return check_refused(gateway, upstream, data, is_split, case["refuse"])
        statuses, _ = talk(gateway, data, is_split, [one["method"] for one in case["forward"]])
        seen = check_sentinel(gateway, upstream)
        equal(statuses, [200] * len(case["forward"]), "answers")
        equal([(one.method, one.target, one.body.decode("latin-1")) for one in seen],
              [(one["method"], one["target"], one["body"]) for one in case["forward"]], "the upstream saw")
        for one, wanted in zip(seen, case["forward"]):
            equal([list(pair) for pair in one.trailers], wanted.get("trailers", []), "trailers") if "trailers" in wanted else None
    return run


for path in sorted((ROOT / "tests" / "conformance").glob("*.json")):
    for one in json.loads(path.read_text()):
        for is_split, how in ((False, "whole"), (True, "byte by byte")):
            testing.add(__name__, f"{one['name']}, {how}", run_own(one, is_split))


# ---- the outside corpus

OURS = {"host", "via", "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
        "http2-settings", "proxy", "content-length", "expect", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host",
        "x-forwarded-port", "x-forwarded-path", "x-forwarded-prefix", "x-real-ip", "x-kong-request-id"}


def plain_target(target):
    target = re.sub(r"^[a-zA-Z]+://[^/?]*", "", target) or "/"
    path, mark, query = target.partition("?")
    path = unquote_to_bytes(path.encode("latin-1")).decode("latin-1")
    return re.sub(r"/+", "/", path or "/") + mark + query


def check_same(request, wanted):
    equal(request.method, wanted["method"], "method")
    equal(plain_target(request.target), plain_target(wanted["target"]), "target")
    equal(request.body, base64.b64decode(wanted["body_base64"]), "body")
    nominated = {word.strip().lower() for name, value in wanted["headers"] if name == "CONNECTION" for word in value.split(",")}
    for name, value in wanted["headers"]:
        if name.lower() in OURS or name.lower() in nominated:
            continue
        # The corpus joins nothing: each field is there as it came.
        check(value in request.all(name), f"{name}: {value!r} is not in {request.all(name)}")


def run_outside(case, is_split):
    def run(t):
        data = base64.b64decode(case["request_base64"])
        expect = case["expect"]
        gateway, upstream = bed(t, SMALL if expect == "limit" else QUICK, is_split)
        if expect in ("reject", "limit"):
            return check_refused(gateway, upstream, data, is_split, None)
        wanted = case.get("messages", [])
        statuses, _ = talk(gateway, data, is_split, [one["method"] for one in wanted])
        seen = check_sentinel(gateway, upstream)
        at_most = len(wanted) or 1
        check(len(seen) <= at_most, f"the upstream saw {len(seen)} messages, {at_most} were meant: {seen}")
        for request, one in zip(seen, wanted):
            check_same(request, one)
        if len(seen) < len(wanted):
            check(not statuses or 400 <= statuses[-1] < 600, f"neither forwarded nor refused: {statuses}")
    return run


def no_outside_data(_):
    raise Skip("no outside data")


if OUTSIDE.exists():
    for one in json.loads(OUTSIDE.read_text()):
        for is_split, how in ((False, "whole"), (True, "byte by byte")):
            testing.add(__name__, f"outside {one['name']} ({one['expect']}), {how}", run_outside(one, is_split))
else:
    testing.add(__name__, "outside corpus", no_outside_data)
