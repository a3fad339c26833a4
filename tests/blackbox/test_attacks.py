"""What attackers send, where no other file has it: spellings of paths and hosts, fields that claim or nominate, bytes that
would end a line in whatever carries them on, floods and resets. docs/attacks.md says which test is where."""

import itertools
import json
import re
import threading

from client import Client, chunked, request_bytes
from harness import proxy_to
from messages import Closed, Late
from test_log_plugins import Datagrams, use
from testing import check, contains, equal, test, wait_until
from upstream import answer

PROTECTED = """
_format_version: "3.0"
services:
- name: app
  url: "{upstream}"
  routes:
  - {{name: admin, paths: [/admin], strip_path: false, plugins: [{{name: key-auth}}]}}
  - {{name: panel, paths: ['~/(?i)panel(/|$)'], strip_path: false, plugins: [{{name: key-auth}}]}}
  - {{name: rest, paths: [/], strip_path: false}}
- name: files
  url: "{upstream}/files"
  routes: [{{name: public, paths: [/public]}}]
- name: names
  url: "{upstream}/names"
  routes:
  - {{name: named, hosts: [admin.example], paths: [/by-name], plugins: [{{name: key-auth}}]}}
  - {{name: unnamed, paths: [/by-name], preserve_host: true}}
consumers: [{{username: anna, keyauth_credentials: [{{key: sesame}}]}}]
"""


def protected(t, **settings):
    def make(context):
        upstream = context.upstream()
        return context.gateway(PROTECTED.format(upstream=upstream.url), settings=settings), upstream
    gateway, upstream = t.shared(f"protected {settings}", make)
    upstream.clear()
    return gateway, upstream


# ---- paths

def careless(target):
    """How the most careless of servers reads a target: everything decoded once, backslashes are slashes, parameters are
    cut off, slashes are merged and dot segments resolved."""
    path = re.split(r"[?#]", target)[0]
    path = re.sub(r"%([0-9a-fA-F]{2})", lambda found: chr(int(found[1], 16)), path).replace("\\", "/")
    out = []
    for segment in path.split("/"):
        segment = segment.split(";")[0]
        if segment == "..":
            out[-1:] = []
        elif segment not in ("", "."):
            out.append(segment)
    return "/" + "/".join(out)


def is_within(path, prefix):
    return path == prefix or path.startswith(prefix + "/")


WORDS = ["admin", "%61dmin", "admi%6E", "admi%6e", "%61%64%6d%69%6e"]
WAYS = ["/", "//", "///", "/./", "/%2e/", "/x/../", "/x/%2e%2e/", "/x/.%2e/", "/x/%2E./", "/x//../", "/x/./../", "/x/y/../../",
        "/public/../", "/public/%2e%2e/", "/public//../", "/x;v=1/../", "/%78/../"]
HIDDEN = ["/x/..%2f", "/x%2f..%2f", "/x%2F..%2F", "/x/%2e%2e%2f", "/public/..%2f..%2f", "/.%2f", "/x/..;/", "/x/..;v=1/", "/x/%2e%2e;/",
          "/public/..;/..;/", "/.;/", "/x\\..\\", "/x/..\\", "/x/..%5c", "/x%5c..%5c", "/x/%2e%2e%5C", "/x/..;%2f", "/x/.%2f..%2f"]
ENDS = ["", "/", "/secret", "/./secret", "?q=1", "/../admin/x"]


def ask(client, target, *headers):
    client.send(b"GET " + target.encode("latin-1") + b" HTTP/1.1\r\nHost: gw.example\r\n"
                + b"".join(line.encode() + b"\r\n" for line in headers) + b"\r\n")
    return client.response()


