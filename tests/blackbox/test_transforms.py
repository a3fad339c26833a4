"""Plugins that change, mark or turn away requests and answers, as clients and upstreams see them over HTTP. What a real
Kong answered to the same is in the plugins' unit tests; here the whole program does it."""

import json

import testing
from client import chunked
from testing import check, equal

DOCUMENT = """
_format_version: "3.0"
services:
- name: echo
  url: "{upstream}/base"
  read_timeout: 2000
  routes:
  - name: cors
    paths: [/cors]
    plugins: [{{name: cors, config: {{origins: ["*"], credentials: true}}}}, {{name: ip-restriction, config: {{deny: [127.9.9.9]}}}}]
  - name: rt
    paths: [/rt]
    plugins:
    - name: request-transformer
      config:
        http_method: PUT
        remove: {{headers: [X-Rm], querystring: [rmq], body: [rmb]}}
        rename: {{headers: ["X-Old:X-New"], querystring: ["oldq:newq"], body: ["oldb:newb"]}}
        replace: {{headers: ["X-Rep:new"], querystring: ["repq:new"], body: ["repb:new"]}}
        add: {{headers: ["X-Add:1", "X-Tmpl:$(headers.host)-$(query_params.q)"], querystring: ["addq:1"], body: ["addb:1"]}}
        append: {{headers: ["X-App:1", "X-App:2"], querystring: ["appq:1"], body: ["appb:1"]}}
  - name: rt-uri
    paths: ['~/rtu/(?<id>[^/]+)$']
    plugins: [{{name: request-transformer, config: {{replace: {{uri: "/new/$(uri_captures.id)/$(uri_captures[1])"}}}}}}]
  - name: rt-method
    paths: [/method]
    plugins: [{{name: request-transformer, config: {{http_method: GET}}}}]
  - name: rt-head
    paths: [/head]
    plugins: [{{name: request-transformer, config: {{http_method: HEAD}}}}]
  - name: rt-value
    paths: [/value]
    plugins: [{{name: request-transformer, config: {{add: {{headers: ["X-V:$(query_params.v)"]}}}}}}]
  - name: resp
    paths: [/resp]
    plugins:
    - name: response-transformer
      config:
        remove: {{headers: [Set-Cookie], json: [headers, version, trailers]}}
        add: {{headers: ["X-Add:1"], json: ["extra:yes"]}}
  - name: cid
    paths: [/cid]
    plugins: [{{name: correlation-id, config: {{header_name: X-Request-ID, echo_downstream: true}}}}]
  - name: redirect
    paths: [/redirect]
    plugins: [{{name: redirect, config: {{location: "https://new.example", keep_incoming_path: true}}}}]
  - name: ip
    paths: [/ip]
    plugins: [{{name: ip-restriction, config: {{deny: [127.0.0.0/8]}}}}]
  - name: bots
    paths: [/bots]
    plugins: [{{name: bot-detection}}]
  - name: size
    paths: [/size]
    plugins: [{{name: request-size-limiting, config: {{allowed_payload_size: 10, size_unit: bytes}}}}]
"""


def bed(t):
    def make(context):
        upstream = context.upstream()
        return context.gateway(DOCUMENT.format(upstream=upstream.url)), upstream
    gateway, upstream = t.shared("transforms", make)
    upstream.clear()
    return gateway, upstream


def fields(message, *prefixes):
    return [(name, value) for name, value in message.headers if name.lower().startswith(prefixes)]


@testing.test
def cors_marks_answers_of_the_upstream_and_of_ours(t):
    gateway, upstream = bed(t)
    client = t.client(gateway)
    marked = [("Access-Control-Allow-Origin", "https://app.example"), ("vary", "Origin"),
              ("Access-Control-Allow-Credentials", "true")]
    response = client.get("/cors", "Origin: https://app.example")
    equal((response.status, fields(response, "access-", "vary")), (200, marked), "answer")
    equal(upstream.one_request().header("Origin"), "https://app.example", "Origin at the upstream")
    denied = t.client(gateway, source="127.9.9.9").get("/cors", "Origin: https://app.example")
    equal((denied.status, fields(denied, "access-", "vary")), (403, marked), "refusal")


