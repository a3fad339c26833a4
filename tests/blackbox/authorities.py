"""A certificate authority of OpenSSL's, with its database: it signs, takes back, publishes lists and answers by OCSP."""

import http.server
import subprocess
import tempfile
import threading

from testing import equal, need

CONFIG = """
[ca]
default_ca = it
[it]
database = {folder}/index.txt
new_certs_dir = {folder}
serial = {folder}/serial
crlnumber = {folder}/crlnumber
certificate = {folder}/ca.pem
private_key = {folder}/ca.key
default_md = sha256
default_days = 1
default_crl_days = 1
policy = any
unique_subject = no
[any]
commonName = optional
organizationName = optional
[req]
distinguished_name = name
[name]
"""


def openssl(*arguments, cwd=None):
    finished = subprocess.run([need("openssl"), *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=20)
    equal(finished.returncode, 0, f"openssl {arguments[0]}: {finished.stderr}")
    return finished.stdout


class Certificate:
    def __init__(self, path, key, others=()):
        self.path, self.key_path, self.others = path, key, list(others)
        self.cert = path.read_text()
        self.key = key.read_text()
        self.chain = path.with_suffix(".chain")
        self.chain.write_text("".join([self.cert, *(other.cert for other in self.others)]))

    def der(self):
        return subprocess.run([need("openssl"), "x509", "-in", self.path, "-outform", "DER"], capture_output=True, check=True).stdout


class Ca:
    """`parent` signs it; without one it signs itself."""

    def __init__(self, folder, name="Test root", parent=None, extensions=None):
        self.folder = folder / name.replace(" ", "-")
        self.folder.mkdir()
        self.number = 0
        self.config = self.folder / "ca.cnf"
        self.config.write_text(CONFIG.format(folder=self.folder))
        for file, text in (("index.txt", ""), ("serial", "1000\n"), ("crlnumber", "01\n")):
            (self.folder / file).write_text(text)
        extensions = extensions or "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign,digitalSignature\n"
        self.path, self.key_path = self.folder / "ca.pem", self.folder / "ca.key"
        if parent is None:
            openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.key_path,
                    "-out", self.path, "-days", "2", "-subj", f"/CN={name}", "-config", self.config,
                    *(part for line in extensions.splitlines() for part in ("-addext", line)))
            self.others = []
        else:
            made = parent.sign(name, extensions=extensions)
            self.path.write_text(made.cert)
            self.key_path.write_text(made.key)
            self.others = [self, *parent.others] if parent.others else [self]
        self.cert = self.path.read_text()

    def sign(self, name, names="", extensions="", start=None, end=None, key="ec", subject=None):
        self.number += 1
        base = self.folder / f"c{self.number}"
        kind = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"] if key == "ec" else [key]
        openssl("req", "-newkey", *kind, "-nodes", "-keyout", f"{base}.key", "-out", f"{base}.csr", "-subj",
                subject or f"/CN={name}", "-config", self.config)
        lines = extensions or "basicConstraints=CA:FALSE\n"
        if names:
            lines += f"subjectAltName={names}\n"
        base.with_suffix(".ext").write_text(lines)
        dates = [*(("-startdate", start) if start else ()), *(("-enddate", end) if end else ())]
        openssl("ca", "-batch", "-notext", "-preserveDN", "-config", self.config, "-in", f"{base}.csr", "-out", f"{base}.pem", "-extfile",
                f"{base}.ext", *dates)
        return Certificate(base.with_suffix(".pem"), base.with_suffix(".key"), self.others)

    def revoke(self, certificate):
        openssl("ca", "-config", self.config, "-revoke", certificate.path)

    def crl(self, hours=24):
        out = self.folder / "list.crl"
        openssl("ca", "-config", self.config, "-gencrl", "-crlhours", hours, "-out", out)
        return out


class Responder:
    """Answers POSTs by OCSP with `openssl ocsp`, and GETs with what stands in `files`; counts both. `spoil` changes answers."""

    def __init__(self, ca=None, signer=None, minutes=5):
        self.ca, self.signer, self.minutes = ca, signer, minutes
        self.questions, self.fetches, self.files = 0, 0, {}
        self.spoil = lambda answer: answer
        self.gate = threading.Event()
        self.gate.set()
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                owner.questions += 1
                question = self.rfile.read(int(self.headers["Content-Length"]))
                owner.gate.wait(20)
                self.answer(owner.spoil(owner.asked(question)), "application/ocsp-response")

            def do_GET(self):
                owner.fetches += 1
                body = owner.files.get(self.path)
                if body is None:
                    return self.send_error(404)
                self.answer(body, "application/pkix-crl")

            def answer(self, body, kind):
                try:
                    self.send_response(200)
                    self.send_header("Content-Type", kind)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:
                    pass  # it has given up

            def log_message(self, *arguments):
                pass
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def asked(self, question):
        with tempfile.TemporaryDirectory() as folder:
            asked, answered = f"{folder}/q", f"{folder}/a"
            with open(asked, "wb") as out:
                out.write(question)
            signer = self.signer or self.ca
            openssl("ocsp", "-index", self.ca.folder / "index.txt", "-CA", self.ca.path, "-rsigner", signer.path, "-rkey",
                    signer.key_path, "-reqin", asked, "-respout", answered, "-nmin", self.minutes)
            with open(answered, "rb") as file:
                return file.read()

    def end(self):
        self.gate.set()
        self.server.shutdown()
        self.server.server_close()

    def extension(self, lists=()):
        """For certificates that are to name it."""
        points = ",".join(f"URI:{self.url}{path}" for path in lists)
        return (f"basicConstraints=CA:FALSE\nauthorityInfoAccess=OCSP;URI:{self.url}/\n" +
                (f"crlDistributionPoints={points}\n" if points else ""))