@test
def a_protected_prefix_has_no_other_spelling(t):
    gateway, upstream = protected(t)
    client = t.client(gateway)
    for way, word, end in itertools.product(WAYS, WORDS, ENDS):
        target = way + word + end
        equal(ask(client, target).status, 401, f"without a key: {target}")
        equal(ask(client, target, "apikey: sesame").status, 200, f"with a key: {target}")
        sent = upstream.requests[-1].target
        check(is_within(sent.split("?")[0], "/admin"), f"{target} was sent as {sent}")
    equal(upstream.malformed, [], "malformed at the upstream")


@test
def dot_segments_that_only_others_would_see_are_refused(t):
    """`..` before an escaped slash, a backslash or a parameter is no way up here, but is one for many servers."""
    gateway, upstream = protected(t)
    for way, word in itertools.product(HIDDEN, WORDS[:2]):
        client = t.client(gateway)
        response = ask(client, way + word)
        equal((response.status, upstream.requests), (400, []), f"{way + word}, and what the upstream saw")
        client.end()
    client = t.client(gateway)
    for target in ("/x/..y/admin", "/x..%2fadmin", "/...;/x", "/x/.y%2fz", "/x/a..;v=1/y", "/x/..a\\b", "/x/...%2Fz"):
        equal(ask(client, target).status, 200, f"no dot segment for anybody: {target}")


@test
def whatever_passes_without_a_key_is_outside_for_the_most_careless_upstream(t):
    """All short paths of suspicious pieces: what is let through unauthenticated must not be read as /admin by anybody, and
    what stands behind /public must stay under /files. Escaped slashes and bare parameters are in the next test."""
    gateway, upstream = protected(t)
    pieces = ["/", "..", ".", "%2e", "%2E", "x", "admin", "public", "\\", "%5c", ";", "%25", "%20"]
    client = t.client(gateway)
    for count in range(1, 5):
        for some in itertools.product(pieces, repeat=count):
            target = "/" + "".join(some)
            if not {"admin", "public"} & set(some) or count == 4 and ".." not in some and "%2e" not in some:
                continue
            upstream.clear()
            response = ask(client, target)
            if response.header("Connection") == "close":
                client = t.client(gateway)
            if response.status != 200:
                continue
            sent = upstream.requests[-1].target
            read = careless(sent)
            # Without a key /admin is read only where a bare separator, not a dot, makes it so: escaped or stood for by ";".
            spelled = re.sub(r"(\\|%5C|;)+", "", sent)
            check(not is_within(read, "/admin") or spelled != sent, f"{target} was sent as {sent}, which is {read}")
            check(read == "/" or not sent.startswith("/files") or is_within(read, "/files"), f"{target} was sent as {sent}")


@test
def ambiguous_paths_may_be_refused_altogether(t):
    """ambiguous_paths = refuse: nothing passes that another server could read as another path."""
    gateway, upstream = protected(t, ambiguous_paths="refuse")
    for target in ("/%2fadmin", "/admin%2fsecret", "/x%2Fy", "/%5cadmin", "/x\\y", "/;/admin", "/;v=1/admin", "/x;/y", "/x/y;v=1", "/x%3By",
                   "/x/%252e%252e/admin", "/%2561dmin", "/x%0ay", "/x%7f", "/x/..%2fadmin"):
        client = t.client(gateway)
        equal((ask(client, target).status, upstream.requests), (400, []), f"{target}, and what the upstream saw")
        client.end()
    client = t.client(gateway)
    for target in ("/x/y", "/x%20y", "/caf%C3%A9", "/100%25", "/100%25z0", "/x?y=%2f;%5c\\%252f", "/a+b,c=d", "/x%3Fy"):
        equal(ask(client, target).status, 200, f"one reading only: {target}")


@test
def what_is_encoded_twice_is_decoded_by_nobody(t):
    gateway, upstream = protected(t)
    client = t.client(gateway)
    for target, sent in (("/%2561dmin", "/%2561dmin"), ("/x/%252e%252e/admin", "/x/%252e%252e/admin"),
                         ("/x/%25252e%25252e/admin", "/x/%25252e%25252e/admin"), ("/%25%36%31dmin", "/%2561dmin")):
        equal(ask(client, target).status, 200, f"status of {target}")
        equal(upstream.requests[-1].target, sent, f"{target} at the upstream")


