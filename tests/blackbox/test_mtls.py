"""mtls-auth: who is asked for a certificate, which are believed, whom they stand for, what the upstream is told."""

import base64
import json
import ssl
import subprocess
import urllib.parse

from authorities import Ca
from test_tls import LISTEN, TlsClient
from testing import check, contains, equal, need, test

ROOT, OTHER = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
MISSING, FAILED = "No required TLS certificate was sent", "TLS certificate failed verification"


def document(port, authorities, settings="", routes="[{name: all, paths: [/]}]", more="", consumers=""):
    """`authorities`: id -> PEM; `settings`: of mtls-auth, a flow mapping without its braces."""
    listed = json.dumps([{"id": id, "cert": cert} for id, cert in authorities.items()])
    return (f'_format_version: "3.0"\nca_certificates: {listed}\nservices:\n- name: echo\n  url: "http://127.0.0.1:{port}"\n'
            f'  retries: 0\n  routes: {routes}\n  plugins:\n'
            f'  - {{name: mtls-auth, config: {{ca_certificates: [{ROOT}], revocation_check_mode: SKIP{settings}}}}}\n{more}{consumers}')


ALICE = "consumers:\n- {username: alice, custom_id: a-1, id: aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa}\n"


def showing(certificate=None, version=None, protocols=None):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    if certificate:
        context.load_cert_chain(certificate.chain, certificate.key_path)
    if version:
        context.minimum_version = context.maximum_version = version
    if protocols:
        context.set_alpn_protocols(protocols)
    return context


def connect(t, gateway, certificate=None, name="localhost", version=None, session=None, context=None):
    return t.own(TlsClient(gateway.ports["proxy, TLS"], context or showing(certificate, version), name, session=session))


def ask(t, gateway, certificate=None, *headers, name="localhost", version=None, path="/"):
    return connect(t, gateway, certificate, name, version).request("GET", path, *headers, host=name)


def refused(response, message=FAILED):
    equal(response.status, 401, "status")
    equal(json.loads(response.body)["message"], message, "message")
    equal(response.header("WWW-Authenticate"), None, "a way to authenticate")


@test
def a_certificate_is_a_consumer(t):
    ca, upstream = Ca(t.folder()), t.upstream()
    gateway = t.gateway(document(upstream.port, {ROOT: ca.cert}, consumers=ALICE), listen=LISTEN)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        refused(ask(t, gateway, version=version), MISSING)
        equal(ask(t, gateway, ca.sign("alice"), "X-Consumer-Username: boss", version=version).status, 200, "status")
        seen = upstream.requests[-1]
        equal(seen.header("X-Consumer-Username"), "alice", "consumer")
        equal(seen.header("X-Consumer-Custom-ID"), "a-1", "its other id")
    refused(t.client(gateway).get("/"), MISSING)  # no TLS, no certificate
    refused(ask(t, gateway, ca.sign("nobody")))
    equal(ask(t, gateway, ca.sign("x", "DNS:alice")).status, 200, "by another name")
    equal(ask(t, gateway, ca.sign("x", "email:a-1")).status, 200, "by custom_id")
    equal(len(upstream.requests), 4, "requests that passed")


