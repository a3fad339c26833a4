"""What is forwarded, and how.

A case: name, request (lines; HTTP/1.1 and `Host: gw.example` are added; bytes are sent as they are), and what is
expected:
  status    200 unless given
  by        upstream (the default): passed on from there; us: made by the gateway; failed: made after an attempt
  target    what the upstream got as target; `method` and `version` likewise
  got       header fields that the upstream got beyond the usual ones, or instead of them; None: not there
  body      what the upstream got as body
  headers   header fields of the answer beyond the usual ones of `by`; None: not there
  text      the answer's body; {id} is the request id
  closes    whether the connection is closed after it
  differs   where Kong answers otherwise, and why we do not; docs/kong-differences.md is made of these
"""

CASES = [
    {"name": "GET with strip_path under a service path", "request": "GET /plain/x?y=1&y=2&z\nX-Custom: 1",
     "target": "/base/x?y=1&y=2&z",
     "got": {"X-Forwarded-Path": "/plain/x", "X-Forwarded-Prefix": "/plain", "X-Custom": "1"}},
    {"name": "strip_path false", "request": "GET /nostrip/x", "target": "/base/nostrip/x",
     "got": {"X-Forwarded-Path": "/nostrip/x", "X-Forwarded-Prefix": None}},
    {"name": "path equal to the route's", "request": "GET /plain", "target": "/base"},
    {"name": "trailing slash", "request": "GET /plain/", "target": "/base/"},
    {"name": "prefix without a segment border", "request": "GET /plainfoo", "target": "/base/foo"},
    {"name": "preserve_host", "request": "GET /preserve/x\nHost: Gw.Example:8080", "target": "/base/x",
     "got": {"Host": "Gw.Example:8080", "X-Forwarded-Host": "~(?i)gw.example", "X-Forwarded-Prefix": "/preserve"}},
    {"name": "path_handling v1 counts as v0", "request": "GET /v1/x", "target": "/base/x"},
    {"name": "regex route with strip_path", "request": "GET /rx/ab/12/tail", "target": "/base/tail",
     "got": {"X-Forwarded-Prefix": "/rx/ab/12"}},
    {"name": "HEAD", "request": "HEAD /plain/x", "method": "HEAD", "target": "/base/x", "head_only": True},
    {"name": "unknown method", "request": "FOO /plain/x", "method": "FOO", "target": "/base/x"},
    {"name": "lower-case method", "request": "get /plain/x", "status": 400, "by": "us", "closes": None,
     "text": "Bad request\nrequest_id: {id}\n"},
    {"name": "TRACE", "request": "TRACE /plain/x", "status": 405, "by": "us", "closes": None,
     "text": "Method not allowed\nrequest_id: {id}\n"},
    {"name": "CONNECT", "request": "CONNECT example.com:443", "status": 400, "by": "us", "closes": None},
    {"name": "OPTIONS of the server", "request": "OPTIONS *", "status": 400, "by": "us", "closes": None},
    {"name": "POST with a body", "request": "POST /plain/x\nContent-Type: application/json\nContent-Length: 7\n\n{\"a\":1}",
     "method": "POST", "target": "/base/x", "got": {"Content-Length": "7", "Content-Type": "application/json"},
     "body": "{\"a\":1}"},
    {"name": "POST in chunks with an extension", "method": "POST", "target": "/base/x", "body": "abcde",
     "request": "POST /plain/x\nTransfer-Encoding: chunked\n\n3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\n\r\n",
     "got": {"Transfer-Encoding": "chunked"},
     "differs": ("Content-Length of a chunked request", "Kong waits for the whole body and sends its length",
                 "bodies are streamed: a chunked one stays chunked")},
    {"name": "GET with a body", "request": "GET /plain/x\nContent-Length: 2\n\nhi", "target": "/base/x", "body": "hi",
     "got": {"Content-Length": "2"}},
    {"name": "absolute-form target", "request": "GET http://other.example/plain/x", "target": "/base/x",
     "got": {"X-Forwarded-Host": "other.example", "X-Forwarded-Path": "/plain/x", "X-Forwarded-Prefix": "/plain"}},
    {"name": "HTTP/1.0 with keep-alive", "request": "GET /plain/x HTTP/1.0\nConnection: keep-alive", "target": "/base/x",
     "got": {"Via": "1.0 {product}"}, "headers": {"Connection": "keep-alive"},
     "differs": ("Via of an HTTP/1.0 request", "Kong writes `1`", "RFC 9110 7.6.3: the version is 1.0")},
    {"name": "HTTP/1.0 without Host", "request": "GET /plain/x HTTP/1.0", "host": None, "target": "/base/x",
     "got": {"Via": "1.0 {product}", "X-Forwarded-Host": "~.*"}, "headers": {"Connection": "close"}, "closes": True,
     "differs": ("X-Forwarded-Host of a request without Host", "Kong sends its own server name, `kong`",
                 "the client named no host: the field says nothing that was not said")},
    {"name": "Connection: close", "request": "GET /plain/x\nConnection: close", "target": "/base/x",
     "headers": {"Connection": "close"}, "closes": True},
    {"name": "hop-by-hop request fields", "target": "/base/x",
     "request": "GET /plain/x\nConnection: X-Foo, keep-alive\nX-Foo: 1\nKeep-Alive: timeout=3\nTE: trailers, gzip\n"
                "Proxy-Authorization: Basic eA==\nProxy-Connection: keep-alive\nTrailer: X-T\nUpgrade: h2c",
     "got": {"TE": "trailers", "Proxy-Authorization": "Basic eA==", "X-Foo": None, "Keep-Alive": None,
             "Proxy-Connection": None, "Upgrade": None, "Trailer": None},
     "differs": ("Trailer of a request", "Kong passes the field on, and drops the trailers",
                 "trailers are passed on, and the field without them would say what is not so")},
    {"name": "a client cannot nominate our fields away", "target": "/base/x",
     "request": "GET /plain/x\nConnection: X-Real-IP, X-Forwarded-For, X-Forwarded-Proto, X-Kong-Request-Id, Via, Host, close, X-Own\n"
                "X-Own: 1\nX-Real-IP: 6.6.6.6", "headers": {"Connection": "close"}, "closes": True, "got": {"X-Own": None}},
    {"name": "WebSocket upgrade that the upstream ignores", "target": "/base/x",
     "request": "GET /plain/x\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n"
                "Sec-WebSocket-Version: 13",
     "got": {"Upgrade": "websocket", "Connection": "keep-alive, Upgrade",
             "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version": "13"}},
    {"name": "forwarding fields of a client that is not trusted", "target": "/base/x",
     "request": "GET /plain/x\nX-Forwarded-For: 1.2.3.4\nX-Forwarded-Proto: https\nX-Forwarded-Host: h\n"
                "X-Forwarded-Port: 1\nX-Forwarded-Path: /p\nX-Forwarded-Prefix: /q\nX-Real-IP: 9.9.9.9\nVia: 1.0 fred\n"
                "X-Kong-Request-Id: mine\nForwarded: for=1.1.1.1",
     "got": {"Via": "1.0 fred, 1.1 {product}", "X-Forwarded-For": "1.2.3.4, 127.0.0.1", "Forwarded": "for=1.1.1.1"}},
    {"name": "underscore, several fields of one name, empty value", "target": "/base/x",
     "request": "GET /plain/x\nX_Under: 1\nX-Dup: 1\nX-Dup: 2\nX-Empty:\nCookie: a=1\nCookie: b=2",
     "got": {"X_Under": "1", "X-Dup": ["1", "2"], "X-Empty": "", "Cookie": ["a=1", "b=2"]}},
    {"name": "case of field names", "target": "/base/x", "request": "GET /plain/x\nx-lower: 1\nX-UPPER: 2", "exact_case": True,
     "got": {"x-lower": "1", "X-UPPER": "2"}},
    {"name": "hop-by-hop response fields, two cookies, Via", "request": "GET /plain/x?hop=1&cookie=1&via=1",
     "target": "/base/x?hop=1&cookie=1&via=1",
     "headers": {"Proxy-Authenticate": "Basic", "Set-Cookie": ["a=1; Path=/", "b=2"],
                 "Via": "1.1 inner, 1.1 {product}", "X-Hop": None, "Keep-Alive": None, "Upgrade": None,
                 "Trailer": None}},
    {"name": "answer in chunks", "request": "GET /plain/x?chunked=1", "target": "/base/x?chunked=1",
     "headers": {"Transfer-Encoding": "chunked", "Content-Length": None}},
    {"name": "204 of the upstream", "request": "GET /plain/x?status=204", "status": 204, "text": "",
     "headers": {"Content-Length": None}},
    {"name": "304 of the upstream", "request": "GET /plain/x?status=304", "status": 304, "text": "",
     "headers": {"Content-Length": None}},
    {"name": "500 of the upstream passes unchanged", "request": "GET /plain/x?status=500", "status": 500,
     "target": "/base/x?status=500"},
    {"name": "302 of the upstream passes unchanged", "request": "GET /plain/x?status=302", "status": 302,
     "target": "/base/x?status=302"},
    {"name": "regex route before prefix route", "request": "GET /api/v1/pets/42", "target": "/api/v1/pets/42"},
]

