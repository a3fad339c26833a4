"""TLS to clients: which certificate is shown, versions, resumption, reloads, and whoever speaks no TLS or none in time."""

import json
import os
import ssl
import subprocess
import threading
import time

from client import Client, request_bytes
from harness import proxy_to
from messages import Reader
from test_tunnel import HANDSHAKE, echoing, frame
from testing import check, contains, equal, need, test, wait_until
from upstream import answer

LISTEN = "127.0.0.1:0, 127.0.0.1:0 ssl http2"


def openssl(folder, *arguments):
    finished = subprocess.run([need("openssl"), *map(str, arguments)], cwd=folder, capture_output=True, text=True, timeout=20)
    equal(finished.returncode, 0, f"openssl {arguments[0]}: {finished.stderr}")


class Authority:
    """Signs certificates, which are PEM texts with their keys."""

    def __init__(self, folder, name="Test authority"):
        self.folder = folder
        self.number = 0
        self.path = folder / f"{name.replace(' ', '-')}.pem"
        self.key = folder / f"{name.replace(' ', '-')}.key"
        openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.key,
                "-out", self.path, "-days", "2", "-subj", f"/CN={name}", "-addext", "basicConstraints=critical,CA:TRUE")

    def sign(self, name, names=None, kind="ec", expired=False):
        self.number += 1
        base = self.folder / f"{self.path.stem}-{self.number}"
        key = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"] if kind == "ec" else ["rsa:2048"]
        openssl(self.folder, "req", "-newkey", *key, "-nodes", "-keyout", f"{base}.key", "-out", f"{base}.csr", "-subj",
                f"/CN={name}")
        base.with_suffix(".ext").write_text(f"subjectAltName={names or 'DNS:' + name}\nbasicConstraints=CA:FALSE\n")
        openssl(self.folder, "x509", "-req", "-in", f"{base}.csr", "-CA", self.path, "-CAkey", self.key, "-CAcreateserial",
                "-days", "-1" if expired else "1", "-out", f"{base}.pem", "-extfile", f"{base}.ext")
        return base.with_suffix(".pem").read_text(), base.with_suffix(".key").read_text()


class TlsClient(Client):
    """A client over TLS that takes a missing close_notify for what it is: a cut."""

    def __init__(self, port, context, name=None, session=None, seconds=10):
        super().__init__(port, seconds=seconds)
        self.socket = context.wrap_socket(self.socket, server_hostname=name, suppress_ragged_eofs=False, session=session)
        self.reader = Reader(self.socket, seconds)


