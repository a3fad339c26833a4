"""A load that goes on while a test changes what is behind the gateway, and that must not notice."""

import threading

from testing import equal, wait_until


class Load:
    """A client that asks one request after the other, and what went wrong."""

    def __init__(self, t, gateway):
        self.connect = lambda: t.client(gateway)
        self.client = self.connect()
        self.count = 0
        self.failures = []
        self.is_over = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while not self.is_over:
            try:
                status = self.client.get("/load").status
            except Exception as error:  # any: it is reported
                status = repr(error)
            self.count += 1
            if self.count % 5000 == 0:  # before the gateway has had enough requests of one connection
                self.client = self.connect()
            if status != 200:
                self.failures.append(status)
                return

    def end(self):
        self.is_over = True
        self.thread.join(10)
        equal(self.failures, [], f"failures of {self.count} requests")


def moves_to(load, upstreams, others):
    """The load comes to all of the first, and to none of the others any more."""
    def has_moved():
        for each in upstreams + others:
            each.clear()
        count = load.count
        wait_until(lambda: load.count > count + 20 or load.failures, "the load goes on")
        return all(each.requests for each in upstreams) and not any(each.requests for each in others) or load.failures
    wait_until(has_moved, "the load moves")
    equal(load.failures, [], "failures")
