"""Other tests again, with clients that speak HTTP/2 (by prior knowledge): the upstream must see the same message, and the
client the same answer."""

import importlib

import testing

# What these test is of HTTP/1.1 itself, or they look at the case of names.
EXCLUDED = {
    "big head in both directions", "chunked both ways with trailers", "identity in trailers does not pass",
    "cors marks answers of the upstream and of ours", "cors answers preflights", "request transformer changes everything",
    "http 1 0 upstream", "forwarding: underscore, several fields of one name, empty value",
    # The signature covers "HTTP/1.1".
    "hmac auth",
    # A cookie of 1 MB: the connection ends, which test_http2 sees.
    "large and odd requests are refused as others",
    # Such a call has a status of gRPC, which test_grpc sees.
    "no route: no route, gRPC content type without Accept",
    # Streams run beside each other: there is no order to keep.
    "pipelining ends with close",
    # python3-h2 takes no answer after a GOAWAY.
    "many requests on one connection then close",
}
HTTP1_ONLY = ("malformed: ",)
# Of these modules, only what is not about HTTP/1.1 connections.
ONLY = {"test_attacks": {
    "a protected prefix has no other spelling", "dot segments that only others would see are refused",
    "ambiguous paths may be refused altogether", "what is encoded twice is decoded by nobody"}}
MODULES = ["test_attacks", "test_auth", "test_balancing", "test_bodies", "test_cache", "test_grpc_web", "test_identity",
           "test_jwks", "test_kong", "test_log_plugins", "test_plugins", "test_routes", "test_transforms", "test_upstream_faults"]


def over_http2(module, function):
    def run(t):
        t.speaks_http2 = True
        shared = t.shared
        t.shared = lambda key, make: shared((module, key), make)
        return function(t)
    return run


for _module in MODULES:
    importlib.import_module(_module)
    for _test in testing.TESTS[_module]:
        if _test.name in ONLY.get(_module, {_test.name}) - EXCLUDED and not _test.name.startswith(HTTP1_ONLY):
            testing.add("test_over_http2", f"{_module.removeprefix('test_')}: {_test.name}", over_http2(_module, _test.function),
                        seconds=_test.seconds, loops=("uring",))
