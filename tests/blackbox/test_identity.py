"""Only the gateway says to an upstream who somebody is: a client can neither claim it nor have it taken away."""

from testing import check, equal, test


def document(port):
    return (f'_format_version: "3.0"\nservices:\n- name: s\n  url: http://127.0.0.1:{port}\n  routes: [{{name: r, paths: [/]}}]\n'
            '  plugins:\n  - {name: key-auth}\nconsumers:\n- username: anna\n  keyauth_credentials: [{key: sesame}]\n')


@test
def a_client_cannot_nominate_identity_fields_away(t):
    upstream = t.upstream()
    gateway = t.gateway(document(upstream.port))
    answer = t.client(gateway).get("/", "apikey: sesame", "Connection: X-Consumer-Username, X-Consumer-ID, X-Mine", "X-Mine: 1")
    equal(answer.status, 200, "status")
    seen = repr(upstream.requests[-1]).lower()
    check("x-consumer-username" in seen and "x-consumer-id" in seen, f"the upstream is told who it is: {seen}")
    check("x-mine" not in seen, f"what was nominated ends here: {seen}")


@test
def a_client_cannot_claim_to_be_somebody(t):
    upstream = t.upstream()
    gateway = t.gateway(document(upstream.port))
    equal(t.client(gateway).get("/", "X-Consumer-Username: boss").status, 401, "without a key")
    answer = t.client(gateway).get("/", "apikey: sesame", "X_Consumer_Username: boss", "X-Consumer-Groups: admin", "x-credential-identifier: b")
    equal(answer.status, 200, "status")
    seen = repr(upstream.requests[-1]).lower()
    check("boss" not in seen and "admin" not in seen, f"claims end here: {seen}")