@test(seconds=60)
def what_must_not_be_believed_is_not(t):
    folder = t.folder()
    ca, stranger = Ca(folder), Ca(folder, "Stranger")
    between = Ca(folder, "Between", ca)
    no_ca = ca.sign("alice")
    upstream = t.upstream()
    gateway = t.gateway(document(upstream.port, {ROOT: ca.cert, OTHER: stranger.cert}, consumers=ALICE), listen=LISTEN)
    equal(ask(t, gateway, between.sign("alice")).status, 200, "with the certificate between")
    fake = Ca(folder, "Fake")  # is no authority: a client's certificate signs
    fake.path.write_text(no_ca.cert)
    fake.key_path.write_text(no_ca.key)
    fake.cert, fake.others = no_ca.cert, [no_ca]
    namesake = Ca(t.folder(), "Test root")
    alone = between.sign("alice")
    alone.others, _ = [], alone.chain.write_text(alone.cert)
    deep = ca
    for number in range(9):
        deep = Ca(folder, f"Deep {number}", deep)
    bad = {
        "expired": ca.sign("alice", start="20200101000000Z", end="20200102000000Z"),
        "not yet valid": ca.sign("alice", start="20400101000000Z", end="20400102000000Z"),
        "another authority, listed in the document but not here": stranger.sign("alice"),
        "an authority of the same name": namesake.sign("alice"),
        "signed by a client": fake.sign("alice"),
        "for servers": ca.sign("alice", extensions="basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\n"),
        "signed by itself": Ca(folder, "alice").sign("alice"),
        "without the one between": alone,
        "too deep": deep.sign("alice"),
        "a weak key": ca.sign("alice", key="rsa:1024"),
    }
    for what, certificate in bad.items():
        before = len(upstream.requests)
        response = ask(t, gateway, certificate)
        check(response.status == 401, f"{what}: {response.status}")
        refused(response)
        equal(len(upstream.requests), before, what)
    itself = Ca(folder, "Self")
    own = type(no_ca)(itself.path, itself.key_path)
    refused(ask(t, gateway, own))
    huge = ca.sign("alice")
    huge.chain.write_text(huge.cert + between.cert * 20)
    refused(ask(t, gateway, huge))
    huge.chain.write_text(huge.cert + between.cert * 150)
    try:
        response = ask(t, gateway, huge)
        raise AssertionError(f"a chain of 150 certificates was taken: {response.status}")
    except (ssl.SSLError, ConnectionError, OSError):
        pass
    equal(ask(t, gateway, ca.sign("alice")).status, 200, "afterwards")


@test
def each_use_believes_its_own_authorities_alone(t):
    folder = t.folder()
    ca, other = Ca(folder), Ca(folder, "Other")
    upstream = t.upstream()
    text = document(upstream.port, {ROOT: ca.cert, OTHER: other.cert}, consumers=ALICE,
                    routes="[{name: all, paths: [/one]}]")
    text = text.replace("consumers:", f'''- name: second
  url: "http://127.0.0.1:{upstream.port}"
  routes: [{{name: two, paths: [/two]}}]
  plugins: [{{name: mtls-auth, config: {{ca_certificates: [{OTHER}], revocation_check_mode: SKIP}}}}]
consumers:''', 1)
    gateway = t.gateway(text, listen=LISTEN)
    for certificate, good, bad in ((ca.sign("alice"), "/one", "/two"), (other.sign("alice"), "/two", "/one")):
        client = connect(t, gateway, certificate)
        for _ in range(2):  # whatever was remembered of the other
            equal(client.get(good).status, 200, "its own")
            refused(client.get(bad))


@test
def credentials_come_before_names(t):
    folder = t.folder()
    ca, other = Ca(folder), Ca(folder, "Other")
    upstream = t.upstream()
    consumers = f'''consumers:
- username: alice
- username: for-one
  mtls_auth_credentials:
  - {{id: c0000000-0000-4000-8000-000000000001, subject_name: alice, ca_certificate: {{id: {ROOT}}}}}
- username: for-any
  mtls_auth_credentials: [{{id: c0000000-0000-4000-8000-000000000002, subject_name: alice}}, {{subject_name: bob}}]
'''
    gateway = t.gateway(document(upstream.port, {ROOT: ca.cert, OTHER: other.cert}, consumers=consumers)
                        .replace(f"[{ROOT}]", f"[{OTHER}, {ROOT}]"), listen=LISTEN)

    def who(certificate):
        equal(ask(t, gateway, certificate).status, 200, "status")
        return upstream.requests[-1].header("X-Consumer-Username"), upstream.requests[-1].header("X-Credential-Identifier")
    equal(who(ca.sign("alice")), ("for-one", "c0000000-0000-4000-8000-000000000001"), "of that authority")
    equal(who(other.sign("alice")), ("for-any", "c0000000-0000-4000-8000-000000000002"), "of another")
    equal(who(other.sign("alice", "DNS:bob"))[0], "for-any", "the alternative name first")


