"""Certificates of clients that were taken back: by OCSP, by lists, and what is done when nobody says so."""

import socket
import subprocess
import threading

from authorities import Ca, Responder
from test_mtls import ALICE, ROOT, ask, connect, document, refused
from test_tls import LISTEN, documented
from testing import check, contains, equal, need, test, wait_until

CRL_ONLY = "basicConstraints=CA:FALSE\ncrlDistributionPoints=URI:{url}/list.crl\n"


def bed(t, ca, mode, more="", **options):
    upstream = t.upstream()
    text = document(upstream.port, {ROOT: ca.cert}, more, consumers=ALICE).replace("revocation_check_mode: SKIP",
                                                                                  f"revocation_check_mode: {mode}")
    return t.gateway(text, listen=LISTEN, **options)


def responder(t, ca=None, **options):
    return t.own(Responder(ca, **options))


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@test
def a_real_responder_says_who_is_good(t):
    ca, port = Ca(t.folder()), free_port()
    extension = f"basicConstraints=CA:FALSE\nauthorityInfoAccess=OCSP;URI:http://127.0.0.1:{port}/\n"
    good, bad = ca.sign("alice", extensions=extension), ca.sign("alice", extensions=extension)
    ca.revoke(bad)
    process = subprocess.Popen([need("openssl"), "ocsp", "-port", str(port), "-index", ca.folder / "index.txt", "-CA", ca.path,
                                "-rsigner", ca.path, "-rkey", ca.key_path, "-nmin", "5"], stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True)
    try:
        line = process.stderr.readline()  # it serves one at a time, and none that only looks whether it is there
        contains(line, "waiting for OCSP client connections", "the responder")
        for mode in ("IGNORE_CA_ERROR", "STRICT"):
            gateway = bed(t, ca, mode)
            equal(ask(t, gateway, good).status, 200, f"good, {mode}")
            refused(ask(t, gateway, bad))
    finally:
        process.kill()
        process.wait()


@test
def answers_are_believed_only_from_the_authority(t):
    folder = t.folder()
    ca, other = Ca(folder), Ca(folder, "Other")
    one = responder(t, ca)
    client = ca.sign("mallory")
    delegate = ca.sign("ocsp", extensions="basicConstraints=CA:FALSE\nextendedKeyUsage=OCSPSigning\n")
    good = ca.sign("alice", extensions=one.extension())

    def status(mode="STRICT"):
        return ask(t, bed(t, ca, mode), good).status
    equal(status(), 200, "from the authority itself")
    one.signer = delegate
    equal(status(), 200, "from whom it has authorised")
    one.signer = client
    equal(status(), 401, "from any certificate of its")
    one.signer = other
    equal(status(), 401, "from somebody else")
    one.signer = None
    for what, spoil in (("nothing", lambda answer: b""), ("garbage", lambda answer: b"\x30\x03\x0a\x01\x06"),
                        ("cut short", lambda answer: answer[:-20]), ("endless", lambda answer: b"\x30" * 200_000),
                        ("forged", lambda answer: answer[:150] + bytes([answer[150] ^ 1]) + answer[151:])):
        one.spoil = spoil
        equal(status(), 401, what)
    equal(status("IGNORE_CA_ERROR"), 200, "garbage, if that is let pass")
    # An answer about somebody else, and one to an older question.
    sibling = ca.sign("alice", extensions=one.extension())
    kept = []
    one.spoil = lambda answer: kept.append(answer) or answer
    equal(ask(t, bed(t, ca, "STRICT"), sibling).status, 200, "the sibling")
    one.spoil = lambda answer: kept[0]
    equal(status(), 401, "an answer about another certificate")
    one.spoil = lambda answer: kept.append(answer) or answer
    equal(status(), 200, "fresh")
    one.spoil = lambda answer: kept[-1]
    equal(status(), 401, "an answer to another question")


@test
def an_unknown_certificate_is_good_to_nobody_strict(t):
    ca = Ca(t.folder())
    one = responder(t, ca)
    alice = ca.sign("alice", extensions=one.extension())
    (ca.folder / "index.txt").write_text("")
    refused(ask(t, bed(t, ca, "STRICT"), alice))
    equal(ask(t, bed(t, ca, "IGNORE_CA_ERROR"), alice).status, 200, "if that is let pass")


@test
def who_asks_at_the_same_time_asks_once(t):
    ca = Ca(t.folder())
    one = responder(t, ca)
    alice = ca.sign("alice", extensions=one.extension())
    gateway = bed(t, ca, "STRICT", workers=2)
    one.gate.clear()
    statuses = []
    clients = [connect(t, gateway, alice) for _ in range(12)]
    threads = [threading.Thread(target=lambda c=client: statuses.append(c.get("/").status)) for client in clients]
    for thread in threads:
        thread.start()
    wait_until(lambda: one.questions, "the question")
    equal(t.client(gateway).get("/").status, 401, "meanwhile others are served")
    one.gate.set()
    for thread in threads:
        thread.join()
    equal(statuses, [200] * 12, "statuses")
    for client in clients:
        equal(client.get("/").status, 200, "later")
    equal(one.questions, 1, "questions")
    equal(gateway.metric("cardea_revocation_questions_total"), 1, "counted")


@test
def one_that_is_taken_back_is_refused_when_the_answer_is_old(t):
    ca = Ca(t.folder())
    one = responder(t, ca)
    alice = ca.sign("alice", extensions=one.extension())
    gateway = bed(t, ca, "STRICT", ", cert_cache_ttl: 300")
    client = connect(t, gateway, alice)
    equal(client.get("/").status, 200, "good")
    ca.revoke(alice)
    wait_until(lambda: client.get("/").status == 401, "it is refused")