@testing.test
def cors_answers_preflights_for_the_route_of_the_request_to_come(t):
    upstream = t.upstream()
    plugins = {"plain": "", "cors": '{name: cors, config: {origins: ["*"]}}',
               "through": '{name: cors, config: {origins: ["*"], preflight_continue: true}}',
               "https": '{name: cors, protocols: [https], config: {origins: ["*"]}}'}
    routes = "".join(f"  - {{name: {name}, paths: [/{name}], methods: [GET], plugins: [{plugin}]}}\n" for name, plugin in plugins.items())
    gateway = t.gateway(f'_format_version: "3.0"\nservices:\n- name: s\n  url: {upstream.url}\n  routes:\n{routes}')
    client = t.client(gateway)

    def ask(path, *headers):
        response = client.request("OPTIONS", path, *headers)
        return response.status, response.header("Access-Control-Allow-Origin")
    preflight = ("Origin: https://app.example", "Access-Control-Request-Method: GET")
    equal(ask("/cors", *preflight), (200, "*"), "for a method that the route has")
    equal(ask("/cors", preflight[0], "Access-Control-Request-Method: PUT")[0], 404, "for one that it has not")
    equal(ask("/cors", preflight[0])[0], 404, "OPTIONS that is no preflight")
    equal(ask("/plain", *preflight)[0], 404, "nothing there answers preflights")
    equal(ask("/through", *preflight)[0], 404, "the upstream would have to, on a route that it does not have")
    equal(ask("/https", *preflight)[0], 404, "the plugin is for another scheme")
    equal(upstream.requests, [], "requests at the upstream")


@testing.test
def cors_answers_preflights(t):
    gateway, upstream = bed(t)
    client = t.client(gateway)
    response = client.request("OPTIONS", "/cors", "Origin: https://app.example", "Access-Control-Request-Method: PUT",
                              "Access-Control-Request-Headers: X-Foo, Content-Type")
    equal((response.status, response.body, response.header("Content-Length")), (200, b"", "0"), "preflight")
    equal(fields(response, "access-", "vary"),
          [("Access-Control-Allow-Origin", "https://app.example"), ("vary", "Origin"),
           ("Access-Control-Allow-Credentials", "true"), ("Access-Control-Allow-Headers", "X-Foo, Content-Type"),
           ("Access-Control-Allow-Methods", "GET,HEAD,PUT,PATCH,POST,DELETE,OPTIONS,TRACE,CONNECT")], "preflight")
    equal(upstream.requests, [], "the upstream saw")
    equal(client.get("/cors").status, 200, "the next request on the connection")


@testing.test
def request_transformer_changes_everything(t):
    gateway, upstream = bed(t)
    client = t.client(gateway)
    body = b'{"rmb":1,"oldb":2,"repb":3,"appb":0}'
    sent = ["Content-Type: application/json", "X-Rm: 1", "X-Old: o", "X-Rep: o", "X-App: 0", "X-Add: own"]
    for chunks in (False, True):
        upstream.clear()
        if chunks:
            client.send("POST /rt/x?rmq=1&oldq=2&repq=3&q=7&appq=0 HTTP/1.1\r\nHost: gw.example\r\n"
                        + "".join(line + "\r\n" for line in sent) + "Transfer-Encoding: chunked\r\n\r\n")
            client.send(chunked(body[:9], body[9:]))
            response = client.response("POST")
        else:
            response = client.request("POST", "/rt/x?rmq=1&oldq=2&repq=3&q=7&appq=0", *sent, body=body)
        equal(response.status, 200, "status")
        got = upstream.one_request()
        equal((got.method, got.target), ("PUT", "/base/x?addq=1&appq=0&appq=1&newq=2&q=7&repq=new"), "request line")
        equal(json.loads(got.body), {"addb": "1", "repb": "new", "appb": ["1"], "newb": 2}, "body")
        equal(got.header("Content-Length"), str(len(got.body)), "Content-Length")
        equal(sorted(fields(got, "x-a", "x-rep", "x-rm", "x-old", "x-new", "x-tmpl")),
              sorted([("X-Rep", "new"), ("X-App", "0"), ("X-Add", "own"), ("X-Tmpl", "gw.example-7"), ("X-App", "1"),
                      ("X-App", "2"), ("x-new", "o")]), "fields")


