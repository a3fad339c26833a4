"""Who a request is from: key-auth, basic-auth, hmac-auth, several of them with `anonymous`, and acl behind them. What the
upstream sees of it, and what a client gets that is refused."""

import base64
import email.utils
import hashlib
import hmac
import json
import time

from client import chunked
from testing import check, contains, equal, test

DOCUMENT = """
_format_version: "3.0"
consumers:
- username: alice
  custom_id: a-1
  keyauth_credentials: [{{key: alice-key, id: 9e3bbd98-5b8f-4986-b7b4-2f85bddf9fc9}}]
  basicauth_credentials: [{{username: alice, password: pw}}]
  hmacauth_credentials: [{{username: alice-h, secret: sesame}}]
  acls: [{{group: users}}, {{group: admins}}]
- username: bob
  basicauth_credentials: [{{username: bob, password: "b:b"}}]
  keyauth_credentials: [{{key: bob-key}}, {{key: old-key, ttl: 1, created_at: 1600000000}}]
  acls: [{{group: users}}]
- username: anon
services:
- name: app
  url: {url}
  routes:
  - name: key
    paths: [/key]
    plugins: [{{name: key-auth}}]
  - name: hidden
    paths: [/hidden]
    plugins: [{{name: key-auth, config: {{key_in_body: true, hide_credentials: true, realm: here}}}}]
  - name: lost
    paths: [/lost]
    plugins: [{{name: key-auth, config: {{anonymous: nobody}}}}]
  - name: admins
    paths: [/admins]
    plugins: [{{name: key-auth}}, {{name: acl, config: {{allow: [admins]}}}}]
  - name: others
    paths: [/others]
    plugins: [{{name: key-auth, config: {{anonymous: anon}}}}, {{name: acl, config: {{deny: [admins]}}}}]
  - name: bare-acl
    paths: [/bare-acl]
    plugins: [{{name: acl, config: {{allow: [admins]}}}}]
  - name: basic
    paths: [/basic]
    plugins: [{{name: basic-auth}}]
  - name: signed
    paths: [/signed]
    plugins: [{{name: hmac-auth, config: {{validate_request_body: true, hide_credentials: true}}}}]
  - name: either
    paths: [/either]
    plugins:
    - {{name: key-auth, config: {{anonymous: anon}}}}
    - {{name: basic-auth, config: {{anonymous: anon}}}}
    - {{name: hmac-auth, config: {{anonymous: anon}}}}
    - {{name: acl, config: {{allow: [users]}}}}
  - name: both
    paths: [/both]
    plugins: [{{name: key-auth}}, {{name: basic-auth}}]
  - name: open
    paths: [/open]
"""

ALICE = {"X-Consumer-ID": "b32379d9-3d28-5683-a79c-72139be6e34f", "X-Consumer-Custom-ID": "a-1",
         "X-Consumer-Username": "alice"}
CLAIMED = ("X-Consumer-ID: 1", "x-consumer-username: root", "X_Consumer_Username: root", "X-Consumer_Custom-Id: 1",
           "X-Consumer-Groups: admins", "X_CONSUMER_GROUPS: admins", "X-Credential-Identifier: 1",
           "X-Anonymous-Consumer: true", "X_Anonymous_Consumer: true", "X-Authenticated-Groups: admins",
           "X-Authenticated-Userid: 1", "X-Credential-Username: root")


def bed(t):
    def make(context):
        upstream = context.upstream()
        return context.gateway(DOCUMENT.format(url=upstream.url)), upstream
    gateway, upstream = t.shared("auth", make)
    upstream.clear()
    return gateway, upstream, t.client(gateway)


def identity(response):
    """The identity fields that the upstream got, however they are spelled."""
    equal(response.status, 200, f"status; {response.body!r}")
    got = json.loads(response.body)["headers"]
    found = {}
    for name, value in got:
        plain = name.lower().replace("_", "-")
        if plain.startswith(("x-consumer-", "x-credential-", "x-anonymous-", "x-authenticated-")):
            check(name not in found and "_" not in name, f"{name} came so: {got}")
            found[name] = value
    return found


