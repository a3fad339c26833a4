"""jwt with the keys that an issuer publishes: taken from its URL, renewed, asked for once however many want them."""

import base64
import json
import re
import subprocess
import threading
import time

from testing import check, contains, equal, need, test, wait_until
from upstream import answer


def part(content):
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


class Key:
    def __init__(self, t, key_id):
        self.openssl = need("openssl")
        self.id = key_id
        self.path = t.folder() / "key.pem"
        self.run("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", self.path)
        self.modulus = bytes.fromhex(re.search(r"Modulus=([0-9A-F]+)", self.run("rsa", "-in", self.path, "-noout", "-modulus").decode())[1])

    def run(self, *words, data=None):
        return subprocess.run([self.openssl, *map(str, words)], input=data, check=True, capture_output=True).stdout

    def jwk(self):
        return {"kty": "RSA", "use": "sig", "alg": "RS256", "kid": self.id, "n": part(self.modulus), "e": "AQAB"}

    def token(self, **claims):
        claims = {"iss": "https://issuer.example", "aud": ["api", "other"], "sub": "user-7", "scope": "pets:read pets:write",
                  "exp": int(time.time()) + 600, **claims}
        header = {"alg": "RS256", "typ": "JWT", "kid": self.id}
        text = ".".join(part(json.dumps(each).encode()) for each in (header, claims))
        return f"{text}.{part(self.run('dgst', '-sha256', '-sign', self.path, data=text.encode()))}"


class Issuer:
    def __init__(self, t):
        self.keys = []
        self.hold = threading.Event()
        self.hold.set()
        self.server = t.upstream(self.serve)

    def serve(self, exchange):
        self.hold.wait(20)
        if not self.keys:
            exchange.send(answer(b"", "503 Service Unavailable"))
            return
        exchange.send(answer(json.dumps({"keys": [key.jwk() for key in self.keys]}).encode(), "200 OK", "Content-Type: application/json"))

    @property
    def asked(self):
        return len(self.server.requests)


def bed(t, issuer, more=""):
    upstream = t.upstream()
    return upstream, t.gateway(f"""
_format_version: "3.0"
services:
- name: s
  url: {upstream.url}
  routes: [{{name: r, paths: [/]}}]
  plugins:
  - name: jwt
    config: {{jwks_uri: "{issuer.server.url}/keys", claims_to_verify: [exp]{more}}}
""")


def bearer(token):
    return f"Authorization: Bearer {token}"


@test
def tokens_of_the_issuer_pass(t):
    issuer = Issuer(t)
    key = Key(t, "a")
    issuer.keys = [key]
    upstream, gateway = bed(t, issuer, ', issuer: "https://issuer.example", audience: [api], scopes: ["pets:read"]')
    client = t.client(gateway)
    good = key.token()
    for _ in range(3):
        equal(client.get("/", bearer(good), "X-Consumer-Username: root").status, 200, "a token")
    equal((upstream.requests[0].header("X-Credential-Identifier"), upstream.requests[0].header("X-Consumer-Username")),
          ("user-7", None), "who it is, for the upstream")
    for status, message, token in ((401, "Invalid signature", good[:-8] + "AAAAAAAA"),
                                   (401, "Invalid 'iss'", key.token(iss="https://other.example")),
                                   (401, "Invalid 'aud'", key.token(aud="another")),
                                   (401, "Invalid 'sub'", key.token(sub="a\nb")),
                                   (401, "Invalid 'sub'", key.token(sub="x" * 257)),
                                   (401, "token expired", key.token(exp=1)),
                                   (403, "cannot consume", key.token(scope="pets:write"))):
        response = client.get("/", bearer(token))
        equal(response.status, status, message)
        contains(response.body.decode(), message, "body")
    contains(client.get("/", bearer(key.token(scope="x"))).header("WWW-Authenticate"), "insufficient_scope", "challenge")
    equal(len(upstream.requests), 3, "requests at the upstream")
    equal(issuer.asked, 1, "requests at the issuer")


@test
def the_issuers_keys_are_no_secrets_for_hs256(t):
    issuer = Issuer(t)
    key = Key(t, "a")
    issuer.keys = [key]
    upstream, gateway = bed(t, issuer)
    import hashlib
    import hmac
    public = key.run("rsa", "-in", key.path, "-pubout")
    for secret in (public, public.strip(), key.modulus):
        text = ".".join(part(json.dumps(each).encode()) for each in ({"alg": "HS256", "kid": "a"}, {"exp": int(time.time()) + 60}))
        token = f"{text}.{part(hmac.new(secret, text.encode(), hashlib.sha256).digest())}"
        equal(t.client(gateway).get("/", bearer(token)).status, 401, "HS256 with the public key")
    equal(upstream.requests, [], "requests at the upstream")


@test
def a_new_key_is_fetched_once_for_all_that_need_it(t):
    issuer = Issuer(t)
    old, new = Key(t, "old"), Key(t, "new")
    issuer.keys = [old]
    upstream, gateway = bed(t, issuer)
    before = old.token()
    equal(t.client(gateway).get("/", bearer(before)).status, 200, "with the first key")
    issuer.keys = [new]
    tokens = [new.token(sub=str(number)) for number in range(20)]
    issuer.hold.clear()
    clients = [t.client(gateway) for _ in tokens]
    for token, client in zip(tokens, clients):
        client.send(f"GET / HTTP/1.1\r\nHost: gw.example\r\n{bearer(token)}\r\n\r\n")
    wait_until(lambda: issuer.asked == 2, "a second fetch")
    clients.pop().socket.close()  # one goes away while it waits
    issuer.hold.set()
    equal([client.response().status for client in clients], [200] * 19, "with the new key")
    # Who asks for another one so soon waits for the next fetch; what that did not bring is not asked for at once.
    for _ in range(5):
        equal(t.client(gateway).get("/", bearer(before)).status, 401, "the first key is not published any more")
    equal(issuer.asked, 3, "requests at the issuer")


@test
def an_issuer_that_is_away_is_asked_again(t):
    issuer = Issuer(t)
    key = Key(t, "a")
    upstream, gateway = bed(t, issuer)
    client = t.client(gateway)
    double = t.client(gateway).get("/", bearer(key.token()), bearer(key.token()))
    equal((double.status, b"Multiple tokens" in double.body), (401, True), "two of them")
    equal(client.get("/", bearer(key.token())).status, 503, "without keys")
    equal(client.get("/").status, 401, "without a token")
    equal(upstream.requests, [], "requests at the upstream")
    issuer.keys = [key]
    wait_until(lambda: client.get("/", bearer(key.token())).status == 200, "the issuer is back")
    check(gateway.metric("cardea_jwks_failures_total") >= 1, "failures are counted")
    equal(gateway.metric("cardea_jwks_keys"), 1, "keys")
