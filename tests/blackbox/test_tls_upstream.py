"""TLS to upstreams: who is trusted and under which name, what we show them, and that no two trusts share a connection."""

import json
import ssl
import uuid

from test_tls import Authority, trusting, TlsClient
from testing import check, contains, equal, test, wait_until
from upstream import Upstream, answer, echo


class TlsUpstream(Upstream):
    """Notes of each connection: the name that was asked for, the subject of the client's certificate, and whether it came
    back; what failed in `failures`."""

    def __init__(self, reply, folder, identity, client_authority=None, version=None, **options):
        base = folder / uuid.uuid4().hex
        base.with_suffix(".pem").write_text(identity[0])
        base.with_suffix(".key").write_text(identity[1])
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(base.with_suffix(".pem"), base.with_suffix(".key"))
        if client_authority:
            self.context.verify_mode = ssl.CERT_REQUIRED
            self.context.load_verify_locations(client_authority.path)
        if version:
            self.context.minimum_version = self.context.maximum_version = version
        self.names, self.shown, self.resumed, self.failures = [], [], [], []
        self.context.sni_callback = lambda sock, name, context: self.names.append(name)
        super().__init__(reply, **options)

    def _serve(self, sock, number):
        try:
            sock = self.context.wrap_socket(sock, server_side=True)
        except (ssl.SSLError, OSError) as error:
            self.failures.append(str(error))
            sock.close()
            return
        subject = dict(part[0] for part in (sock.getpeercert() or {}).get("subject", ()))
        self.shown.append(subject.get("commonName"))
        self.resumed.append(sock.session_reused)
        super()._serve(sock, number)


def document(services, certificates=(), authorities=()):
    """Services as (name, port, settings) with a route /name each; certificates and authorities as (id, ...)."""
    out = {"_format_version": "3.0", "services": [], "certificates": [], "ca_certificates": []}
    for name, port, settings in services:
        route = {"name": name, "paths": [f"/{name}"], **settings.pop("route", {})}
        out["services"].append({"name": name, "protocol": "https", "host": "localhost", "port": port, "retries": 0,
                                "routes": [route], **settings})
    for id, (cert, key) in certificates:
        out["certificates"].append({"id": id, "cert": cert, "key": key})
    for id, authority in authorities:
        out["ca_certificates"].append({"id": id, "cert": authority.path.read_text()})
    return json.dumps(out)


def bed(t, upstream, settings, **options):
    return t.gateway(document([("a", upstream.port, settings)], **options))


def refused(t, gateway, upstream, target, reason):
    response = t.client(gateway).get(target)
    equal(response.status, 502, "status")
    wait_until(lambda: reason in gateway.log(), f"the log tells {reason!r}")
    equal(upstream.requests, [], "the upstream saw")


CA = "a1111111-1111-4111-8111-111111111111"
SHOWN = "c1111111-1111-4111-8111-111111111111"
OTHER = "c2222222-2222-4222-8222-222222222222"


@test
def without_verification_whoever_answers_is_taken(t):
    folder = t.folder()
    upstream = t.own(TlsUpstream(echo, folder, Authority(folder).sign("anybody", "DNS:elsewhere.example")))
    gateway = bed(t, upstream, {})
    client = t.client(gateway)
    for _ in range(3):
        equal(client.request("POST", "/a/x", body=b"y" * 1000).status, 200, "status")
    equal(upstream.names, ["localhost"], "one connection, and the name it asked for")
    equal(upstream.requests[0].header("Host"), f"localhost:{upstream.port}", "Host")


@test
def chain_and_name_are_verified(t):
    folder = t.folder()
    authority, other = Authority(folder), Authority(folder, "Another authority")
    good = t.own(TlsUpstream(answer(b"fine"), folder, authority.sign("good", "DNS:localhost")))
    misnamed = t.own(TlsUpstream(answer(b"no"), folder, authority.sign("localhost", "DNS:elsewhere.example")))
    unknown = t.own(TlsUpstream(answer(b"no"), folder, other.sign("unknown", "DNS:localhost")))
    verify = {"tls_verify": True, "ca_certificates": [CA]}
    gateway = t.gateway(document([("good", good.port, dict(verify)), ("misnamed", misnamed.port, dict(verify)),
                                  ("unknown", unknown.port, dict(verify)), ("system", good.port, {"tls_verify": True})],
                                 authorities=[(CA, authority)]))
    equal(t.client(gateway).get("/good").body, b"fine", "the answer of the right one")
    refused(t, gateway, misnamed, "/misnamed", "hostname mismatch")
    refused(t, gateway, unknown, "/unknown", "unable to get local issuer certificate")
    good.clear()
    refused(t, gateway, good, "/system", "unable to get local issuer certificate")


@test
def an_expired_certificate_is_refused(t):
    folder = t.folder()
    authority = Authority(folder)
    upstream = t.own(TlsUpstream(answer(b"no"), folder, authority.sign("old", "DNS:localhost", expired=True)))
    gateway = bed(t, upstream, {"tls_verify": True, "ca_certificates": [CA]}, authorities=[(CA, authority)])
    refused(t, gateway, upstream, "/a", "certificate has expired")