@test
def nobody_answers(t):
    ca = Ca(t.folder())
    port = free_port()
    extension = f"basicConstraints=CA:FALSE\nauthorityInfoAccess=OCSP;URI:http://127.0.0.1:{port}/\n"
    alice = ca.sign("alice", extensions=extension)
    refused(ask(t, bed(t, ca, "STRICT"), alice))
    equal(ask(t, bed(t, ca, "IGNORE_CA_ERROR"), alice).status, 200, "if that is let pass")
    silent = responder(t, ca)
    slow = ca.sign("alice", extensions=silent.extension())
    silent.gate.clear()
    refused(ask(t, bed(t, ca, "STRICT", ", http_timeout: 300"), slow))
    refused(ask(t, bed(t, ca, "STRICT"), ca.sign("alice")))  # nobody to ask


@test
def lists_at_the_place_that_the_certificate_names(t):
    folder = t.folder()
    ca, other = Ca(folder), Ca(folder, "Other")
    one = responder(t)
    extension = CRL_ONLY.format(url=one.url)
    good, bad = ca.sign("alice", extensions=extension), ca.sign("alice", extensions=extension)
    ca.revoke(bad)
    refused(ask(t, bed(t, ca, "STRICT"), good))  # there is no list
    one.files["/list.crl"] = ca.crl().read_bytes()
    gateway = bed(t, ca, "STRICT")
    before = one.fetches
    equal(ask(t, gateway, good).status, 200, "good")
    refused(ask(t, gateway, bad))
    equal(one.fetches - before, 1, "fetches of the list for both")
    pem = one.files["/list.crl"]
    namesake = Ca(t.folder(), "Test root")
    for what, text in (("of another authority", other.crl().read_bytes()), ("of a namesake", namesake.crl().read_bytes()),
                       ("garbage", b"garbage"), ("damaged", pem[:-60] + b"AAAA" + pem[-56:])):
        one.files["/list.crl"] = text
        refused(ask(t, bed(t, ca, "STRICT"), good))
        check(ask(t, bed(t, ca, "IGNORE_CA_ERROR"), bad).status == 200, what)


@test
def lists_in_files(t):
    ca = Ca(t.folder())
    good, bad = ca.sign("alice"), ca.sign("alice")
    ca.revoke(bad)
    path = ca.crl()
    gateway = bed(t, ca, "STRICT", f", crls: ['{path}'], cert_cache_ttl: 300")
    client = connect(t, gateway, good)
    equal(client.get("/").status, 200, "good")
    refused(ask(t, gateway, bad))
    ca.revoke(good)
    ca.crl()
    wait_until(lambda: client.get("/").status == 401, "the file is read again")


@test
def certificates_between_count_too(t):
    folder = t.folder()
    ca = Ca(folder)
    one = responder(t, ca)
    extensions = ("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n"
                  f"authorityInfoAccess=OCSP;URI:{one.url}/\n")
    between = Ca(folder, "Between", ca, extensions)
    alice = between.sign("alice")
    equal(ask(t, bed(t, ca, "IGNORE_CA_ERROR"), alice).status, 200, "good")
    ca.revoke(between.others[0])
    refused(ask(t, bed(t, ca, "IGNORE_CA_ERROR"), alice))


# ---- of our own certificates (stapling)

STAPLED = "OCSP Response Status: successful"


def stapling(t, ca, certificate, **settings):
    upstream = t.upstream()
    text = documented(upstream.port, [(["a.example"], (certificate.chain.read_text() + ca.cert, certificate.key))])
    return t.gateway(text, listen=LISTEN, settings={"ssl_stapling": "on", **settings})


def stapled(gateway, *more, name="a.example"):
    return subprocess.run([need("openssl"), "s_client", "-connect", f"127.0.0.1:{gateway.ports['proxy, TLS']}", "-servername", name,
                           "-status", *more], input="", capture_output=True, text=True, timeout=20).stdout


@test
def what_the_authority_says_is_stapled(t):
    ca = Ca(t.folder())
    one = responder(t, ca)
    certificate = ca.sign("server", "DNS:a.example", extensions=one.extension())
    one.gate.clear()
    gateway = stapling(t, ca, certificate)
    wait_until(lambda: one.questions, "it asks")
    check("OCSP response: no response sent" in stapled(gateway), "a handshake does not wait for it")
    one.gate.set()
    wait_until(lambda: STAPLED in stapled(gateway), "it is stapled")
    for version in ("-tls1_2", "-tls1_3"):
        text = stapled(gateway, version)
        contains(text, STAPLED, version)
        contains(text, "Cert Status: good", version)
    check(STAPLED not in stapled(gateway, name="b.example"), "another certificate has none")
    # It is there at once after a reload, and is not asked for again.
    equal(gateway.reload().returncode, 0, "reload")
    contains(stapled(gateway), STAPLED, "after a reload")
    equal(one.questions, 1, "questions")


@test
def only_what_is_good_is_stapled(t):
    ca = Ca(t.folder())
    for what, prepare in (("revoked", lambda one, certificate: ca.revoke(certificate)),
                          ("garbage", lambda one, certificate: setattr(one, "spoil", lambda answer: b"garbage")),
                          ("of another", lambda one, certificate: setattr(one, "signer", Ca(t.folder(), "Other")))):
        one = responder(t, ca)
        certificate = ca.sign("server", "DNS:a.example", extensions=one.extension())
        prepare(one, certificate)
        gateway = stapling(t, ca, certificate)
        wait_until(lambda: "no OCSP answer to staple" in gateway.log(), what)
        check("no response sent" in stapled(gateway), what)