@test
def case_is_part_of_a_path_and_none_of_a_host(t):
    gateway, upstream = protected(t)
    client = t.client(gateway)
    equal(ask(client, "/ADMIN/x").status, 200, "another path")
    equal(upstream.requests[-1].target, "/ADMIN/x", "as it came")
    for target in ("/panel", "/PANEL", "/Panel/x", "/%50anel/"):
        equal(ask(client, target).status, 401, f"a route that does not care: {target}")
    for target in ("/%00admin", "/admin%00", "/admin%00/../x", "/x%00", "/x\0y"):
        one = t.client(gateway)
        equal(ask(one, target).status, 400, f"NUL: {target!r}")
        one.end()


# ---- hosts

@test
def a_protected_host_has_no_other_spelling(t):
    gateway, upstream = protected(t)
    client = t.client(gateway)
    for host in ("admin.example", "ADMIN.Example", "admin.example.", "admin.example:8000", "Admin.Example.:80", "admin.example:"):
        client.send(request_bytes("GET", "/by-name/x", host=host))
        equal(client.response().status, 401, f"Host: {host}")
        client.send(request_bytes("GET", f"http://{host}/by-name/x", host="open.example"))
        equal(client.response().status, 401, f"http://{host}")
    client.send(request_bytes("GET", "HTTP://ADMIN.example/by-name/x", host="open.example"))
    equal(client.response().status, 401, "a scheme in capitals")
    equal(upstream.requests, [], "the upstream saw")
    client.send(request_bytes("GET", "http://open.example/by-name/x", host="admin.example"))
    equal(client.response().status, 200, "the target's host counts")
    equal(upstream.requests[-1].header("Host"), "open.example", "and is sent")
    client.send(request_bytes("GET", "/by-name/x", ["X-Forwarded-Host: admin.example", "X-Host: admin.example"], host="open.example"))
    equal(client.response().status, 200, "other fields say nothing of the host")
    equal(upstream.requests[-1].header("X-Forwarded-Host"), "open.example", "X-Forwarded-Host")


@test
def hosts_that_can_be_read_in_two_ways_are_refused(t):
    gateway, upstream = protected(t)
    for host in ("admin.example:0", "admin.example:99999", "admin.example:80x", "admin.example:+80", "admin.example@open.example",
                 "open.example@admin.example", "admin.example/", "admin.example/../x", "admin.example?x", "admin.example#x",
                 "[admin.example]", "[::1", "::1", "[::1%25eth0]", "admin.example:80:80", "admin example", "admin.example\topen.example",
                 "admin%2eexample", "admin.example%00", "admin.example\\open.example", "admin.example\x00", "admin.example\x80", "<admin>"):
        for data in (request_bytes("GET", "/by-name/x", host=host),
                     request_bytes("GET", f"http://{host}/by-name/x", host="open.example") if not re.search(r"[/?# \t]", host) else None):
            if data is None:
                continue
            client = t.client(gateway)
            client.send(data)
            equal(client.response().status, 400, f"{data!r}")
            check(client.is_closed(), "the connection should be closed")
            client.end()
    equal(upstream.requests, [], "the upstream saw")


# ---- fields that claim and fields that nominate