@test
def mutual_tls(t):
    folder = t.folder()
    authority, other = Authority(folder), Authority(folder, "Another authority")
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        upstream = t.own(TlsUpstream(answer(b"fine"), folder, authority.sign("server", "DNS:localhost"), authority, version))
        right = {"client_certificate": SHOWN, "tls_verify": True, "ca_certificates": [CA]}
        gateway = t.gateway(document(
            [("right", upstream.port, right), ("wrong", upstream.port, {"client_certificate": OTHER}),
             ("none", upstream.port, {})],
            [(SHOWN, authority.sign("gateway", "DNS:gateway")), (OTHER, other.sign("stranger", "DNS:stranger"))],
            [(CA, authority)]))
        equal(t.client(gateway).get("/right").body, b"fine", "with the right certificate")
        equal(upstream.shown, ["gateway"], "what the upstream was shown")
        for target in ("/wrong", "/none"):
            equal(t.client(gateway).get(target).status, 502, f"status of {target}, {version.name}")
        equal(len(upstream.requests), 1, "requests that got through")
        equal(t.client(gateway).get("/right").status, 200, "and again")


@test
def an_upstream_has_its_own_client_certificate(t):
    folder = t.folder()
    authority = Authority(folder)
    upstream = t.own(TlsUpstream(answer(b"fine"), folder, authority.sign("server", "DNS:localhost"), authority))
    one = json.loads(document([("a", 0, {"host": "pool"})], [(SHOWN, authority.sign("of the upstream", "DNS:x"))]))
    one["upstreams"] = [{"name": "pool", "client_certificate": SHOWN, "host_header": "named.example",
                         "targets": [{"target": f"127.0.0.1:{upstream.port}"}]}]
    gateway = t.gateway(json.dumps(one))
    equal(t.client(gateway).get("/a").body, b"fine", "answer")
    equal(upstream.shown, ["of the upstream"], "what it was shown")
    equal(upstream.names, ["named.example"], "the name that was asked for")


@test
def no_two_trusts_share_a_connection(t):
    folder = t.folder()
    authority = Authority(folder)
    upstream = t.own(TlsUpstream(answer(b"fine"), folder, authority.sign("server", "DNS:localhost")))
    verify = {"tls_verify": True, "ca_certificates": [CA]}
    gateway = t.gateway(document(
        [("open", upstream.port, {}), ("verified", upstream.port, dict(verify)), ("same", upstream.port, dict(verify)),
         ("shown", upstream.port, {"client_certificate": SHOWN}),
         ("named", upstream.port, {"route": {"preserve_host": True}})],
        [(SHOWN, authority.sign("gateway", "DNS:gateway"))], [(CA, authority)]))
    expected = 0
    for target, is_new in (("/open", 1), ("/verified", 1), ("/same", 0), ("/shown", 1), ("/open", 0), ("/verified", 0),
                           ("/shown", 0)):
        equal(t.client(gateway).get(target).status, 200, f"status of {target}")
        expected += is_new
        equal(upstream.connections, expected, f"connections after {target}")
    for host in ("one.example", "two.example", "one.example"):
        equal(t.client(gateway).get("/named", f"Host: {host}").status, 200, f"for {host}")
    equal(upstream.names[expected:], ["one.example", "two.example"], "names")


@test
def sessions_are_taken_up_again(t):
    folder = t.folder()
    authority = Authority(folder)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        upstream = t.own(TlsUpstream(answer(b"fine", "200 OK", "Connection: close"), folder,
                                     authority.sign("server", "DNS:localhost"), version=version))
        gateway = bed(t, upstream, {"tls_verify": True, "ca_certificates": [CA]}, authorities=[(CA, authority)])
        for _ in range(3):
            equal(t.client(gateway).get("/a").status, 200, "status")
        equal(upstream.resumed, [False, True, True], f"resumed, {version.name}")


@test
def an_answer_without_a_length_must_end_by_the_word_of_tls(t):
    def reply(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\n\r\nhalf of it")
        if "whole" in exchange.request.target:
            exchange.socket.unwrap()
        exchange.close()
    folder = t.folder()
    upstream = t.own(TlsUpstream(reply, folder, Authority(folder).sign("server", "DNS:localhost")))
    gateway = bed(t, upstream, {})
    equal(t.client(gateway).get("/a/whole").body, b"half of it", "the whole answer")
    client = t.client(gateway)
    client.send(b"GET /a/cut HTTP/1.1\r\nHost: x\r\n\r\n")
    check(not client.everything().endswith(b"0\r\n\r\n"), "a cut answer is shown as cut")


@test
def what_is_no_tls_is_an_error(t):
    upstream = t.upstream(answer(b"plain"))
    gateway = bed(t, upstream, {"connect_timeout": 500})
    equal(t.client(gateway).get("/a").status, 502, "status of a plain server")
    silent = t.upstream(lambda exchange: exchange.hold(), raw=True)
    gateway = bed(t, silent, {"connect_timeout": 500})
    equal(t.client(gateway).get("/a").status, 504, "status of a silent server")


@test
def tls_on_both_sides_with_big_bodies(t):
    def reply(exchange):
        exchange.send(answer(exchange.request.body))
    folder = t.folder()
    upstream = t.own(TlsUpstream(reply, folder, Authority(folder).sign("server", "DNS:localhost")))
    gateway = t.gateway(document([("a", upstream.port, {})]), listen="127.0.0.1:0, 127.0.0.1:0 ssl")
    body = bytes(range(256)) * 16 * 1024
    client = t.own(TlsClient(gateway.ports["proxy, TLS"], trusting()))
    response = client.request("POST", "/a/big", body=body)
    equal(response.status, 200, "status")
    check(response.body == body, "the body came back as it was")


@test
def what_names_nothing_is_refused_when_loading(t):
    import harness
    for settings, reason in (({"tls_verify": True, "ca_certificates": [CA]}, CA), ({"client_certificate": SHOWN}, SHOWN)):
        path = t.folder() / "kong.json"
        path.write_text(document([("a", 443, settings)]))
        finished = harness.command("run", path, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", loop=t.loop)
        check(finished.returncode != 0, "it does not start")
        contains(finished.stderr, reason, "the report")
