"""What Python programs ask of a server: psycopg, SQLAlchemy, pandas. It prints what it is told."""

import datetime
import decimal
import math
import sys

import pandas
import psycopg
import sqlalchemy
from sqlalchemy import MetaData, Table, create_engine, func, inspect, select

port = sys.argv[1]
print("versions", psycopg.__version__, sqlalchemy.__version__, pandas.__version__)


def values(connection):
    sql = "SELECT order_id, channel, day, ordered_at, amount, weight, paid, note FROM orders ORDER BY order_id"
    texts = connection.cursor().execute(sql).fetchall()
    with connection.cursor(binary=True) as cursor:
        bytes_ = cursor.execute(sql).fetchall()
    same = lambda a, b: a == b or (isinstance(a, float) and math.isnan(a) and math.isnan(b))
    assert all(same(a, b) for one, other in zip(texts, bytes_) for a, b in zip(one, other)), (texts, bytes_)
    for row in bytes_:
        print("row", *row, sep="|")
    first = bytes_[0]
    kinds = [int, str, datetime.date, datetime.datetime, decimal.Decimal, float, bool]
    assert [type(value) for value in first[:7]] == kinds, first


def wide(connection):
    numbers = ["12345678901234567890123456789012345678", "-0.00000000000000000000000000000000000001", "0.00", "-1234567.8901"]
    for number in numbers:
        scale = len(number.partition(".")[2])
        for binary in [False, True]:
            cursor = connection.cursor(binary=binary)
            told = cursor.execute(f"SELECT CAST('{number}' AS DECIMAL(38, {scale}))").fetchone()[0]
            assert str(format(told, "f")) == number, (told, number)
        for mark in ["%s", "%b", "%t"]:
            sent = connection.execute(f"SELECT {mark}, CAST('{number}' AS DECIMAL(38, {scale})) = {mark}", [decimal.Decimal(number)] * 2).fetchone()
            assert sent == (decimal.Decimal(number), True), (mark, sent)
    many = "1" * 38
    added = connection.cursor(binary=True).execute(f"SELECT CAST('{many}' AS DECIMAL(38, 0)) + CAST('{many}' AS DECIMAL(38, 0))")
    print("wide", added.fetchone()[0])
    lists = connection.cursor(binary=True).execute("SELECT [1, 2], ['区', NULL], INTERVAL '1' DAY, CAST(NULL AS INTERVAL)").fetchone()
    print("lists", *lists, sep="|")


def parameters(connection):
    sql = "SELECT count(*) FROM orders WHERE order_id >= {0} AND channel <> {0} AND day >= {0} AND amount > {0} AND paid = {0} AND ordered_at < {0}"
    given = [1, "线下", datetime.date(2026, 1, 1), decimal.Decimal("0.005"), True, datetime.datetime(2026, 3, 1)]
    print("asked", *[connection.execute(sql.format(mark), given).fetchone()[0] for mark in ["%s", "%b", "%t"]])


def cursors(connection):
    with connection.transaction():
        with connection.cursor(name="区 1") as cursor:
            cursor.execute("SELECT value FROM generate_series(1, 2000) WHERE value <= %s ORDER BY value", [1050])
            first = cursor.fetchone()[0]
            cursor.scroll(9)
            some = [row[0] for row in cursor.fetchmany(5)]
            rest = [row[0] for row in cursor]
        print("cursor", first, some, len(rest), rest[-1])
        with connection.cursor(name="b", binary=True) as cursor:
            cursor.itersize = 2
            cursor.execute("SELECT order_id, amount FROM orders ORDER BY 1")
            print("binary cursor", [(row[0], str(row[1])) for row in cursor])
    with connection.cursor(name="held", withhold=True) as cursor:
        cursor.execute("SELECT 1")
        connection.commit()
        print("held", cursor.fetchall())
    try:
        connection.execute("FETCH 1 FROM held")
    except psycopg.errors.InvalidCursorName as error:
        print("gone", error.diag.sqlstate)
    connection.rollback()


def copies(connection):
    with connection.cursor().copy("COPY (SELECT order_id, channel, amount, note FROM orders ORDER BY 1) TO STDOUT") as copy:
        print("copy", [row for row in copy.rows()])


def pipelines(connection):
    with connection.pipeline():
        asked = [connection.execute("SELECT %s::int", [number]) for number in range(3)]
        print("pipeline", [cursor.fetchone()[0] for cursor in asked])


def wrong(connection):
    try:
        connection.execute("SELECT regon FROM indicators WHERE region = %s", ["华东"])
    except psycopg.errors.UndefinedColumn as error:
        print("wrong", error.diag.sqlstate, error.diag.statement_position, error.diag.message_hint)
    connection.rollback()


def reflection(engine):
    seen = inspect(engine)
    print("schemas", seen.get_schema_names())
    print("tables", seen.get_table_names())
    print("views", sorted(seen.get_view_names()))
    for name in ["orders", "gmv"]:
        print("columns", name, [(column["name"], str(column["type"]), column["comment"]) for column in seen.get_columns(name)])
    indicators = {column["name"]: str(column["type"]) for column in seen.get_columns("indicators")}
    print("indicators", {name: indicators[name] for name in ["region", "gmv", "aov", "orders_placed", "metric_time"]})
    print("key", seen.get_pk_constraint("lines")["constrained_columns"], seen.get_pk_constraint("gmv")["constrained_columns"])
    for key in seen.get_foreign_keys("orders"):
        print("points", key["constrained_columns"], key["referred_table"], key["referred_columns"])
    print("indexes", seen.get_indexes("orders"), seen.get_unique_constraints("orders"), seen.get_check_constraints("orders"))
    print("comment", seen.get_table_comment("orders"))
    print("others", seen.has_table("orders"), seen.has_table("nothing"), seen.get_enums(), seen.get_sequence_names())
    print("elsewhere", [column["name"] for column in seen.get_columns("diagnostics", schema="bell")][:2])
    everything = MetaData()
    everything.reflect(engine, views=True, schema="shop")
    print("reflected", len(everything.tables), [key.column.table.name for key in everything.tables["shop.lines"].foreign_keys])


def tables(engine):
    orders = Table("orders", MetaData(), autoload_with=engine)
    asked = select(orders.c.channel, func.sum(orders.c.amount).label("amount")).group_by(orders.c.channel).order_by(orders.c.channel)
    with engine.connect() as connection:
        print("selected", [(row.channel, str(row.amount)) for row in connection.execute(asked)])
        streamed = connection.execution_options(stream_results=True, max_row_buffer=2)
        print("streamed", [row.order_id for row in streamed.execute(select(orders.c.order_id).order_by(orders.c.order_id))])
    frame = pandas.read_sql("SELECT region, MEASURE(gmv) AS gmv, MEASURE(aov) AS aov FROM indicators GROUP BY region ORDER BY 1", engine)
    print("frame", frame.to_dict("records"))
    whole = pandas.read_sql_table("gmv", engine, schema="shop")
    print("table", list(whole.columns), len(whole))
    pieces = pandas.read_sql(select(orders), engine, chunksize=2)
    print("pieces", [len(piece) for piece in pieces])


with psycopg.connect(host="127.0.0.1", port=port, user="ann", dbname="shop") as connection:
    for step in [values, wide, parameters, cursors, copies, pipelines, wrong]:
        step(connection)
engine = create_engine(f"postgresql+psycopg://ann@127.0.0.1:{port}/shop")
reflection(engine)
tables(engine)