@test
def what_the_gateway_says_of_a_client_has_no_other_spelling(t):
    """Servers of the CGI kind know `X-Real-IP` and `X_Real_IP` by one name. Neither claims nor framing pass under it."""
    gateway, upstream = protected(t)
    claims = ["X_Real_IP: 6.6.6.6", "x_forwarded_for: 6.6.6.6", "X-Forwarded_Proto: https", "X_Forwarded-Host: evil", "X_Forwarded_Port: 1",
              "X_Forwarded_Path: /evil", "X_Forwarded_Prefix: /evil", "X_Kong_Request_Id: evil", "Proxy: http://evil/"]
    client = t.client(gateway)
    equal(client.request("POST", "/x", *claims, body=b"abc").status, 200, "status")
    request = upstream.one_request()
    equal(request.body, b"abc", "body")
    seen = repr(request.headers).lower()
    for claim in ("6.6.6.6", "https", "evil", "x_", "'proxy'"):
        check(claim not in seen, f"{claim} passed: {seen}")
    upstream.clear()
    for framing in ("Content_Length: 77", "Transfer_Encoding: chunked", "transfer-Encoding: chunked\r\nTransfer_encoding: x"):
        client = t.client(gateway)
        client.send(request_bytes("POST", "/x", [framing], b"abc"))
        equal(client.response().status, 400, framing)
        client.end()
    equal(upstream.requests, [], "the upstream saw")


@test
def connection_cannot_nominate_what_holds_a_request_together(t):
    gateway, upstream = protected(t)
    for named in ("Content-Length", "Transfer-Encoding", "Host", "close, Content-Length", "content-LENGTH, transfer-encoding"):
        for body, framing in ((b"abc", "Content-Length: 3"), (chunked(b"abc"), "Transfer-Encoding: chunked")):
            upstream.clear()
            client = t.client(gateway)
            client.send(request_bytes("POST", "/x", [f"Connection: {named}", framing]) + body)
            equal(client.response().status, 200, f"Connection: {named}")
            request = upstream.one_request()
            equal((request.body, request.header("X-Forwarded-Host")), (b"abc", "gw.example"), f"with Connection: {named}")
            client.end()
    equal(upstream.malformed, [], "malformed at the upstream")


@test
def connection_cannot_nominate_credentials_before_they_count(t):
    """What is nominated ends here; a request that takes its own key away is one without a key."""
    gateway, upstream = protected(t)
    client = t.client(gateway)
    equal(client.get("/admin", "apikey: sesame", "Connection: apikey").status, 401, "the key is nominated away")
    equal(client.get("/x", "Connection: X-Forwarded-For, X-Real-IP, X-Forwarded-Proto", "X-Forwarded-For: 6.6.6.6").status, 200, "status")
    request = upstream.one_request()
    equal((request.header("X-Forwarded-For").split(", ")[-1], request.header("X-Real-IP"), request.header("X-Forwarded-Proto")),
          ("127.0.0.1", "127.0.0.1", "http"), "who the client is")
    options = ["Connection: " + ", ".join(f"x-{i}" for i in range(300))]
    check(client.get("/x", *options).status in (200, 400, 431), "many nominations")


# ---- ends of lines in what carries values on

EVIL = "%0d%0aX-Evil:%20yes%0d%0a%0d%0aGET%20/smuggled"
CARRIERS = """
_format_version: "3.0"
services:
- name: s
  url: "{upstream}/base"
  routes:
  - {{name: regex, paths: ['~/rx/(?<id>[^/]+)/']}}
  - {{name: prefix, paths: [/plain]}}
  - name: capture
    paths: ['~/capture/(?<id>[^/]+)$']
    plugins: [{{name: request-transformer, config: {{add: {{headers: ["X-Id:$(uri_captures.id)"]}}}}}}]
  - name: uri
    paths: ['~/uri/(?<id>[^/]+)$']
    plugins: [{{name: request-transformer, config: {{replace: {{uri: "/new/$(uri_captures.id)/$(query_params.q)"}}}}}}]
  - name: host
    paths: [/query]
    plugins: [{{name: request-transformer, config: {{add: {{querystring: ["copy:$(query_params.q)"]}}}}}}]
  - {{name: redirect, paths: [/redirect], plugins: [{{name: redirect, config: {{location: "https://new.example", keep_incoming_path: true}}}}]}}
  - {{name: https, paths: [/https], protocols: [https], https_redirect_status_code: 301}}
  - {{name: cors, paths: [/cors], plugins: [{{name: cors, config: {{origins: [".*[.]example$"]}}}}]}}
  - {{name: id, paths: [/id], plugins: [{{name: correlation-id, config: {{echo_downstream: true}}}}]}}
  - {{name: cache, paths: [/cache], plugins: [{{name: proxy-cache, config: {{strategy: memory, content_type: [text/plain]}}}}]}}
  - {{name: basic, paths: [/basic], plugins: [{{name: basic-auth, config: {{anonymous: nobody}}}}]}}
  - {{name: debug, paths: [/debug], plugins: [{{name: request-termination, config: {{status_code: 200, echo: true}}}}]}}
consumers: [{{username: nobody}}]
"""