@testing.test
def request_transformer_waits_for_a_body_that_waits_for_it(t):
    gateway, upstream = bed(t)
    client = t.client(gateway)
    client.send("POST /rt/x HTTP/1.1\r\nHost: gw.example\r\nContent-Type: application/json\r\n"
                "Expect: 100-continue\r\nContent-Length: 9\r\n\r\n")
    equal(client.response_head().status, 100, "asked for the body")
    client.send(b'{"rmb":1}')
    equal(client.response("POST").status, 200, "status")
    equal(json.loads(upstream.one_request().body), {"addb": "1", "appb": ["1"]}, "body")


@testing.test
def invalid_json_passes_as_it_is(t):
    gateway, upstream = bed(t)
    client = t.client(gateway)
    equal(client.request("POST", "/rt/x", "Content-Type: application/json", body=b"{bad").status, 200, "status")
    equal(upstream.one_request().body, b"{bad", "body")


@testing.test
def a_client_that_breaks_its_body_off_reaches_no_upstream(t):
    gateway, upstream = bed(t)
    client = t.client(gateway)
    client.send("POST /rt/x HTTP/1.1\r\nHost: gw.example\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{\"rmb\":")
    client.half_close()
    client.everything()
    bad = t.client(gateway)
    bad.send("POST /rt/x HTTP/1.1\r\nHost: gw.example\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
    equal(bad.response("POST").status, 400, "status of a broken chunk")
    check(bad.is_closed(), "the connection should be closed")
    equal(upstream.requests, [], "the upstream saw")


@testing.test
def request_transformer_replaces_the_path(t):
    gateway, upstream = bed(t)
    client = t.client(gateway)
    for path, target in (("/rtu/42?k=v", "/new/42/42?k=v"), ("/rtu/a%20b", "/new/a%20b/a%20b"),
                         ("/rtu/%3Fadmin=1", "/new/%3Fadmin=1/%3Fadmin=1")):
        upstream.clear()
        equal(client.get(path).status, 200, "status")
        equal(upstream.one_request().target, target, "target")


@testing.test
def another_method_does_not_confuse_the_connection(t):
    gateway, upstream = bed(t)
    client = t.client(gateway)
    response = client.request("HEAD", "/method/x")
    equal((response.status, response.body), (200, b""), "HEAD that became GET")
    equal(upstream.one_request().method, "GET", "method at the upstream")
    client = t.client(gateway)
    response = client.get("/head/x")
    equal((response.status, response.body), (200, b""), "GET that became HEAD")
    equal(client.get("/cid").status, 200, "the next request on the connection")


@testing.test
def a_form_goes_into_the_query(t):
    gateway, upstream = bed(t)
    client = t.client(gateway)
    equal(client.request("POST", "/method/x?a=1", "Content-Type: application/x-www-form-urlencoded", body=b"b=2&c=x+y").status,
          200, "status")
    got = upstream.one_request()
    equal((got.method, got.target, got.body), ("GET", "/base/x?a=1&b=2&c=x%20y", b""), "request")
    equal(client.get("/cid").status, 200, "the next request on the connection")


@testing.test
def a_value_cannot_leave_its_field(t):
    gateway, upstream = bed(t)
    client = t.client(gateway)
    response = client.get("/value?v=1%0d%0aX-Admin:%201")
    equal((response.status, response.body), (500, b'{"message":"An unexpected error occurred"}'), "answer")
    equal(upstream.requests, [], "the upstream saw")
    equal(client.get("/value?v=1").status, 200, "the next request on the connection")
    equal(upstream.one_request().header("X-V"), "1", "the field")


@testing.test
def response_transformer_changes_answers(t):
    gateway, _ = bed(t)
    client = t.client(gateway)
    for target in ("/resp/x?cookie=1", "/resp/x?cookie=1&chunked=1"):
        response = client.get(target)
        equal(sorted(json.loads(response.body)), ["body", "extra", "method", "target"], "members")
        equal((response.header("Set-Cookie"), response.header("X-Add")), (None, "1"), "fields")
    head = client.request("HEAD", "/resp/x")
    equal((head.status, head.header("Content-Length"), head.body), (200, None, b""), "HEAD")
    equal(client.get("/cid").status, 200, "the next request on the connection")


@testing.test
def response_transformer_with_upstreams_that_break_off(t):
    upstream = t.upstream(lambda exchange: (exchange.send(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"half\":"), exchange.close()))
    large = t.upstream(lambda exchange: exchange.send(
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 40000000\r\n\r\n{"))
    piece = b"%x\r\n" % (1 << 20) + b" " * (1 << 20) + b"\r\n"

    def in_chunks(exchange):
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        exchange.send(head + b"e\r\n{\"secret\": 1, \r\n")
        for _ in range(33):
            exchange.send(piece)
        exchange.send(b"1\r\n}\r\n0\r\n\r\n")

    chunks = t.upstream(in_chunks)
    document = """
_format_version: "3.0"
services:
- name: chunks
  url: "{chunks}"
  routes: [{{name: chunks, paths: [/chunks]}}]
- name: half
  url: "{half}"
  routes: [{{name: half, paths: [/half]}}]
- name: large
  url: "{large}"
  routes: [{{name: large, paths: [/large]}}]
plugins: [{{name: response-transformer, config: {{remove: {{json: [secret]}}}}}}]
""".format(half=upstream.url, large=large.url, chunks=chunks.url)
    gateway = t.gateway(document)
    equal(t.client(gateway).get("/half").status, 502, "a body that ends too early")
    equal(t.client(gateway).get("/large").status, 502, "a body that is too large")
    equal(t.client(gateway).get("/chunks").status, 502, "a body that turns out to be too large")


@testing.test
def correlation_ids_are_told_to_both_sides(t):
    gateway, upstream = bed(t)
    client = t.client(gateway)
    first = client.get("/cid")
    name, _, count = first.header("X-Request-ID").partition("#")
    equal(upstream.requests[-1].header("X-Request-ID"), f"{name}#{count}", "id at the upstream")
    equal((len(name), name.count("-")), (36, 4), "a UUID")
    equal(client.get("/cid").header("X-Request-ID"), f"{name}#{int(count) + 1}", "the next id")
    equal(client.get("/cid", "X-Request-ID: mine").header("X-Request-ID"), "mine", "the client's own")


@testing.test
def redirects_and_refusals(t):
    gateway, upstream = bed(t)
    client = t.client(gateway)
    response = client.get("/redirect/x?y=1")
    equal((response.status, response.header("Location"), response.body),
          (301, "https://new.example/redirect/x?y=1", b"redirecting"), "redirect")
    response = client.get("/ip")
    equal((response.status, json.loads(response.body)["message"]), (403, "IP address not allowed: 127.0.0.1"), "ip")
    response = client.get("/bots", "User-Agent: Googlebot/2.1")
    equal((response.status, json.loads(response.body)["message"]), (403, "Forbidden"), "bot")
    equal(client.get("/bots", "User-Agent: curl/7.88.1").status, 200, "no bot")
    equal(len(upstream.requests), 1, "requests at the upstream")


@testing.test
def bodies_that_are_too_large(t):
    gateway, upstream = bed(t)
    limit = (413, "Request size limit exceeded")
    client = t.client(gateway)
    response = client.request("POST", "/size", body=b"x" * 20)
    equal((response.status, json.loads(response.body)["message"]), limit, "declared")
    equal(client.request("POST", "/size", body=b"x" * 10).status, 200, "the next request on the connection")
    client = t.client(gateway)
    client.send("POST /size HTTP/1.1\r\nHost: gw.example\r\nContent-Length: 20\r\nExpect: 100-continue\r\n\r\n")
    equal(client.response("POST").status, 417, "that waits to be asked")
    client = t.client(gateway)
    client.send(b"POST /size HTTP/1.1\r\nHost: gw.example\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"x" * 6, b"x" * 6))
    response = client.response("POST")
    equal((response.status, json.loads(response.body)["message"]), limit, "in chunks")
    check(client.is_closed(), "the connection should be closed")
    client = t.client(gateway)
    client.send(b"POST /size HTTP/1.1\r\nHost: gw.example\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(b"x" * 6, b"x" * 4))
    equal(client.response("POST").status, 200, "small, in chunks")
