"""Requests without a route, malformed and oversized ones. The form of a case is told in forwarding.py."""

NO_ROUTE = "no Route matched with those values"
JSON = "application/json; charset=utf-8"
PLAIN = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"
XML = "application/xml; charset=utf-8"


def json_text(message):
    return '{{\n  "message":"%s",\n  "request_id":"{id}"\n}}' % message


def html_text(message):
    return ('<!doctype html>\n<html>\n  <head>\n    <meta charset="utf-8">\n    <title>Error</title>\n  </head>\n'
            "  <body>\n    <h1>Error</h1>\n    <p>%s.</p>\n    <p>request_id: {id}</p>\n  </body>\n</html>\n" % message)


def xml_text(message):
    return ('<?xml version="1.0" encoding="UTF-8"?>\n<error>\n  <message>%s</message>\n'
            "  <requestid>{id}</requestid>\n</error>\n" % message)


def plain_text(message):
    return message + "\nrequest_id: {id}\n"


TEXTS = {JSON: json_text, PLAIN: plain_text, HTML: html_text, XML: xml_text}


def refused(name, request, status=404, message=NO_ROUTE, media=JSON, **more):
    return {"name": name, "request": request, "status": status, "by": "us", "text": TEXTS[media](message),
            "headers": {"Content-Type": media, **more.pop("headers", {})}, **more}


def by_accept(accept, media):
    return refused(f"no route, Accept: {accept}", f"GET /none\nAccept: {accept}", media=media)


CASES = [
    refused("no route", "GET /none"),
    {**refused("no route, HEAD", "HEAD /none", headers={"Content-Length": "103"}), "text": ""},
    refused("no route, POST with a body", "POST /none\nContent-Length: 3\n\nabc", closes=False),
    by_accept("text/html", HTML), by_accept("application/xml", XML), by_accept("application/json", JSON),
    by_accept("text/plain", PLAIN), by_accept("*/*", JSON), by_accept("text/*", PLAIN), by_accept("image/png", JSON),
    by_accept("application/problem+json", JSON), by_accept("text/html;q=0.1, application/xml;q=0.9", XML),
    by_accept("application/json;q=0, text/html", HTML), by_accept("application/vnd.api+json", JSON),
    refused("no route, gRPC content type without Accept",
            "POST /none\nContent-Type: application/grpc\nTE: trailers\nContent-Length: 0"),
    {"name": "no route, Accept: application/grpc", "request": "GET /none\nAccept: application/grpc", "status": 404,
     "by": "us", "any_type": True,
     "differs": ("Accept: application/grpc over HTTP/1.1", "Kong answers with an empty body and a blank Content-Type",
                 "the JSON error says what is wrong; calls of gRPC come over HTTP/2")},
    refused("method not in the route's", "POST /getonly/x\nContent-Length: 0"),
    {**refused("HEAD on a route for GET", "HEAD /getonly/x", headers={"Content-Length": "103"}), "text": ""},
    refused("OPTIONS on a route for GET", "OPTIONS /getonly/x"),
    refused("http on a route for https", "GET /httpsonly/x", 426, "Please use HTTPS protocol",
            headers={"Upgrade": "TLS/1.2, HTTP/1.1", "Connection": "Upgrade"}),
    refused("http on a route for https, Accept: text/html", "GET /httpsonly/x\nAccept: text/html", 426,
            "Please use HTTPS protocol", HTML, headers={"Upgrade": "TLS/1.2, HTTP/1.1", "Connection": "Upgrade"}),
    {"name": "https_redirect_status_code 301", "request": "GET /httpsredir/x?a=1", "status": 301, "by": "us",
     "headers": {"Location": "https://gw.example/httpsredir/x?a=1"}, "any_type": True,
     "differs": ("body of a redirect", "Kong adds nginx's HTML page", "the Location says it all")},
    refused("host does not match", "GET /hosted/x"),
    {"name": "host matches with port", "request": "GET /hosted/x\nHost: api.example.com:9971", "target": "/base/x",
     "got": {"X-Forwarded-Host": "api.example.com", "X-Forwarded-Prefix": "/hosted"}},
    {"name": "host matches in capitals", "request": "GET /hosted/x\nHost: API.Example.COM", "target": "/base/x",
     "got": {"X-Forwarded-Host": "~(?i)api.example.com", "X-Forwarded-Prefix": "/hosted"},
     "differs": ("host names in capitals", "Kong compares them byte by byte: 404",
                 "RFC 9110 4.2.3: host names are compared without regard to case")},
    {"name": "host with a trailing dot", "request": "GET /hosted/x\nHost: api.example.com.", "target": "/base/x",
     "got": {"X-Forwarded-Host": "~api.example.com.?", "X-Forwarded-Prefix": "/hosted"},
     "differs": ("host names with a trailing dot", "Kong does not match them: 404", "it is the same name, written in full")},
    {"name": "wildcard host", "request": "GET /hosted/x\nHost: a.b.wild.example.com", "target": "/base/x",
     "got": {"X-Forwarded-Host": "a.b.wild.example.com", "X-Forwarded-Prefix": "/hosted"}},
    refused("the wildcard's own name", "GET /hosted/x\nHost: wild.example.com"),
    refused("header missing", "GET /hdr/x"),
    refused("header with another value", "GET /hdr/x\nX-Version: 4"),
    {"name": "header matches", "request": "GET /hdr/x\nX-Version: 3", "target": "/base/x",
     "got": {"X-Version": "3", "X-Forwarded-Prefix": "/hdr"}},
    refused("disabled service", "GET /disabled"),
    refused("route without a service", "GET /noservice/x", 503, "no Service found with those values"),
]


