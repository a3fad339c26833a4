"""Failing upstreams. The form of a case is told in forwarding.py; `tries` is how often the upstream saw the request."""

from cases.refused import HTML, JSON, PLAIN, TEXTS, XML

INVALID = "An invalid response was received from the upstream server"
TIMING_OUT = "The upstream server is timing out"


def failed(name, request, status=502, message=INVALID, media=PLAIN, by="failed", **more):
    return {"name": name, "request": request, "status": status, "by": by, "text": TEXTS[media](message),
            "headers": {"Content-Type": media}, **more}


CASES = [
    failed("connection refused", "GET /down"),
    failed("connection refused, Accept: text/html", "GET /down\nAccept: text/html", media=HTML),
    failed("connection refused, Accept: application/xml", "GET /down\nAccept: application/xml", media=XML),
    {**failed("connection refused, HEAD", "HEAD /down"), "text": ""},
    failed("connection refused, POST", "POST /down\nContent-Length: 1\n\nx"),
    failed("connection refused, POST of JSON", "POST /down\nContent-Type: application/json\nContent-Length: 2\n\n{}", media=JSON),
    failed("name does not resolve", "GET /nodns", 503, "name resolution failed", JSON, "us"),
    failed("the only target refuses", "GET /lb"),
    failed("upstream without targets", "GET /lb-empty", 503, "failure to get a peer from the ring-balancer", JSON, "us"),
    failed("read timeout, GET", "GET /plain/x?sleep=5", 504, TIMING_OUT, tries=3),
    failed("read timeout, POST", "POST /plain/x?sleep=5\nContent-Length: 1\n\nx", 504, TIMING_OUT, tries=1),
    failed("read timeout, Accept: text/html", "GET /plain/x?sleep=5\nAccept: text/html", 504, TIMING_OUT, HTML, tries=3),
    failed("closed without an answer", "GET /plain/x?close=1", tries=3),
    failed("closed without an answer, POST", "POST /plain/x?close=1\nContent-Length: 1\n\nx", tries=1),
    failed("garbage for an answer", "GET /plain/x?garbage=1",
           differs=("an upstream that does not speak HTTP", "Kong passes its bytes on as HTTP/0.9",
                    "502: nothing of it is a response")),
]