def carriers(t):
    def make(context):
        upstream = context.upstream(answer(b"plain", "200 OK", "Content-Type: text/plain"))
        return context.gateway(CARRIERS.format(upstream=upstream.url), settings={"allow_debug_header": "on"}), upstream
    gateway, upstream = t.shared("carriers", make)
    upstream.clear()
    return gateway, upstream


@test
def ends_of_lines_stay_in_whatever_carries_them_on(t):
    """The strict readers on both sides take every answer and request apart; X-Evil must be a field nowhere."""
    gateway, upstream = carriers(t)
    targets = [f"/rx/a{EVIL}/tail", f"/plain/a{EVIL}", f"/plain?q={EVIL}", f"/capture/a{EVIL}", f"/uri/a{EVIL}?q=b", f"/uri/a?q={EVIL}",
               f"/query?q=a{EVIL}", f"/redirect/a{EVIL}?b={EVIL}", f"/https/a{EVIL}?b={EVIL}", f"/cors/{EVIL}", f"/id/{EVIL}", f"/cache/{EVIL}",
               f"/none{EVIL}", f"/debug/{EVIL}", f"/rx/a%0ab/", f"/rx/a%0db/", f"/rx/a%01b/", f"/rx/a%7fb/", f"/rx/a%c2%85b/"]
    fields = [[], ["Origin: https://a%0d%0aX-Evil:%20yes.example"], ["Authorization: Basic YQ0KWC1FdmlsOiB5ZXM6Yg=="],
              ["Kong-Request-ID: a%0d%0aX-Evil: b"], ["Kong-Debug: 1"], ["Accept: text/html"]]
    for target, some in itertools.product(targets, fields):
        client = t.client(gateway)
        client.send(request_bytes("GET", target, some))
        response = client.response()
        check(not response.all("X-Evil"), f"{target} {some}: {response}")
        check(response.status < 500 or "/capture" in target, f"a client's bytes are no failure of ours: {target} {some}: {response}")
        client.end()
    for request in upstream.requests:
        check(not request.all("X-Evil") and "smuggled" not in request.method, f"at the upstream: {request}")
    equal(upstream.malformed, [], "malformed at the upstream")
    check(len(upstream.requests) > 20, "requests went on")


@test
def a_prefix_with_ends_of_lines_is_told_escaped(t):
    gateway, upstream = carriers(t)
    equal(t.client(gateway).get("/rx/a%0d%0aX-Evil:%20b/tail").status, 200, "status")
    request = upstream.one_request()
    equal((request.target, request.header("X-Forwarded-Prefix")), ("/base/tail", "/rx/a%0D%0AX-Evil: b/"), "target and prefix")


@test
def line_ends_in_a_basic_user_name_are_no_line_ends(t):
    gateway, upstream = carriers(t)
    for encoded in ("YQ0KWC1FdmlsOiB5ZXM6Yg==", "AGE6Yg==", "//86/w==", "Og==", "YTpi" * 1500):
        response = t.client(gateway).get("/basic", f"Authorization: Basic {encoded}")
        equal(response.status, 200, "as nobody in particular")
    equal(upstream.malformed, [], "malformed at the upstream")


# ---- logs