def trusting(authority=None, version=None, protocols=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if authority is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(authority.path)
    if version:
        context.minimum_version = context.maximum_version = version
    if protocols:
        context.set_alpn_protocols(protocols)
    return context


def documented(port, certificates, extra=""):
    """proxy_to() with certificates: (names, (cert, key)[, (cert, key)])."""
    out = []
    for names, (cert, key), *others in certificates:
        entry = {"cert": cert, "key": key, "snis": [{"name": name} for name in names]}
        if others:
            entry["cert_alt"], entry["key_alt"] = others[0]
        out.append(entry)
    return proxy_to(port, "retries: 0") + f"certificates: {json.dumps(out)}\n{extra}"


def bed(t, reply=None, certificates=None, document=None, **options):
    upstream = t.upstream(reply)
    document = document or documented(upstream.port, certificates or [])
    return t.gateway(document, listen=LISTEN, **options), upstream


def tls(t, gateway, context=None, **options):
    return t.own(TlsClient(gateway.ports["proxy, TLS"], context or trusting(), **options))


def shown(t, gateway, authority, name):
    """The subject of the certificate that is shown for a name; it must be good for it."""
    return dict(part[0] for part in tls(t, gateway, trusting(authority), name=name).socket.getpeercert()["subject"])["commonName"]


@test
def requests_are_served_as_on_a_plain_connection_and_told_apart(t):
    gateway, upstream = bed(t)
    client = tls(t, gateway, name="localhost")
    for number in range(3):
        response = client.request("POST", f"/{number}", body=b"x" * 100)
        equal(response.status, 200, "status")
    head = upstream.requests[0]
    equal(head.header("X-Forwarded-Proto"), "https", "X-Forwarded-Proto")
    equal(head.header("X-Forwarded-Port"), str(gateway.ports["proxy, TLS"]), "X-Forwarded-Port")
    equal(t.client(gateway).get("/").status, 200, "over the plain port")
    equal(upstream.requests[-1].header("X-Forwarded-Proto"), "http", "X-Forwarded-Proto of a plain request")
    equal(gateway.metric("cardea_tls_handshakes_total"), 1, "handshakes")
    client.half_close()
    check(client.is_closed(), "closes with close_notify")


@test
def the_name_chooses_the_certificate(t):
    authority = Authority(t.folder())
    gateway, _ = bed(t, certificates=[
        (["a.example.com"], authority.sign("exact", "DNS:a.example.com")),
        (["*.example.com", "mail.example.*"], authority.sign("wild", "DNS:*.example.com,DNS:mail.example.org"))])
    equal(shown(t, gateway, authority, "a.example.com"), "exact", "for a.example.com")
    equal(shown(t, gateway, authority, "b.example.com"), "wild", "for b.example.com")
    equal(shown(t, gateway, authority, "mail.example.org"), "wild", "for mail.example.org")
    try:
        tls(t, gateway, trusting(authority), name="other.example.net")
        raise AssertionError("a self-signed certificate was trusted")
    except ssl.SSLCertVerificationError as error:
        contains(str(error), "self-signed", "for a name that no certificate has")


@test
def settings_give_the_certificate_for_all_other_names(t):
    authority = Authority(t.folder())
    cert, key = authority.sign("of the settings", "DNS:other.example.net")
    gateway, _ = bed(t, settings={"ssl_cert": "default.pem", "ssl_cert_key": "default.key"},
                     files={"default.pem": cert, "default.key": key})
    equal(shown(t, gateway, authority, "other.example.net"), "of the settings", "the default")


@test
def rsa_and_ecdsa_side_by_side(t):
    authority = Authority(t.folder())
    gateway, _ = bed(t, certificates=[(["a.example"], authority.sign("rsa", "DNS:a.example", "rsa"),
                                       authority.sign("ecdsa", "DNS:a.example"))])
    for ciphers, name in (("ECDHE-RSA-AES128-GCM-SHA256", "rsa"), ("ECDHE-ECDSA-AES128-GCM-SHA256", "ecdsa")):
        context = trusting(authority, ssl.TLSVersion.TLSv1_2)
        context.set_ciphers(ciphers)
        client = tls(t, gateway, context, name="a.example")
        equal(dict(part[0] for part in client.socket.getpeercert()["subject"])["commonName"], name, ciphers)


@test
def versions_and_protocols(t):
    gateway, _ = bed(t)
    for version, name in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")):
        client = tls(t, gateway, trusting(version=version), name="x.example")
        equal(client.socket.version(), name, "version")
        equal(client.get("/").status, 200, f"status over {name}")
    equal(tls(t, gateway, trusting(protocols=["http/1.1"])).socket.selected_alpn_protocol(), "http/1.1", "ALPN")
    curl = subprocess.run([need("curl"), "-sk", "--http1.1", "-w", "%{http_code} %{ssl_verify_result}", "-o", "/dev/null",
                           f"https://127.0.0.1:{gateway.ports['proxy, TLS']}/"], capture_output=True, text=True, timeout=20)
    check(curl.stdout.startswith("200"), f"curl: {curl.stdout} {curl.stderr}")
    old = trusting()
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    try:
        tls(t, gateway, old)
        raise AssertionError("TLS 1.1 was taken")
    except (ssl.SSLError, ConnectionError):
        pass


@test
def clients_come_back_without_a_whole_handshake(t):
    gateway, _ = bed(t, workers=2)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = trusting(version=version)
        first = tls(t, gateway, context, name="x.example")
        equal(first.get("/").status, 200, "status")  # and takes the ticket
        check(not first.socket.session_reused, "a first handshake is whole")
        session = first.socket.session
        for _ in range(4):  # whichever worker it reaches
            again = tls(t, gateway, context, name="x.example", session=session)
            equal(again.get("/").status, 200, "status of one who came back")
            check(again.socket.session_reused, f"resumed with {version.name}")
    equal(gateway.metric("cardea_tls_resumptions_total"), 8, "resumptions")


@test
def a_certificate_is_replaced_under_load(t):
    authority = Authority(t.folder())
    first, second = authority.sign("first", "DNS:a.example"), authority.sign("second", "DNS:a.example")
    upstream = t.upstream(answer(b"fine"))
    gateway = t.gateway(documented(upstream.port, [(["a.example"], first)]), listen=LISTEN, workers=2)
    context = trusting(authority)
    kept = tls(t, gateway, context, name="a.example")
    failures, stop = [], threading.Event()

    def load():
        while not stop.is_set():
            try:
                client = TlsClient(gateway.ports["proxy, TLS"], context, "a.example")
                if client.get("/").status != 200:
                    failures.append("status")
                client.end()
            except OSError as error:
                failures.append(repr(error))
    threads = [threading.Thread(target=load) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        for number in range(4):
            shown_now = second if number % 2 == 0 else first
            gateway.write(documented(upstream.port, [(["a.example"], shown_now)]))
            equal(gateway.reload().returncode, 0, "exit code of the reload")
            wait_until(lambda: shown(t, gateway, authority, "a.example") == ("second" if number % 2 == 0 else "first"),
                       "the new certificate is shown")
            equal(kept.get("/").status, 200, "on the connection that stays")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    equal(failures, [], "failures")
    # One that does not fit changes nothing.
    gateway.write(documented(upstream.port, [(["a.example"], (first[0], second[1]))]))
    equal(gateway.reload().returncode, 1, "exit code of a reload with the wrong key")
    equal(kept.get("/").status, 200, "afterwards")


@test
def routes_by_server_name_and_for_https_only(t):
    upstream = t.upstream()
    gateway = t.gateway(f'''
_format_version: "3.0"
services:
- {{name: a, url: "http://127.0.0.1:{upstream.port}/named", retries: 0,
    routes: [{{name: named, protocols: [https], paths: [/x], snis: [a.example]}}]}}
- {{name: b, url: "http://127.0.0.1:{upstream.port}/other", retries: 0,
    routes: [{{name: other, protocols: [https], paths: [/]}}]}}
''', listen=LISTEN)
    equal(tls(t, gateway, name="a.example").get("/x").status, 200, "by its name")
    equal(tls(t, gateway, name="b.example").get("/x").status, 200, "by another")
    equal([request.target for request in upstream.requests], ["/named", "/other/x"], "where they went")
    response = t.client(gateway).get("/")
    equal(response.status, 426, "a plain request for it")
    contains(response.body.decode(), "Please use HTTPS protocol", "the answer")


@test
def plain_http_and_garbage_on_the_tls_port(t):
    gateway, upstream = bed(t, settings={"header_timeout": "1s"})
    client = t.own(Client(gateway.ports["proxy, TLS"]))
    response = client.get("/")
    equal(response.status, 400, "status")
    contains(response.body.decode(), "The plain HTTP request was sent to HTTPS port", "the answer")
    check(client.is_closed(), "closed")
    for garbage in (b"\x00" * 100, b"\x16\x03\x01", b"\x16\x03\x01\x00\x05hello", b"\x16" + os.urandom(5000),
                    b"\x16\x03\x01\x40\x00" + b"\x01\x00\x3f\xfc" + b"\x03\x03" + b"\xff" * 20000, b"\x80\x2e\x01\x03\x01"):
        client = t.own(Client(gateway.ports["proxy, TLS"]))
        client.send_split(garbage, len(garbage))
        client.everything()
        client.end()
    equal(upstream.requests, [], "the upstream saw")
    check(gateway.metric("cardea_tls_handshake_failures_total") >= 4, "failures are counted")
    equal(tls(t, gateway).get("/").status, 200, "another client")


@test
def a_handshake_has_its_time_and_its_number(t):
    gateway, _ = bed(t, settings={"header_timeout": "700ms", "limit_handshakes": "20"})
    port = gateway.ports["proxy, TLS"]
    hello = client_hello()
    before = time.monotonic()
    silent, half, dripping = (t.own(Client(port)) for _ in range(3))
    half.send(hello[:50])
    dripping.send(hello[:10])
    for at in range(10, 40):
        dripping.send_split(hello[at:at + 1])
        time.sleep(0.04)
    check(silent.is_closed(3) and half.everything() is not None and dripping.everything() is not None, "all are closed")
    check(time.monotonic() - before < 4, "soon")
    # A flood of handshakes that never end: those over the bound are closed at once, and what is under way ends in time.
    flood = [t.own(Client(port)) for _ in range(60)]
    for client in flood:
        client.send_split(hello, len(hello))
    wait_until(lambda: gateway.metric("cardea_tls_handshake_failures_total") >= 40, "the rest is refused")
    equal(t.client(gateway).get("/").status, 200, "a plain request meanwhile")

    def can_enter():
        try:
            return tls(t, gateway).get("/").status == 200
        except OSError:
            return False
    wait_until(can_enter, "another client enters", 5)


def client_hello():
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = trusting().wrap_bio(incoming, outgoing, server_hostname="x.example")
    try:
        session.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


@test(seconds=60)
def big_bodies_both_ways(t):
    body = os.urandom(1 << 20) * 8

    def reply(exchange):
        exchange.send(answer(exchange.request.body))
    gateway, upstream = bed(t, reply)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        client = t.own(TlsClient(gateway.ports["proxy, TLS"], trusting(version=version), seconds=30))
        response = client.request("POST", "/big", body=body)  # the upstream answers once it has all
        equal(response.status, 200, "status")
        check(response.body == body, "the body came back as it was")
        equal(client.get("/again").status, 200, "the connection goes on")


@test
def a_client_that_reads_nothing_holds_little(t):
    def reply(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 200000000\r\n\r\n")
        try:
            for _ in range(200):
                exchange.send(b"x" * 1_000_000)
        except OSError:
            exchange.close()
    gateway, _ = bed(t, reply, settings={"send_timeout": "1s"})
    before = gateway.memory()
    client = tls(t, gateway)
    client.send(request_bytes("GET", "/endless"))
    equal(client.response_head().status, 200, "status")
    wait_until(lambda: gateway.metric("cardea_client_aborts_total"), "it is given up")
    gateway.check_growth(before, 16 << 20)


@test
def websocket_through_tls(t):
    gateway, _ = bed(t, echoing)
    client = tls(t, gateway)
    equal(client.request("GET", "/chat", *HANDSHAKE).status, 101, "status")
    for text in (b"hello", b"", b"x" * 125):
        client.send(frame(text, b"\x01\x02\x03\x04"))
        equal(client.reader.exact(2 + len(text)), frame(text), "echo")


@test
def an_answer_that_was_cut_is_no_whole_one(t):
    def reply(exchange):
        exchange.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        exchange.close()
    gateway, _ = bed(t, reply)
    client = tls(t, gateway)
    client.send(request_bytes("GET", "/"))
    equal(client.response_head().status, 200, "status")
    check(client.everything() == b"half", "what there was of it")


@test
def idle_connections_cost_little(t):
    gateway, _ = bed(t)
    context = trusting()
    warm = [tls(t, gateway, context) for _ in range(50)]
    for client in warm:
        equal(client.get("/").status, 200, "status")
    before = gateway.memory()
    idle = [tls(t, gateway, context) for _ in range(400)]
    for client in idle:
        equal(client.get("/").status, 200, "status")
    gateway.check_growth(before, 400 * 16 * 1024, "400 connections that sleep")