@test
def anonymous_default_and_other_plugins(t):
    ca, upstream = Ca(t.folder()), t.upstream()
    consumers = ALICE + "- {username: guest}\n- {username: any, keyauth_credentials: [{key: sesame}]}\n"
    gateway = t.gateway(document(upstream.port, {ROOT: ca.cert}, ", anonymous: guest", consumers=consumers,
                                 more="  - {name: key-auth, config: {anonymous: guest}}\n"), listen=LISTEN)

    def who(certificate, *headers):
        equal(ask(t, gateway, certificate, *headers).status, 200, "status")
        return upstream.requests[-1].header("X-Consumer-Username"), upstream.requests[-1].header("X-Anonymous-Consumer")
    equal(who(None), ("guest", "true"), "nobody")
    equal(who(ca.sign("stranger")), ("guest", "true"), "a name that is none")
    equal(who(ca.sign("alice")), ("alice", None), "by certificate")
    equal(who(ca.sign("stranger"), "apikey: sesame"), ("any", None), "by key")
    gateway = t.gateway(document(upstream.port, {ROOT: ca.cert}, ", default_consumer: any", consumers=consumers), listen=LISTEN)
    equal(who(ca.sign("stranger")), ("any", None), "the default")
    refused(ask(t, gateway), MISSING)


@test
def groups_without_consumers(t):
    ca, upstream = Ca(t.folder()), t.upstream()
    gateway = t.gateway(document(upstream.port, {ROOT: ca.cert}, ", skip_consumer_lookup: true",
                                 more="  - {name: acl, config: {allow: [staff]}}\n"), listen=LISTEN)
    equal(ask(t, gateway, ca.sign("staff", "DNS:a.example,IP:10.0.0.1"), "X-Client-Cert-Dn: CN=boss").status, 200, "status")
    seen = upstream.requests[-1]
    equal(seen.header("X-Authenticated-Groups"), "staff", "group")
    equal(seen.header("X-Client-Cert-Dn"), "CN=staff", "subject")
    equal(seen.header("X-Client-Cert-San"), "a.example, 10.0.0.1", "other names")
    equal(ask(t, gateway, ca.sign("guests")).status, 403, "another group")
    gateway = t.gateway(document(upstream.port, {ROOT: ca.cert}, ", skip_consumer_lookup: true, authenticated_group_by: DN",
                                 more='  - {name: acl, config: {allow: ["CN=staff,O=Example"]}}\n'), listen=LISTEN)
    equal(ask(t, gateway, ca.sign("", subject="/O=Example/CN=staff")).status, 200, "by the whole subject")
    equal(ask(t, gateway, ca.sign("staff")).status, 403, "another subject")


@test
def only_names_that_lead_there_are_asked(t):
    ca, upstream = Ca(t.folder()), t.upstream()
    gateway = t.gateway(document(upstream.port, {ROOT: ca.cert}, ", send_ca_dn: true", consumers=ALICE, routes=(
        "[{name: a, paths: [/], snis: [a.example, '*.b.example'], protocols: [https]}]")), listen=LISTEN)

    def asked(name):
        out = subprocess.run([need("openssl"), "s_client", "-connect", f"127.0.0.1:{gateway.ports['proxy, TLS']}",
                              *(("-servername", name) if name else ("-noservername",))], input="", capture_output=True, text=True,
                             timeout=20).stdout
        return "Acceptable client certificate CA names\nCN = Test root" in out
    for name, expected in (("a.example", True), ("A.Example", True), ("x.b.example", True), ("c.example", False), (None, False)):
        equal(asked(name), expected, f"asked for a certificate by {name}")
    equal(ask(t, gateway, ca.sign("alice"), name="a.example").status, 200, "with it")
    # One reload makes it everybody.
    gateway.write(document(upstream.port, {ROOT: ca.cert}, ", send_ca_dn: true", consumers=ALICE))
    equal(gateway.reload().returncode, 0, "reload")
    for name in ("c.example", None):
        check(asked(name), f"asked for a certificate by {name}")