HOSTILE = ['%0d%0aforged', '%22%20200%20%22', '%1b[2J%07', '"quoted"', "\\\\x22", "\x80\xff\xfe", "\xc3", "\xc3\xa9", "$request", "${status}", "%s%n%d",
           "'; --", "</script>"]
SAFE = re.compile(r"[\x20-\x7e]*")


def log_fields(hostile):
    value = hostile.replace("%0d%0a", "\t")
    return [f"User-Agent: {value}", f"Referer: {value}", f"X-Own: {value}", f"Cookie: {value}"]


def send_hostile(t, gateway, path=""):
    """One request of each kind, whatever comes of it; answers their statuses."""
    statuses = []
    for hostile in HOSTILE:
        client = t.client(gateway)
        client.send(request_bytes("GET", f"{path}/a{hostile}?q={hostile}", log_fields(hostile)))
        statuses.append(client.response().status)
        client.end()
    return statuses


@test
def access_lines_cannot_be_forged(t):
    own = "$status|$request|$uri|$args|$http_x_own|$http_user_agent|$remote_user|$http_cookie|$sent_http_x_back"
    for arguments in ([], ["--log", "json"], ["--log", own], ["--log", "escape=json {\"o\":\"$http_x_own\",\"u\":\"$uri\"}"]):
        upstream = t.upstream(lambda exchange: exchange.send(answer(b"", "200 OK", "X-Back: \"a\\\xff\t\"")))
        gateway = t.gateway(proxy_to(upstream.port), arguments=arguments)
        count = len(send_hostile(t, gateway))
        gateway.access_lines(count)
        raw = (gateway.folder / "access.log").read_bytes()
        is_json = "json" in "".join(arguments)
        for line in raw.decode("utf-8" if is_json else "ascii").splitlines():
            if is_json:
                check(isinstance(json.loads(line), dict), f"line: {line}")
            else:
                check(SAFE.fullmatch(line), f"line: {line!r}")
                check(own not in arguments or line.count("|") == own.count("|"), f"line: {line}")
        check(raw.count(b"\n") == count and b"\r" not in raw and b"\x1b" not in raw and b"\x00" not in raw, f"{raw[:2000]!r}")


@test
def error_lines_cannot_be_forged(t):
    """The error log tells the path of what failed: as one line, in printable ASCII."""
    gateway = t.gateway(proxy_to(1, "retries: 0"), settings={"log_level": "debug"})
    send_hostile(t, gateway)
    for data in (b"GE\x1b[31mT / HTTP/1.1\r\n\r\n", b"GET /\r\nforged HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nHost: \"\x1b\"\r\n\r\n",
                 b"GET /\xff\xfe HTTP/1.1\r\nX\x07: 1\r\n\r\n"):
        client = t.client(gateway)
        client.send(data)
        client.everything()
        client.end()
    wait_until(lambda: gateway.log().count("path=") >= len(HOSTILE) - 4, "lines of failed requests")
    wait_until(lambda: gateway.log().count("[client]") >= 4, "lines of malformed requests")
    for line in gateway.error_path.read_bytes().splitlines():
        check(SAFE.fullmatch(line.decode("latin-1")), f"line: {line!r}")
        check(not line.startswith(b"forged"), f"line: {line!r}")