def refused(upstream, response, status, message, challenge=None):
    equal(response.status, status, f"status; {response.body!r}")
    equal(response.header("Content-Type"), "application/json; charset=utf-8", "Content-Type")
    equal(response.header("WWW-Authenticate"), challenge, "WWW-Authenticate")
    expected = '{\n  "message":"%s",\n  "request_id":"%s"\n}' % (message, response.header("X-Kong-Request-Id"))
    equal(response.body.decode(), expected, "body")
    equal(upstream.requests, [], "what the upstream got")


@test
def key_auth(t):
    _, upstream, client = bed(t)
    refused(upstream, client.get("/key"), 401, "No API key found in request", "Key")
    refused(upstream, client.get("/key", "apikey: x"), 401, "Unauthorized", "Key")
    refused(upstream, client.get("/key", "apikey: old-key"), 401, "Unauthorized", "Key")
    refused(upstream, client.get("/key", "apikey: a", "apikey: b"), 401, "Duplicate API key found", "Key")
    refused(upstream, client.get("/hidden"), 401, "No API key found in request", 'Key realm="here"')
    key = {**ALICE, "X-Credential-Identifier": "9e3bbd98-5b8f-4986-b7b4-2f85bddf9fc9"}
    response = client.get("/key", "apikey: alice-key")
    equal(identity(response), key, "identity")
    contains(json.loads(response.body)["headers"], ["apikey", "alice-key"], "the key itself")
    equal(identity(client.get("/key?apikey=alice-key")), key, "identity by a query argument")
    equal(upstream.requests[-1].target, "/?apikey=alice-key", "target")
    found = identity(client.get("/key", "apikey: bob-key"))
    equal((found.get("X-Consumer-Username"), "X-Consumer-Custom-ID" in found), ("bob", False), "bob")


@test
def key_auth_hides_the_key(t):
    _, upstream, client = bed(t)
    form = "Content-Type: application/x-www-form-urlencoded"
    response = client.request("POST", "/hidden?x=1&apikey=2", "ApiKey: alice-key", form, body=b"a=%31&apikey=3&b=2")
    equal(identity(response)["X-Consumer-Username"], "alice", "consumer")
    got = upstream.requests[-1]
    equal((got.target, got.body), ("/?x=1", b"a=%31&b=2"), "target and body")
    equal(got.all("apikey"), [], "apikey")
    equal(got.header("Content-Length"), "9", "Content-Length")
    # In the body alone, chunked, with the client waiting for 100.
    client.send("POST /hidden HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n"
                "Content-Type: application/json\r\n\r\n")
    equal(client.response_head().status, 100, "interim answer")
    client.send(chunked(b'{"a":1,"apikey":', b'"alice-key"', b"}"))
    equal(identity(client.response())["X-Consumer-Username"], "alice", "consumer of the chunked one")
    equal(upstream.requests[-1].body, b'{"a":1}', "body of the chunked one")
    equal(client.request("POST", "/hidden", "apikey: alice-key", "Content-Type: application/json", body=b'{"apikey":').status,
          400, "status with a body that cannot be looked through")
    part = b'--B\r\nContent-Disposition: form-data; name="apikey"\r\n\r\nbob-key\r\n--B\r\n' \
           b'Content-Disposition: form-data; name="f"; filename="f"\r\n\r\n\x00\xff\r\n--B--\r\n'
    response = client.request("POST", "/hidden", "Content-Type: multipart/form-data; boundary=B", body=part)
    equal(identity(response)["X-Consumer-Username"], "bob", "consumer of the multipart one")
    check(b"bob-key" not in upstream.requests[-1].body, "the key is in the multipart body")
    contains(upstream.requests[-1].body, b"\x00\xff", "the other part")


@test
def nobody_says_who_he_is_but_the_gateway(t):
    _, _, client = bed(t)
    equal(identity(client.get("/open", *CLAIMED)), {}, "identity without a plugin")
    equal(identity(client.get("/key", "apikey: alice-key", *CLAIMED)),
          {**ALICE, "X-Credential-Identifier": "9e3bbd98-5b8f-4986-b7b4-2f85bddf9fc9"}, "identity of alice")
    equal(client.get("/bare-acl", *CLAIMED).status, 401, "status of acl without a credential")
    # Also where a Connection field asks to have the real ones taken away.
    found = identity(client.get("/key", "apikey: alice-key", "Connection: X-Consumer-ID, X-Consumer-Username, close"))
    equal({**found, **ALICE}, found, "identity in spite of Connection")