# As received -> as the upstream gets it; the field X-Forwarded-Path keeps the raw form.
PATHS = [
    ("/plain//x", "/base/x"), ("//plain/x", "/base/x"), ("/plain/./x", "/base/x"), ("/plain/a/../x", "/base/x"),
    ("/plain/../nostrip/x", "/base/nostrip/x"), ("/plain/%2e%2e/nostrip/y", "/base/nostrip/y"),
    ("/%70lain/x", "/base/x"), ("/plain/a%2Fb", "/base/a%2Fb"), ("/plain/a%2fb%20c", "/base/a%2Fb%20c"),
    ("/plain/%7Euser/%41", "/base/~user/A"), ("/plain/a b", 400), ("/plain/\xe9", 404),
    ("/plain/%C3%A9", "/base/%C3%A9"), ("/plain/%", 400), ("/plain/%zz", 400),
    ("/plain/x?a=%41&b=../..//c", "/base/x?a=%41&b=../..//c"), ("/plain/;v=1/x", "/base/;v=1/x"),
    ("/../../etc", 400), ("/plain/x??a", "/base/x??a"), ("/plain/%00", 400), ("/PLAIN/x", 404),
    # Beyond what was observed: nothing decodes into another message, another path, or twice.
    ("/plain/%0d%0aX:%20y", "/base/%0D%0AX:%20y"), ("/plain/a%3Fb=c", "/base/a%3Fb=c"), ("/plain/%23x", "/base/%23x"),
    ("/plain/%25%32%65%25%32%65/x", "/base/%252e%252e/x"), ("/plain/a%2F..b", "/base/a%2F..b"),
    ("/plain/x?a=%0d%0aX:%20y", "/base/x?a=%0d%0aX:%20y"), ("/plain/x?", "/base/x?"), ("/plain//", "/base/"),
    ("/plain/.", "/base/"), ("/plain/a/..", "/base/"), ("/plain/...", "/base/..."), ("/plain/x?a|b^{c}", "/base/x?a|b^{c}"),
    *((path, 400, ("dot segments that end at `%2F`, a backslash or `;`", "Kong passes them on",
                   "many servers read them as a way up, past the route and its authentication: 400"))
      for path in ("/plain/..%2Fnostrip", "/plain/..\\nostrip", "/plain/..;/nostrip", "/plain/.%2Fx", "/plain/a%5c..")),
    ("/plain/x#frag", 400,
     ("'#' in a target", "Kong passes it on", "RFC 9112 3.2: a fragment is no part of a request target")),
]