@test
def records_of_log_plugins_cannot_be_forged(t):
    folder = t.folder()
    udp, unix = t.own(Datagrams()), t.own(Datagrams(folder / "log"))
    http = t.upstream(lambda exchange: exchange.send(answer(b"", "204 No Content")))
    up = t.upstream(lambda exchange: exchange.send(answer(b"", "200 OK", "X-Back: \"a\\\xff\t\"")))
    plugins = [use("udp-log", host="127.0.0.1", port=udp.port), use("file-log", path=str(folder / "file.log")),
               use("syslog", socket_path=str(folder / "log")), use("http-log", http_endpoint=f"http://127.0.0.1:{http.port}/in"),
               use("statsd", host="127.0.0.1", port=udp.port, metrics=[
                   {"name": "request_count", "stat_type": "counter", "sample_rate": 1},
                   {"name": "status_count_per_user", "stat_type": "counter", "sample_rate": 1, "consumer_identifier": "username"}])]
    document = ('_format_version: "3.0"\nplugins:\n' + "".join(f"- {json.dumps(plugin)}\n" for plugin in plugins)
                + '- {name: key-auth, config: {anonymous: "no:body|c\\n@evil"}}\nconsumers: [{username: "no:body|c\\n@evil", custom_id: "a\\"b"}]\n'
                + f'services:\n- name: "pets"\n  url: http://127.0.0.1:{up.port}\n  routes: [{{name: list, paths: [/]}}]\n')
    gateway = t.gateway(document)
    count = send_hostile(t, gateway).count(200)
    wait_until(lambda: (folder / "file.log").exists() and (folder / "file.log").read_bytes().count(b"\n") >= count, "lines in the file")
    wait_until(lambda: len(http.requests) >= count, "records over HTTP")
    equal(count, len(HOSTILE) - 4, "all but what is no UTF-8 or no target passes")
    records = (folder / "file.log").read_bytes().decode("utf-8").splitlines()
    equal(len(records), count, "lines in the file")
    for text in [*records, *(request.body.decode("utf-8") for request in http.requests), *(unix.next().decode("utf-8") for _ in range(count))]:
        check(not re.search(r"[\x00-\x1f\x7f]", text), f"bytes in {text!r}")
        check(json.loads(text[text.index("{"):])["request"]["method"] == "GET", text)
    found = 0
    while found < count * 2:
        message = udp.next().decode("utf-8")
        if message.startswith("{"):
            json.loads(message)
            continue
        found += 1
        check(re.fullmatch(r"[A-Za-z0-9_.-]+:[0-9.]+\|c", message), f"a statsd line: {message!r}")


# ---- floods, storms, resets

@test(seconds=60)
def a_flood_of_pipelined_requests_is_held_back(t):
    """A client that sends and sends, and reads nothing: the gateway stops reading it, and others are served."""
    upstream = t.upstream(answer(b"x" * 2000))
    gateway = t.gateway(proxy_to(upstream.port))
    other = t.client(gateway)
    equal(other.get("/before").status, 200, "status")
    before = gateway.memory()
    client = t.client(gateway, receive_buffer=4096, seconds=1)
    piece = request_bytes("GET", "/flood") * 500
    sent = 0
    try:
        while sent < 64 << 20:
            client.send(piece)
            sent += len(piece)
            if sent % (1 << 20) < len(piece):
                equal(other.get("/other").status, 200, "another client")
    except OSError:  # the kernel's buffers are full: held back
        pass
    check(sent < 32 << 20, f"{sent} bytes of requests were taken from one who reads no answer")
    gateway.check_growth(before, 16 << 20)
    equal(other.get("/after").status, 200, "another client")


