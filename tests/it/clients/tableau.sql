-- Tableau 2020 to 2024 (ODBC driver of PostgreSQL): the session.
SET DateStyle = 'ISO'
;
-- Tableau 2020 to 2024 (ODBC driver of PostgreSQL): the session.
SET extra_float_digits = 2
;
-- Tableau 2020 to 2024 (ODBC driver of PostgreSQL): large objects.
select oid, typbasetype from pg_type where typname = 'lo'
;
-- Tableau 2020 to 2024 (ODBC driver of PostgreSQL): the isolation.
show transaction_isolation
;
-- Tableau 2020 to 2024: tables.
select relname, nspname, relkind from pg_catalog.pg_class c, pg_catalog.pg_namespace n
where relkind in ('r', 'v', 'm', 'f', 'p') and nspname not in ('pg_catalog', 'information_schema', 'pg_toast', 'pg_temp_1') and n.oid = relnamespace order by nspname, relname
;
-- Tableau 2020 to 2024 (ODBC driver of PostgreSQL): columns.
select n.nspname, c.relname, a.attname, a.atttypid, t.typname, a.attnum, a.attlen, a.atttypmod, a.attnotnull, c.relhasrules, c.relkind, c.oid,
  pg_get_expr(d.adbin, d.adrelid), case t.typtype when 'd' then t.typbasetype else 0 end, t.typtypmod, 0, attidentity, c.relhassubclass
from (((pg_catalog.pg_class c inner join pg_catalog.pg_namespace n on n.oid = c.relnamespace and c.relname = 'orders' and n.nspname = 'shop')
inner join pg_catalog.pg_attribute a on (not a.attisdropped) and a.attnum > 0 and a.attrelid = c.oid)
inner join pg_catalog.pg_type t on t.oid = a.atttypid)
left outer join pg_attrdef d on a.atthasdef and d.adrelid = a.attrelid and d.adnum = a.attnum order by n.nspname, c.relname, attnum
;
-- Tableau 2020 to 2024 (ODBC driver of PostgreSQL): the primary key.
select ta.attname, ia.attnum, ic.relname, n.nspname, tc.relname
from pg_catalog.pg_attribute ta, pg_catalog.pg_attribute ia, pg_catalog.pg_class tc, pg_catalog.pg_index i, pg_catalog.pg_namespace n, pg_catalog.pg_class ic
where tc.relname = 'orders' AND n.nspname = 'shop' AND tc.oid = i.indrelid AND n.oid = tc.relnamespace AND i.indisprimary = 't'
  AND ia.attrelid = i.indexrelid AND ta.attrelid = i.indrelid AND ta.attnum = i.indkey[ia.attnum-1] AND (NOT ta.attisdropped) AND (NOT ia.attisdropped) AND ic.oid = i.indexrelid
order by ia.attnum
;
-- Tableau 2020 to 2024: the shape of a query before it is asked.
SELECT "orders"."channel" AS "channel", SUM("orders"."amount") AS "sum:amount:ok" FROM "shop"."orders" "orders" GROUP BY 1 LIMIT 0
;
-- Tableau 2020 to 2024: a bar for each member of a dimension.
SELECT "indicators"."region" AS "region", SUM("indicators"."gmv") AS "sum:gmv:ok" FROM "shop"."indicators" "indicators" GROUP BY 1 ORDER BY 1
--- gives
SELECT s.region, sum(o.amount) FROM orders o JOIN stores s ON s.store_id = o.store_id GROUP BY 1 ORDER BY 1
;
-- Tableau 2020 to 2024: a line by month.
SELECT DATE_TRUNC('MONTH', "indicators"."metric_time") AS "tmn:metric_time:ok", AVG("indicators"."aov") AS "avg:aov:ok" FROM "shop"."indicators" "indicators"
WHERE ("indicators"."metric_time" >= TIMESTAMP '2026-01-01 00:00:00') AND ("indicators"."metric_time" < TIMESTAMP '2026-03-01 00:00:00') GROUP BY 1 ORDER BY 1
--- gives
SELECT date_trunc('month', ordered_at), CAST(sum(amount) AS DOUBLE) / count(*) FROM orders GROUP BY 1 ORDER BY 1
;
-- Tableau 2020 to 2024: by the year as a number.
SELECT CAST(EXTRACT(YEAR FROM "indicators"."metric_time") AS INTEGER) AS "yr:metric_time:ok", SUM("indicators"."orders_placed") AS "sum:orders_placed:ok"
FROM "shop"."indicators" "indicators" GROUP BY 1
--- gives
SELECT CAST(EXTRACT(YEAR FROM ordered_at) AS INTEGER), count(*) FROM orders GROUP BY 1
;
-- Tableau 2020 to 2024: a total, as it is asked without dimensions.
SELECT SUM("indicators"."gmv") AS "sum:gmv:ok" FROM "shop"."indicators" "indicators" HAVING (COUNT(1) > 0)
--- gives
SELECT sum(amount) FROM orders
;
-- Tableau 2020 to 2024: rows by a cursor that outlives its transaction.
declare "SQL_CUR0x7f8e" cursor with hold for SELECT "indicators"."channel" AS "channel", SUM("indicators"."gmv") AS "sum:gmv:ok" FROM "shop"."indicators" "indicators" GROUP BY 1 ORDER BY 1
;
-- Tableau 2020 to 2024: rows by a cursor that outlives its transaction.
fetch 10000 in "SQL_CUR0x7f8e"
--- gives
SELECT channel, sum(amount) FROM orders GROUP BY 1 ORDER BY 1
;
-- Tableau 2020 to 2024: rows by a cursor that outlives its transaction.
close "SQL_CUR0x7f8e"
