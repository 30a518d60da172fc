#!/usr/bin/env python3
"""Many connections that ask `bell serve` over the PostgreSQL wire: how long answers take, and whether long questions starve short ones.

    bell serve -p examples/retail --pg 127.0.0.1:15432      (in another shell; a release build)
    pip install 'psycopg[binary]'
    python benches/serve_load.py 127.0.0.1:15432 --connections 200 --seconds 60

Only addresses of this machine are asked. First every connection asks short questions, each as soon as it has its answer; then as long again, while
one in twenty asks a cube of cities, channels and weeks instead. Every answer is compared with the first one to the same question, but for the order of its
rows: an unknown city and all cities together both are NULL.
"""
import argparse, asyncio, ipaddress, statistics, time
from collections import Counter

import psycopg

SHORT = [
    "SELECT region, MEASURE(gmv), MEASURE(conversion) FROM retail.indicators GROUP BY region ORDER BY region",
    "SELECT metric_time__month, MEASURE(gmv) FROM retail.indicators GROUP BY 1 ORDER BY 1",
    "SELECT MEASURE(gmv), MEASURE(aov) FROM retail.indicators WHERE channel = 'online'",
    "SELECT metric_time__month, region, MEASURE(gmv) AT (PREVIOUS YEAR) FROM retail.indicators GROUP BY 1, 2 ORDER BY 1, 2",
]
LONG = ("SELECT city, channel, metric_time__week, MEASURE(gmv), MEASURE(aov), MEASURE(conversion), MEASURE(visitors) FROM retail.indicators "
        "GROUP BY CUBE (city, channel, metric_time__week) ORDER BY 1, 2, 3")


async def ask_on_and_on(connection, questions, until, expected, spent, wrong):
    turn = 0
    while time.monotonic() < until:
        sql = questions[turn % len(questions)]
        turn += 1
        began = time.monotonic()
        try:
            rows = await (await connection.execute(sql)).fetchall()
        except psycopg.Error as error:
            wrong.append(str(error))
            continue
        spent.append(time.monotonic() - began)
        if Counter(rows) != expected[sql]:
            wrong.append(f"another answer to {sql}")


async def phase(name, connections, long, seconds, expected):
    until = time.monotonic() + seconds
    spent, spent_long, wrong = [], [], []
    tasks = [
        ask_on_and_on(connection, *(([LONG], until, expected, spent_long, wrong) if at < long else
                                    (SHORT[at % 4:] + SHORT[:at % 4], until, expected, spent, wrong)))
        for at, connection in enumerate(connections)
    ]
    await asyncio.gather(*tasks)
    for kind, times in (("short", spent), ("long", spent_long)):
        if len(times) > 1:
            cuts = statistics.quantiles(times, n=100)
            print(f"{name:<12}{kind:<7}{len(times):>8} answers  p50 {cuts[49] * 1e3:>7.0f} ms  p99 {cuts[98] * 1e3:>7.0f} ms  longest {max(times) * 1e3:>7.0f} ms")
    print(f"{name:<12}errors and other answers: {len(wrong)}{'  first: ' + wrong[0] if wrong else ''}")
    return not wrong


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address")
    parser.add_argument("--connections", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    asked = parser.parse_args()
    host, _, port = asked.address.rpartition(":")
    if not ipaddress.ip_address(host.strip("[]")).is_loopback:
        parser.error("only this machine is asked")
    connect = lambda: psycopg.AsyncConnection.connect(f"host={host} port={port} user=load dbname=bell", autocommit=True)
    connections = [await connect() for _ in range(asked.connections)]
    expected = {sql: Counter(await (await connections[0].execute(sql)).fetchall()) for sql in [*SHORT, LONG]}
    right = await phase("short only", connections, 0, asked.seconds, expected)
    right &= await phase("with long", connections, asked.connections // 20, asked.seconds, expected)
    for connection in connections:
        await connection.close()
    raise SystemExit(0 if right else 1)


asyncio.run(main())
