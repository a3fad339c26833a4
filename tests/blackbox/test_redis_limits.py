"""What passes over two and three gateways that count in Redis: exactly the limit when Redis is asked on every request,
and at most what docs/redis.md says otherwise. With one Redis, with Sentinels, with a cluster whose slots move."""

import time

from redis_servers import Asking, Cluster, Redis, Watched, at_the_start_of, limited, need_programs, slot_of
from testing import check, equal, test, wait_until
from upstream import answer

HOUR = 3600
TIMEOUT = 0.3  # of `limited`


def fast(exchange):
    exchange.send(answer(b"ok"))


def gateways_of(t, count, redis, **options):
    up = t.upstream(fast)
    return [t.gateway(limited(up.port, redis, **options), workers=2) for _ in range(count)]


def host(redis):
    return f"host: 127.0.0.1, port: {redis.port}"


def failures(gateways):
    return sum(gateway.metric("cardea_rate_limiting_redis_failures_total") for gateway in gateways)


@test(seconds=60)
def asked_on_every_request_exactly_the_limit_passes(t):
    at_the_start_of(HOUR)
    redis = t.own(Redis(t.folder()))
    gateways = gateways_of(t, 3, host(redis), limits="hour: 300, day: 100000")
    asking = Asking(gateways, threads=4, until=429).all()
    equal(asking.statuses[200], 300, f"passed over three gateways, of {asking.count} at the same time: {asking.statuses}")
    equal(failures(gateways), 0, "Redis was always there")


@test(seconds=60)
def with_sync_rate_no_more_passes_than_two_exchanges_let(t):
    """After the instant at which the limit was reached over all nodes, each node tells and learns within two exchanges; one
    that starts later, within its first."""
    at_the_start_of(HOUR)
    redis = t.own(Redis(t.folder()))
    limit, sync_rate = 1000, 0.1
    gateways = gateways_of(t, 3, host(redis), limits=f"hour: {limit}", more=f", sync_rate: {sync_rate}")
    asking = Asking(gateways, threads=2, until=429).all()
    passed = sorted(asking.passed)
    over = len(passed) - limit
    check(over >= 0, f"{len(passed)} passed of {limit}")
    bound = 2 * (sync_rate + TIMEOUT)
    late = passed[-1] - passed[limit - 1]
    check(late <= bound, f"a request passed {late:.3f} s after the limit was reached, at most {bound} s are right")
    check(len(passed) <= 3 * limit, f"{len(passed)} passed: a node went over its own limit")
    wait_until(lambda: redis.counted() == len(passed), f"Redis knows of all that passed: {redis.counted()} of {len(passed)}")
    late = gateways_of(t, 1, host(redis), limits=f"hour: {limit}", more=f", sync_rate: {sync_rate}")
    passed = sorted(Asking(late, threads=1, until=429).all().passed)
    check(passed and passed[-1] - passed[0] <= sync_rate + 2 * TIMEOUT, f"{len(passed)} passed a gateway that came late")
    check(len(passed) < limit, f"{len(passed)} passed: it never asked Redis")


@test(seconds=60)
def an_outage_gives_each_gateway_a_count_of_its_own(t):
    at_the_start_of(HOUR)
    redis = t.own(Redis(t.folder()))
    gateways = gateways_of(t, 2, host(redis), limits="hour: 40")
    equal(Asking(gateways, until=429).all().statuses[200], 40, "with Redis")
    redis.end()
    lost = Asking(gateways, until=429).all()
    equal(lost.statuses[200], 2 * 40, f"without it each node lets its own count pass: {lost.statuses}")
    check(failures(gateways) > 0, "the metric says so")
    redis.start()
    wait_until(lambda: Asking(gateways, until=429).all() and redis.counted() > 0, "Redis counts again")


@test(seconds=60, loops=("epoll",))
def sentinels_name_the_server_and_exactly_the_limit_passes(t):
    need_programs()
    at_the_start_of(HOUR)
    group = Watched(t)
    gateways = gateways_of(t, 2, group.config(), limits="hour: 300")
    equal(Asking(gateways, until=429).all().statuses[200], 300, "passed over two gateways")
    # The master hangs, then dies, under load: each request is answered, at last by a count in the new master.
    spacious = gateways_of(t, 2, group.config())
    asking = Asking(spacious)
    asking.more()
    group.servers[0].pause()
    wait_until(lambda: group.is_promoted(group.servers[1]), "the Sentinels fail over", 20)
    before = group.servers[1].counted()
    wait_until(lambda: group.servers[1].counted() > before + 100, "the new master counts", 20)
    equal(set(asking.end().statuses), {200}, "what came while Redis failed over")
    check(asking.longest < 2, f"a request took {asking.longest:.2f} s")
    check(failures(spacious) > 0, "the metric says that requests were counted locally")


@test(seconds=90, loops=("epoll",))
def a_cluster_counts_exactly_while_slots_move(t):
    need_programs()
    at_the_start_of(HOUR)
    cluster = Cluster(t)
    gateways = gateways_of(t, 3, cluster.config(), limits="hour: 1500, day: 1500")
    asking = Asking(gateways, until=429)
    asking.more(50)
    key = next(key for server in cluster.masters() for key in server.keys("*ratelimit:*"))
    moves = 0
    while any(thread.is_alive() for thread in asking.threads) and moves < 12:
        owner = cluster.owner(slot_of(key))
        masters = cluster.masters()
        cluster.move(slot_of(key), masters[(masters.index(owner) + 1) % 3])
        moves += 1
    asking.all()
    check(moves >= 2, f"too few slots moved under load to mean anything: {moves}")
    equal(failures(gateways), 0, f"requests that could not be counted in Redis, over {moves} moves")
    equal(asking.statuses[200], 1500, f"passed over three gateways while the slot moved {moves} times")
    # A master dies under load.
    spacious = gateways_of(t, 3, cluster.config())
    asking = Asking(spacious, threads=1)
    asking.more()
    key = next(key for server in cluster.masters() for key in server.keys("*ratelimit:*:minute"))
    dying = cluster.owner(slot_of(key))
    dying.end()
    wait_until(lambda: len(cluster.masters()) == 3, "a replica takes over", 20)
    before = cluster.counted()
    wait_until(lambda: cluster.counted() > before + 100, "the cluster counts again", 20)
    equal(set(asking.end().statuses), {200}, "what came while a master was dead")
    check(asking.longest < 2, f"a request took {asking.longest:.2f} s")
    check(failures(spacious) > 0, "the metric says that requests were counted locally")