@test
def sessions_keep_the_certificate_and_its_chain(t):
    folder = t.folder()
    ca = Ca(folder)
    between = Ca(folder, "Between", ca)
    upstream = t.upstream()
    gateway = t.gateway(document(upstream.port, {ROOT: ca.cert}, consumers=ALICE), listen=LISTEN, workers=2)
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        context = showing(between.sign("alice"), version)
        first = connect(t, gateway, context=context)
        equal(first.get("/").status, 200, "status")
        session = first.socket.session
        for _ in range(4):
            again = connect(t, gateway, context=context, session=session)
            equal(again.get("/").status, 200, "status of one who came back")
            check(again.socket.session_reused, f"resumed with {version.name}")
            equal(upstream.requests[-1].header("X-Consumer-Username"), "alice", "still known")
    # What is believed now is what counts, not what was believed then.
    stranger = Ca(folder, "Stranger")
    gateway.write(document(upstream.port, {ROOT: stranger.cert}, consumers=ALICE))
    equal(gateway.reload().returncode, 0, "reload")
    refused(again.get("/"))
    refused(connect(t, gateway, context=context, session=session).get("/"))


@test
def over_http2(t):
    ca, upstream = Ca(t.folder()), t.upstream()
    gateway = t.gateway(document(upstream.port, {ROOT: ca.cert}, consumers=ALICE), listen=LISTEN)
    url = f"https://127.0.0.1:{gateway.ports['proxy, TLS']}/"

    def curl(*more):
        return subprocess.run([need("curl"), "-sk", "--http2", "-w", "%{http_code} %{http_version} ", *map(str, more), "-o", "/dev/null",
                               url, "-o", "/dev/null", url], capture_output=True, text=True, timeout=20).stdout
    good = ca.sign("alice")
    equal(curl("--cert", good.chain, "--key", good.key_path), "200 2 " * 2, "with a certificate")
    equal(curl(), "401 2 " * 2, "without one")
    bad = ca.sign("alice", start="20200101000000Z", end="20200102000000Z")
    equal(curl("--cert", bad.chain, "--key", bad.key_path), "401 2 " * 2, "with an old one")


