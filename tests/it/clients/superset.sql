-- Superset 2 to 4 (SQLAlchemy 1.4): the version.
select pg_catalog.version()
;
-- Superset 2 to 4 (SQLAlchemy 1.4): the default schema.
select current_schema()
;
-- Superset 2 to 4 (SQLAlchemy 1.4): how texts are written.
show standard_conforming_strings
;
-- Superset 2 to 4 (SQLAlchemy 1.4): schemas.
SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg_%' ORDER BY nspname
;
-- Superset 2 to 4 (SQLAlchemy 1.4): tables.
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'shop' AND c.relkind in ('r', 'p')
;
-- Superset 2 to 4 (SQLAlchemy 1.4): views.
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'shop' AND c.relkind IN ('v', 'm') ORDER BY 1
--- gives
SELECT 'aov' UNION ALL SELECT 'gmv' UNION ALL SELECT 'indicators' UNION ALL SELECT 'lines' UNION ALL SELECT 'orders' UNION ALL SELECT 'orders_placed' UNION ALL SELECT 'stores' ORDER BY 1
;
-- Superset 2 to 4 (SQLAlchemy 1.4): the number of a table.
SELECT c.oid FROM pg_catalog.pg_class c LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE (n.nspname = 'shop') AND c.relname = 'orders' AND c.relkind in ('r', 'v', 'm', 'f', 'p')
;
-- Superset 2 to 4 (SQLAlchemy 1.4): columns.
SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),
  (SELECT pg_catalog.pg_get_expr(d.adbin, d.adrelid) FROM pg_catalog.pg_attrdef d WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum AND a.atthasdef) AS DEFAULT,
  a.attnotnull, a.attrelid as table_oid, pgd.description as comment, a.attgenerated as generated,
  (SELECT json_build_object('always', a.attidentity = 'a', 'start', s.seqstart, 'increment', s.seqincrement, 'minvalue', s.seqmin, 'maxvalue', s.seqmax, 'cache', s.seqcache, 'cycle', s.seqcycle)
    FROM pg_catalog.pg_sequence s JOIN pg_catalog.pg_class c on s.seqrelid = c."oid"
    WHERE c.relkind = 'S' AND a.attidentity != '' AND s.seqrelid = pg_catalog.pg_get_serial_sequence(a.attrelid::regclass::text, a.attname)::regclass::oid) as identity_options
FROM pg_catalog.pg_attribute a LEFT JOIN pg_catalog.pg_description pgd ON (pgd.objoid = a.attrelid AND pgd.objsubid = a.attnum)
WHERE a.attrelid = 'shop.orders'::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
;
-- Superset 2 to 4 (SQLAlchemy 1.4): types of domains.
SELECT t.typname as "name", pg_catalog.format_type(t.typbasetype, t.typtypmod) as "attype", not t.typnotnull as "nullable", t.typdefault as "default",
  pg_catalog.pg_type_is_visible(t.oid) as "visible", n.nspname as "schema"
FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace WHERE t.typtype = 'd'
;
-- Superset 2 to 4 (SQLAlchemy 1.4): enumerations.
SELECT t.typname as "name", pg_catalog.pg_type_is_visible(t.oid) as "visible", n.nspname as "schema", e.enumlabel as "label"
FROM pg_catalog.pg_type t LEFT JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_catalog.pg_enum e ON t.oid = e.enumtypid
WHERE t.typtype = 'e' ORDER BY "schema", "name", e.oid
;
-- Superset 2 to 4 (SQLAlchemy 1.4): the primary key.
SELECT a.attname FROM pg_attribute a JOIN (
  SELECT unnest(ix.indkey) attnum, generate_subscripts(ix.indkey, 1) ord FROM pg_index ix WHERE ix.indrelid = 'shop.lines'::regclass AND ix.indisprimary
) k ON a.attnum = k.attnum WHERE a.attrelid = 'shop.lines'::regclass ORDER BY k.ord
--- gives
SELECT 'order_id' UNION ALL SELECT 'line_no' ORDER BY 1 DESC
;
-- Superset 2 to 4 (SQLAlchemy 1.4): foreign keys.
SELECT r.conname, pg_catalog.pg_get_constraintdef(r.oid, true) as condef, n.nspname as conschema
FROM pg_catalog.pg_constraint r, pg_namespace n, pg_class c
WHERE r.conrelid = 'shop.orders'::regclass AND r.contype = 'f' AND c.oid = confrelid AND n.oid = c.relnamespace ORDER BY 1
--- gives
SELECT 'orders_store_fkey', 'FOREIGN KEY (store_id) REFERENCES stores(store_id)', 'shop'
;
-- Superset 2 to 4 (SQLAlchemy 1.4): indexes.
SELECT i.relname as relname, ix.indisunique, ix.indexprs, a.attname, a.attnum, c.conrelid, ix.indkey, ix.indoption, i.reloptions, am.amname,
  pg_get_expr(ix.indpred, ix.indrelid), ix.indnkeyatts as indnkeyatts
FROM pg_class t join pg_index ix on t.oid = ix.indrelid join pg_class i on i.oid = ix.indexrelid
left outer join pg_attribute a on t.oid = a.attrelid and a.attnum = ANY(ix.indkey)
left outer join pg_constraint c on (ix.indrelid = c.conrelid and ix.indexrelid = c.conindid and c.contype in ('p', 'u', 'x'))
left outer join pg_am am on i.relam = am.oid
WHERE t.relkind IN ('r', 'v', 'f', 'm', 'p') and t.oid = 'shop.orders'::regclass and ix.indisprimary = 'f' ORDER BY t.relname, i.relname
;
-- Superset 2 to 4 (SQLAlchemy 1.4): the comment.
SELECT pgd.description as table_comment FROM pg_catalog.pg_description pgd WHERE pgd.objsubid = 0 AND pgd.objoid = 'shop.orders'::regclass
--- gives
SELECT '订单: One row an order.'
;
-- Superset 2 to 4: the preview of a table in SQL Lab.
SELECT * FROM shop.orders LIMIT 101
;
-- Superset 2 to 4: a line chart by month.
SELECT DATE_TRUNC('month', metric_time) AS metric_time, region AS region, AVG(aov) AS "AVG(aov)" FROM shop.indicators
WHERE metric_time >= TO_TIMESTAMP('2026-01-01 00:00:00.000000', 'YYYY-MM-DD HH24:MI:SS.US') AND metric_time < TO_TIMESTAMP('2026-03-01 00:00:00.000000', 'YYYY-MM-DD HH24:MI:SS.US')
GROUP BY DATE_TRUNC('month', metric_time), region ORDER BY metric_time, region LIMIT 10000
--- gives
SELECT date_trunc('month', o.ordered_at), s.region, CAST(sum(o.amount) AS DOUBLE) / count(*) FROM orders o JOIN stores s ON s.store_id = o.store_id GROUP BY 1, 2 ORDER BY 1, 2
;
-- Superset 2 to 4: a bar chart, largest first.
SELECT channel AS channel, SUM(gmv) AS "SUM(gmv)" FROM shop.indicators GROUP BY channel ORDER BY "SUM(gmv)" DESC LIMIT 10000
--- gives
SELECT channel, sum(amount) FROM orders GROUP BY 1 ORDER BY 2 DESC
;
-- Superset 2 to 4: a big number with a filter on a date.
SELECT MAX(orders_placed) AS "MAX(orders_placed)" FROM shop.indicators WHERE metric_time >= TO_DATE('2026-02-01', 'YYYY-MM-DD') LIMIT 50000
--- gives
SELECT count(*) FROM orders WHERE ordered_at >= DATE '2026-02-01'