@test
def acl_after_authentication(t):
    _, upstream, client = bed(t)
    refused(upstream, client.get("/admins", "apikey: bob-key"), 403, "You cannot consume this service")
    refused(upstream, client.get("/admins"), 401, "No API key found in request", "Key")
    refused(upstream, client.get("/others", "apikey: alice-key"), 403, "You cannot consume this service")
    equal(identity(client.get("/admins", "apikey: alice-key"))["X-Consumer-Groups"], "users, admins", "groups of alice")
    equal(identity(client.get("/others", "apikey: bob-key"))["X-Consumer-Groups"], "users", "groups of bob")
    found = identity(client.get("/others", "X-Consumer-Groups: admins"))
    equal((found.get("X-Consumer-Username"), found.get("X-Anonymous-Consumer"), found.get("X-Consumer-Groups")),
          ("anon", "true", None), "identity of the anonymous consumer")


@test
def the_anonymous_consumer_may_be_missing(t):
    _, upstream, client = bed(t)
    refused(upstream, client.get("/lost"), 500, "anonymous consumer nobody is configured but doesn't exist")
    equal(identity(client.get("/lost", "apikey: bob-key"))["X-Consumer-Username"], "bob", "with a key")


@test
def large_and_odd_requests_are_refused_as_others(t):
    _, upstream, client = bed(t)
    refused(upstream, client.get("/key", "apikey: " + "k" * 4000), 401, "Unauthorized", "Key")
    refused(upstream, client.get("/key?" + "&".join(f"a{i}=1" for i in range(900))), 401, "No API key found in request",
            "Key")
    refused(upstream, client.get("/key", "apikey: \xff\xfe"), 401, "Unauthorized", "Key")
    client.get("/key", "Cookie: " + "c" * (1 << 20))  # whatever the answer is
    equal(t.client(bed(t)[0]).get("/key", "apikey: bob-key").status, 200, "status after a cookie of 1 MB")


def basic(pair):
    return "Basic " + base64.b64encode(pair.encode()).decode()


@test
def basic_auth(t):
    _, upstream, client = bed(t)
    challenge = 'Basic realm="service"'
    refused(upstream, client.get("/basic"), 401, "Unauthorized", challenge)
    refused(upstream, client.get("/basic", "Authorization: Basic YWxpY2U6eA=="), 401, "Unauthorized", challenge)
    refused(upstream, client.get("/basic", "Authorization: Basic \xff"), 401, "Unauthorized", challenge)
    equal(identity(client.get("/basic", "Authorization: Basic YWxpY2U6cHc=")), {**ALICE, "X-Credential-Identifier": "alice"},
          "identity")
    equal(upstream.requests[-1].header("Authorization"), "Basic YWxpY2U6cHc=", "Authorization at the upstream")
    equal(identity(client.get("/basic", f"Proxy-Authorization: {basic('bob:b:b')}"))["X-Consumer-Username"], "bob",
          "who is in Proxy-Authorization")


def signed(lines, headers, username="alice-h", secret=b"sesame", algorithm="sha256"):
    """The value of Authorization."""
    mac = hmac.new(secret, "\n".join(lines).encode(), getattr(hashlib, algorithm)).digest()
    return f'hmac username="{username}", algorithm="hmac-{algorithm}", headers="{headers}", ' \
           f'signature="{base64.b64encode(mac).decode()}"'


