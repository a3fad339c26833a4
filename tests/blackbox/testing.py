"""The small test framework of these tests: the registry, the checks, and what one test may use.

A test is a function that takes a Context and raises on failure. Everything it starts through the Context (gateways,
upstreams, clients, folders) ends with it; what it shares with others of its module ends with the module. Nothing waits
without a deadline, and nothing sleeps to let something happen: conditions are polled."""

import os
import pathlib
import shutil
import tempfile
import time

TESTS = {}  # module -> list of Test


class Failure(Exception):
    """What was expected and what was there instead."""


class Skip(Exception):
    """Why a test could not run here."""


class Test:
    def __init__(self, name, function, seconds, loops):
        self.name = name
        self.function = function
        self.seconds = seconds
        self.loops = loops


def add(module, name, function, seconds=30, loops=("uring", "epoll")):
    TESTS.setdefault(module, []).append(Test(name, function, seconds, loops))


def test(function=None, *, seconds=30, loops=("uring", "epoll")):
    """Registers a function of a test module; its name, with spaces, is the test's."""
    def register(one):
        add(one.__module__, one.__name__.replace("_", " "), one, seconds, loops)
        return one
    return register(function) if function else register


# ---- checks

def shown(value):
    text = repr(value)
    return text if len(text) <= 1500 else text[:1000] + f" ... ({len(text)} characters) ... " + text[-300:]


def check(condition, what):
    if not condition:
        raise Failure(what)


def equal(actual, expected, what):
    if actual != expected:
        raise Failure(f"{what}: expected {shown(expected)}, got {shown(actual)}")


def contains(text, part, what):
    if part not in text:
        raise Failure(f"{what}: expected {shown(part)} in {shown(text)}")


def wait_until(condition, what, seconds=10):
    """Polls until the condition is true, and answers its value."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failure(f"not within {seconds} s: {what}")
        time.sleep(0.005)


def need(program):
    """The path of an outside program; the test is skipped where it is missing."""
    path = shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin:/usr/local/sbin")
    if path is None:
        raise Skip(f"no {program}")
    return path


# ---- what a test uses

class Context:
    """Starts things and ends them. `loop` is the loop that gateways of this test run on."""

    def __init__(self, loop, shared=None):
        self.loop = loop
        self._shared = shared if shared is not None else {}
        self._things = []
        self.gateways = []
        self.speaks_http2 = False  # the clients that it starts

    def own(self, thing):
        self._things.append(thing)
        return thing

    def folder(self):
        path = pathlib.Path(tempfile.mkdtemp(prefix="cardea-test-"))
        self.own(_Folder(path))
        return path

    def gateway(self, document, **options):
        import harness
        gateway = harness.Gateway(document, loop=self.loop, folder=self.folder(), **options)
        self.own(gateway)
        self.gateways.append(gateway)
        gateway.start()
        return gateway

    def upstream(self, answer=None, **options):
        import upstream
        return self.own(upstream.Upstream(answer or upstream.echo, **options))

    def client(self, gateway, **options):
        import client
        import http2_client
        port = gateway if isinstance(gateway, int) else gateway.port
        kind = http2_client.Http2Client if self.speaks_http2 and not isinstance(gateway, int) else client.Client
        return self.own(kind(port, **options))

    def shared(self, key, make):
        """What make(context) answers; made once for all tests of the module on this loop, and again if it has died."""
        owner, made = self._shared.get(key, (None, None))
        if owner is None or any(not gateway.is_alive() for gateway in owner.gateways):
            if owner is not None:
                owner.end()
            owner = Context(self.loop, self._shared)
            self._shared[key] = (owner, None)
        try:
            if made is None or self._shared[key][1] is None:
                made = make(owner)
                self._shared[key] = (owner, made)
        finally:  # the log of one that did not start is wanted, too
            self.gateways += [gateway for gateway in owner.gateways if gateway not in self.gateways]
        return made

    def check_gateways(self):
        for gateway in self.gateways:
            gateway.check_alive()

    def end(self):
        for thing in reversed(self._things):
            thing.end()
        self._things = []


class _Folder:
    def __init__(self, path):
        self.path = path

    def end(self):
        if not os.environ.get("CARDEA_KEEP_FOLDERS"):
            shutil.rmtree(self.path, ignore_errors=True)