@test
def a_reader_of_single_bytes_is_no_reader(t):
    """Slowloris on the read side: the time counts for a whole piece of the answer, not for each byte."""
    def reply(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 500000000\r\n\r\n")
        while not exchange.upstream.is_ended:
            exchange.send(b"x" * 100_000)
    upstream = t.upstream(reply)
    gateway = t.gateway(proxy_to(upstream.port), settings={"send_timeout": "500ms"})
    client = t.client(gateway, receive_buffer=4096)
    client.send(request_bytes("GET", "/big"))
    wait_until(lambda: (client.socket.recv(1), upstream.resets >= 1)[1], "the upstream's connection is closed")
    equal(gateway.status()["requests"]["active"], 0, "requests under way")


@test(seconds=60)
def resets_in_a_loop_leave_nothing_behind(t):
    """Of clients at each stage of a request, and of an upstream at each attempt."""
    upstream = t.upstream(lambda exchange: exchange.reset() if "reset" in exchange.request.target else exchange.send(answer(b"x" * 50_000)))
    gateway = t.gateway(proxy_to(upstream.port, "retries: 2, read_timeout: 5000"), settings={"upstream_keepalive_idle_timeout": "300ms"})
    other = t.client(gateway)
    equal(other.get("/warm").status, 200, "status")
    before = gateway.descriptors()
    stages = [b"", b"GET", request_bytes("GET", "/x")[:-2], request_bytes("GET", "/x"), request_bytes("GET", "/reset"),
              request_bytes("POST", "/x", ["Content-Length: 1000"]) + b"half", request_bytes("GET", "/x") * 20]
    for number in range(350):
        client = Client(gateway.port, seconds=2)
        try:
            client.send(stages[number % len(stages)])
            if number % 3 == 0:
                client.reader.fill(seconds=0.02)
        except (OSError, Late, Closed):
            pass
        client.reset()
        if number % 50 == 0:
            equal(other.get("/other").status, 200, "another client meanwhile")
    wait_until(lambda: gateway.status()["connections"]["active"] <= 2, "their connections are gone")
    wait_until(lambda: gateway.descriptors() <= before + 8, f"descriptors: {before} before, {gateway.descriptors()} now")
    equal(upstream.malformed, [], "malformed at the upstream")


@test(seconds=60)
def a_storm_of_connections_stops_nobody(t):
    """Three thousand connections that say nothing and go, from several threads, while one client is being served."""
    upstream = t.upstream()
    gateway = t.gateway(proxy_to(upstream.port), settings={"max_connections_per_client": "200"})
    client = t.client(gateway, source="127.0.0.2")
    equal(client.get("/before").status, 200, "status")
    before = gateway.memory()
    failures = []

    def storm():
        for _ in range(1000):
            try:
                Client(gateway.port).reset()
            except OSError as error:
                failures.append(error)
    threads = [threading.Thread(target=storm) for _ in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        equal(client.get("/meanwhile").status, 200, "a client meanwhile")
    for thread in threads:
        thread.join()
    equal(failures, [], "connections that were refused")
    wait_until(lambda: gateway.status()["connections"]["active"] <= 2, "their connections are gone")
    gateway.check_growth(before, 16 << 20)


@test
def chunks_of_all_sizes_with_extensions_are_bounded(t):
    """Tiny chunks with long extensions cost what they cost, not more: past the bound on extensions the request ends."""
    gateway, upstream = protected(t)
    client = t.client(gateway)
    client.send(request_bytes("POST", "/x", ["Transfer-Encoding: chunked"]))
    client.send_split(b"".join(b"1;e=%s\r\nx\r\n" % (b"v" * 200) for _ in range(200_000)) + b"0\r\n\r\n", 65536)
    try:
        equal(client.response().status, 400, "status")
    except Closed as closed:
        check(closed.was_reset, f"{closed}")
    equal(upstream.malformed, [], "malformed at the upstream")
    equal(t.client(gateway).get("/next").status, 200, "another request")


@test
def interim_answers_without_end_are_no_answer(t):
    """Endless 1xx, quick or one by one, with fields and bytes of their own."""
    for interim in (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
                    b"HTTP/1.1 102 Processing\r\nX: " + b"y" * 4000 + b"\r\n\r\n"):
        def reply(exchange, interim=interim):
            if exchange.request.target == "/next":
                return exchange.send(answer(b"next"))
            try:
                for _ in range(100_000):
                    exchange.send(interim)
            except OSError:
                exchange.upstream.ended.set()
            return exchange.close()
        upstream = t.upstream(reply)
        upstream.ended = threading.Event()
        gateway = t.gateway(proxy_to(upstream.port, "retries: 0, read_timeout: 5000"))
        client = t.client(gateway)
        client.send(request_bytes("GET", "/x"))
        equal(client.response().status, 502, f"after {interim[:20]}")
        check(upstream.ended.wait(10), "the upstream's connection is closed")
        equal(t.client(gateway).get("/next").body, b"next", "the next request")