@test
def hmac_auth(t):
    _, upstream, client = bed(t)
    date = email.utils.formatdate(time.time(), usegmt=True)
    stale = email.utils.formatdate(time.time() - 600, usegmt=True)
    no_date = "HMAC signature cannot be verified, a valid date or x-date header is required for HMAC Authentication"
    refused(upstream, client.get("/signed"), 401, "Unauthorized", "hmac")
    refused(upstream, client.get("/signed", "Authorization: hmac x"), 401, no_date, "hmac")
    for when, status, message in ((date, 200, ""), (stale, 401, no_date)):
        lines = [f"date: {when}", "GET /signed/%7e?a=1 HTTP/1.1", "host: gw.example"]
        response = client.get("/signed/%7e?a=1", f"Date: {when}", f"Authorization: {signed(lines, 'date request-line host')}")
        if status == 200:
            equal(identity(response), {**ALICE, "X-Credential-Identifier": "alice-h"}, "identity")
            equal(upstream.requests[-1].all("Authorization"), [], "Authorization at the upstream")
            upstream.clear()
        else:
            refused(upstream, response, status, message, "hmac")
    field = signed([f"date: {date}"], "date", secret=b"other")
    refused(upstream, client.get("/signed", f"Date: {date}", f"Authorization: {field}"), 401, "HMAC signature does not match",
            "hmac")
    field = signed([f"date: {date}"], "date", username="nobody")
    refused(upstream, client.get("/signed", f"Date: {date}", f"Authorization: {field}"), 401,
            "HMAC signature cannot be verified", "hmac")
    body = b"a" * 30000
    digest = "SHA-256=" + base64.b64encode(hashlib.sha256(body).digest()).decode()
    field = signed([f"date: {date}", f"digest: {digest}"], "date digest", algorithm="sha512")
    headers = (f"Date: {date}", f"Digest: {digest}", f"Authorization: {field}")
    response = client.request("POST", "/signed", *headers, body=body)
    equal((response.status, upstream.requests[-1].body == body), (200, True), "a body as signed")
    upstream.clear()
    refused(upstream, client.request("POST", "/signed", *headers, body=body[:-1] + b"b"), 401,
            "HMAC signature does not match", "hmac")


@test
def several_ways_to_say_who_one_is(t):
    _, upstream, client = bed(t)
    date = email.utils.formatdate(time.time(), usegmt=True)
    ways = (("key", ("apikey: bob-key",), "bob"), ("basic", (f"Authorization: {basic('alice:pw')}",), "alice"),
            ("hmac", (f"Date: {date}", f"Authorization: {signed([f'date: {date}'], 'date')}"), "alice"),
            ("a wrong key, a right password", ("apikey: x", f"Authorization: {basic('bob:b:b')}"), "bob"),
            ("a right key, a wrong password", ("apikey: bob-key", f"Authorization: {basic('alice:x')}"), "bob"),
            ("two right ones: the first plugin's", ("apikey: bob-key", f"Authorization: {basic('alice:pw')}"), "bob"))
    for what, headers, who in ways:
        found = identity(client.get("/either", *headers, "X-Anonymous-Consumer: true"))
        equal((found["X-Consumer-Username"], "X-Anonymous-Consumer" in found), (who, False), what)
    upstream.clear()
    # Nobody: anonymous, and acl asks for a credential. No plugin's WWW-Authenticate is left over.
    refused(upstream, client.get("/either", "apikey: x"), 401, "Unauthorized")
    # Without `anonymous` all are asked for.
    refused(upstream, client.get("/both", "apikey: bob-key"), 401, "Unauthorized", 'Basic realm="service"')
    refused(upstream, client.get("/both", f"Authorization: {basic('alice:pw')}"), 401, "No API key found in request", "Key")
    equal(identity(client.get("/both", "apikey: bob-key", f"Authorization: {basic('alice:pw')}")),
          {**ALICE, "X-Credential-Identifier": "alice"}, "the last plugin's word")


@test
def secrets_are_in_no_log(t):
    gateway = t.gateway(DOCUMENT.format(url=t.upstream().url))
    client = t.client(gateway)
    client.get("/key", "apikey: alice-key")
    client.get("/basic", f"Authorization: {basic('alice:pw')}")
    client.get("/key", "apikey: guessed-key")
    gateway.access_lines(3)
    text = gateway.log() + (gateway.folder / "access.log").read_text(encoding="utf-8")
    for secret in ("alice-key", "guessed-key", "sesame", basic("alice:pw"), "old-key"):
        check(secret not in text, f"{secret} is in a log")