@test
def the_certificate_is_handed_on_and_nobody_else_can(t):
    folder = t.folder()
    ca = Ca(folder)
    between = Ca(folder, "Between", ca)
    upstream = t.upstream()
    text = document(upstream.port, {ROOT: ca.cert}, ", forward_certificate: rfc9440, anonymous: guest", routes="[{name: all, paths: [/in]}]",
                    consumers=ALICE + "- {username: guest}\n")
    text = text.replace("consumers:", f'- {{name: open, url: "http://127.0.0.1:{upstream.port}", routes: [{{name: o, paths: [/open]}}]}}\nconsumers:', 1)
    gateway = t.gateway(text, listen=LISTEN)
    alice = between.sign("alice")
    lies = ("Client-Cert: :AAAA:", "client_cert: :AAAA:", "CLIENT-CERT-CHAIN: :AAAA:", "Client_Cert-Chain: :AAAA:")
    equal(ask(t, gateway, alice, *lies, path="/in").status, 200, "status")
    seen = upstream.requests[-1]
    equal(seen.header("Client-Cert"), f":{base64.b64encode(alice.der()).decode()}:", "Client-Cert")
    between_der = base64.b64encode(ssl.PEM_cert_to_DER_cert(between.cert)).decode()
    equal(seen.header("Client-Cert-Chain"), f":{between_der}:", "Client-Cert-Chain")
    check("AAAA" not in repr(seen), "what the client said of it is gone")
    for path, client in (("/in", connect(t, gateway)), ("/open", connect(t, gateway, alice)), ("/open", t.client(gateway))):
        equal(client.get(path, *lies).status, 200, "status")
        check("AAAA" not in repr(upstream.requests[-1]), f"nor over {path}: {upstream.requests[-1]!r}")
        equal(upstream.requests[-1].header("Client-Cert"), None, "nothing in its place")
    client = connect(t, gateway)  # nor behind the body
    client.send(b"POST /open HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Mine: 1\r\nclient_cert: :AAAA:\r\n\r\n")
    equal(client.response().status, 200, "status")
    check("AAAA" not in repr(upstream.requests[-1].trailers), f"trailers: {upstream.requests[-1].trailers}")
    contains(repr(upstream.requests[-1].trailers), "X-Mine", "other trailers")
    gateway = t.gateway(document(upstream.port, {ROOT: ca.cert}, ", forward_certificate: pem", consumers=ALICE), listen=LISTEN)
    equal(ask(t, gateway, alice, "x-client-cert: boss").status, 200, "status")
    equal(urllib.parse.unquote(upstream.requests[-1].header("X-Client-Cert")).strip(), alice.cert.strip(), "X-Client-Cert")


@test
def an_authority_that_is_not_there_keeps_the_old_configuration(t):
    ca, upstream = Ca(t.folder()), t.upstream()
    gateway = t.gateway(document(upstream.port, {ROOT: ca.cert}, consumers=ALICE), listen=LISTEN)
    gateway.write(document(upstream.port, {OTHER: ca.cert}, consumers=ALICE))
    result = gateway.reload()
    equal(result.returncode, 1, "exit code")
    contains(result.stdout + result.stderr, f"no ca_certificate {ROOT}", "which one")
    equal(ask(t, gateway, ca.sign("alice")).status, 200, "afterwards")


@test
def a_request_for_a_name_with_other_rules_is_misdirected(t):
    ca, upstream = Ca(t.folder()), t.upstream()
    text = document(upstream.port, {ROOT: ca.cert}, consumers=ALICE,
                    routes="[{name: a, paths: [/], snis: [secure.example], protocols: [https]}]")
    text = text.replace("consumers:", f'- {{name: open, url: "http://127.0.0.1:{upstream.port}", routes: [{{name: o, paths: [/]}}]}}\nconsumers:', 1)
    gateway = t.gateway(text, listen=LISTEN)
    alice = ca.sign("alice")

    def status(name, host, certificate=None):
        return connect(t, gateway, certificate, name).request("GET", "/", host=host).status
    equal(status("secure.example", "secure.example", alice), 200, "where it belongs")
    equal(status("secure.example", "SECURE.example.", alice), 200, "written otherwise")
    equal(status("secure.example", "secure.example"), 401, "without a certificate")
    equal(status("open.example", "open.example"), 200, "an open name")
    equal(status("open.example", "other.example"), 200, "another open name")
    equal(status("open.example", "secure.example", alice), 421, "over a connection that was not asked")
    equal(status("secure.example", "open.example", alice), 421, "over one that was")
    equal(status(None, "secure.example"), 421, "without a name")
    port = gateway.ports["proxy, TLS"]
    for host, expected in (("open.example", "200 2"), ("secure.example", "421 2")):
        out = subprocess.run([need("curl"), "-sk", "--http2", "-o", "/dev/null", "-w", "%{http_code} %{http_version}", "--resolve",
                              f"open.example:{port}:127.0.0.1", "-H", f"Host: {host}", f"https://open.example:{port}/"],
                             capture_output=True, text=True, timeout=20)
        equal(out.stdout, expected, f"{host} over HTTP/2")