def bad(name, request, status=400, message="Bad request", **more):
    return refused(name, request, status, message, PLAIN, closes=True, **more)


BIG = "X-Big: " + "a" * 9000
MANY_BIG = "\n".join(f"X-B{i}: " + "a" * 4000 for i in range(10))
TOO_LARGE = "Request header or cookie too large"
ABOUT_431 = ("status of too large header fields", "Kong answers 400",
             "RFC 6585 5: 431; `header_too_large_status = 400` is Kong's")
STRICT = "RFC 9112: refused, since readers that disagree about it are how requests are smuggled"

MALFORMED = [
    bad("garbage", b"hello\r\n\r\n"),
    bad("no Host in HTTP/1.1", "GET /plain/x", host=None),
    bad("two Host fields", b"GET /plain/x HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    bad("empty Host", b"GET /plain/x HTTP/1.1\r\nHost:\r\n\r\n"),
    bad("blank in Host", "GET /plain/x\nHost: a b"),
    bad("HTTP/2.0 in the request line", "GET /plain/x HTTP/2.0", 505, "HTTP version not supported",
        differs=("body of 501 and 505", "Kong sends nginx's HTML pages", "all errors have one form, chosen by Accept")),
    {"name": "HTTP/1.2", "request": "GET /plain/x HTTP/1.2", "target": "/base/x",
     "differs": ("Via of an HTTP/1.2 request", "Kong leaves the version out", "RFC 9110 2.5: it is processed as 1.1")},
    bad("HTTP/0.9", b"GET /plain/x\r\n\r\n",
        differs=("HTTP/0.9 requests", "Kong serves them", "a request without version has no Host and no framing: 400")),
    bad("header line without colon", "GET /plain/x\nbad", differs=("header line without a colon", "Kong reads an empty field", STRICT)),
    bad("blank before the colon", "GET /plain/x\nX-A : 1"),
    bad("folded header", b"GET /plain/x HTTP/1.1\r\nHost: a\r\nX-A: 1\r\n 2\r\n\r\n"),
    bad("NUL in a header value", "GET /plain/x\nX-A: 1\x002"),
    bad("control character in a header name", "GET /plain/x\nX-\x01A: 1"),
    bad("bare LF line ends", b"GET /plain/x HTTP/1.1\nHost: a\n\n", differs=("lines that end with LF alone", "Kong accepts them", STRICT)),
    bad("Content-Length twice, different", "POST /plain/x\nContent-Length: 1\nContent-Length: 2\n\nab"),
    bad("Content-Length twice, equal", "POST /plain/x\nContent-Length: 2\nContent-Length: 2\n\nab"),
    bad("Content-Length with a sign", "POST /plain/x\nContent-Length: +2\n\nab"),
    bad("Content-Length and Transfer-Encoding", "POST /plain/x\nContent-Length: 5\nTransfer-Encoding: chunked\n\n0\r\n\r\n"),
    bad("Transfer-Encoding: gzip, chunked", "POST /plain/x\nTransfer-Encoding: gzip, chunked\n\n0\r\n\r\n", 501, "Not implemented"),
    bad("Transfer-Encoding: identity", "POST /plain/x\nTransfer-Encoding: identity", 501, "Not implemented", any_refusal=True),
    bad("Transfer-Encoding in HTTP/1.0", "POST /plain/x HTTP/1.0\nTransfer-Encoding: chunked\n\n0\r\n\r\n"),
    {"name": "bad chunk size", "request": "POST /plain/x\nTransfer-Encoding: chunked\n\nzz\r\nabc\r\n0\r\n\r\n", "status": 400,
     "by": "any", "text": "Bad request\nrequest_id: {id}\n", "closes": True},
    bad("header line of 9000 bytes", "GET /plain/x\n" + BIG, 431, TOO_LARGE, differs=ABOUT_431),
    bad("40 KB of header lines", "GET /plain/x\n" + MANY_BIG, 431, TOO_LARGE, differs=ABOUT_431),
    bad("target of 9000 bytes", "GET /plain/a" + "x" * 9000, 414, "URI too long"),
    {"name": "200 header lines", "request": "GET /plain/x\n" + "\n".join(f"X-{i}: 1" for i in range(200)), "target": "/base/x",
     "got": {f"X-{i}": "1" for i in range(200)}},
]
