"""mtls-auth where somebody tries to get around it: by what is cached, by a header, by a name, by what cannot be asked."""

import socket

from authorities import Ca
from client import Client
from test_mtls import ALICE, OTHER, ROOT, ask, document, refused, showing
from test_proxy_protocol import LISTEN as PROXIED, V2
from test_tls import LISTEN, TlsClient
from testing import check, equal, test

CACHED = "  - {name: proxy-cache, config: {strategy: memory, content_type: [application/json]}}\n"


class Proxied(TlsClient):
    """Behind a proxy that carries TCP and says whose connection it is."""

    def __init__(self, port, header, context):
        Client.__init__(self, port)
        self.socket.sendall(header)
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost", suppress_ragged_eofs=False)
        self.reader = type(self.reader)(self.socket, 10)


@test
def an_answer_to_one_certificate_is_for_no_other(t):
    folder = t.folder()
    ca, other = Ca(folder), Ca(folder, "Other")
    upstream = t.upstream()
    text = document(upstream.port, {ROOT: ca.cert, OTHER: other.cert}, ", skip_consumer_lookup: true, forward_certificate: pem",
                    more=CACHED).replace(f"ca_certificates: [{ROOT}]", f"ca_certificates: [{ROOT}, {OTHER}]")
    gateway = t.gateway(text, listen=LISTEN)
    nameless = [ca.sign("x", f"URI:urn:{name}", subject="/O=Example") for name in ("one", "two")]
    clients = [*nameless, ca.sign("alice"), other.sign("alice")]
    for certificate in clients:
        before = len(upstream.requests)
        equal(ask(t, gateway, certificate).status, 200, "status")
        equal(len(upstream.requests) - before, 1, "it is asked anew")
        check(upstream.requests[-1].header("X-Credential-Identifier"), "it is called something")
    equal(ask(t, gateway, clients[0]).header("X-Cache-Status"), "Hit", "its own")


@test
def certificates_of_one_consumer_share_no_answer(t):
    ca, upstream = Ca(t.folder()), t.upstream()
    gateway = t.gateway(document(upstream.port, {ROOT: ca.cert}, ", default_consumer: alice, forward_certificate: rfc9440",
                                 more=CACHED, consumers=ALICE), listen=LISTEN)
    one, two = ca.sign("one"), ca.sign("two")
    for certificate, seen in ((one, 1), (two, 2), (one, 2)):
        equal(ask(t, gateway, certificate).status, 200, "status")
        equal(len(upstream.requests), seen, "requests of the upstream")


@test
def no_field_of_a_request_talks_the_certificate_away(t):
    ca, upstream = Ca(t.folder()), t.upstream()
    text = document(upstream.port, {ROOT: ca.cert}, consumers=ALICE).replace("{name: mtls-auth,",
                                                                            "{name: mtls-auth, protocols: [https],")
    gateway = t.gateway(text, listen=LISTEN, settings={"trusted_ips": "127.0.0.0/8"})
    refused(ask(t, gateway, None, "X-Forwarded-Proto: http"), "No required TLS certificate was sent")
    equal(ask(t, gateway, ca.sign("alice"), "X-Forwarded-Proto: http").status, 200, "with one")
    equal(len(upstream.requests), 1, "requests that passed")


@test
def fields_of_a_client_that_the_proxy_names_are_its_own(t):
    upstream = t.upstream()
    text = f'_format_version: "3.0"\nservices:\n- name: echo\n  url: "http://127.0.0.1:{upstream.port}"\n  routes: [{{name: all, paths: [/]}}]\n'
    gateway = t.gateway(text, listen=PROXIED,
                        settings={"trusted_ips": "127.0.0.0/8", "real_ip_header": "proxy_protocol"})
    named_trusted = V2[:16] + socket.inet_aton("127.0.0.9") + V2[20:]
    for header, scheme, host in ((V2, "https", "gw.example"), (named_trusted, "http", "elsewhere")):
        client = t.own(Proxied(gateway.ports["proxy, TLS"], header, showing()))
        equal(client.get("/", "X-Forwarded-Proto: http", "X-Forwarded-Host: elsewhere").status, 200, "status")
        seen = upstream.requests[-1]
        equal(seen.header("X-Forwarded-Proto"), scheme, "scheme")
        equal(seen.header("X-Forwarded-Host"), host, "host")


@test
def a_comma_in_a_name_makes_no_second_name(t):
    ca, upstream = Ca(t.folder()), t.upstream()
    gateway = t.gateway(document(upstream.port, {ROOT: ca.cert}, ", skip_consumer_lookup: true"), listen=LISTEN)
    extensions = "basicConstraints=CA:FALSE\nsubjectAltName=@names\n[names]\nURI.1=urn:a, b\nDNS.1=c.example\n"
    equal(ask(t, gateway, ca.sign("x", extensions=extensions)).status, 200, "status")
    equal(upstream.requests[-1].header("X-Client-Cert-San"), "urn:a%2C b, c.example", "names")


@test
def strict_wants_to_read_what_is_there(t):
    folder = t.folder()
    ca = Ca(folder)
    authority = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n"
    for number, (extension, status) in enumerate((("", 200), ("authorityInfoAccess=caIssuers;URI:http://ca/\n", 200),
                                                  ("crlDistributionPoints=URI:ldap://ca/list\n", 401),
                                                  ("authorityInfoAccess=OCSP;URI:ldap://ca/\n", 401))):
        between = Ca(folder, f"Between {number}", ca, authority + extension)
        path = between.crl()
        text = document(t.upstream().port, {ROOT: ca.cert}, f", crls: ['{path}']", consumers=ALICE).replace(
            "revocation_check_mode: SKIP", "revocation_check_mode: STRICT")
        equal(ask(t, t.gateway(text, listen=LISTEN), between.sign("alice")).status, status, extension)
