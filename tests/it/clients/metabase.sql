-- Metabase 0.49 and later: tables, with comments and an estimate of rows.
SELECT "n"."nspname" AS "schema", "c"."relname" AS "name",
  CASE "c"."relkind" WHEN 'r' THEN 'TABLE' WHEN 'p' THEN 'PARTITIONED TABLE' WHEN 'v' THEN 'VIEW' WHEN 'f' THEN 'FOREIGN TABLE'
    WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE NULL END AS "type",
  "d"."description" AS "description", NULLIF("stat"."n_live_tup", 0) AS "estimated_row_count"
FROM "pg_catalog"."pg_class" AS "c"
INNER JOIN "pg_catalog"."pg_namespace" AS "n" ON "c"."relnamespace" = "n"."oid"
LEFT JOIN "pg_catalog"."pg_description" AS "d" ON ("c"."oid" = "d"."objoid") AND ("d"."objsubid" = 0) AND ("d"."classoid" = 'pg_class'::regclass)
LEFT JOIN "pg_stat_user_tables" AS "stat" ON ("n"."nspname" = "stat"."schemaname") AND ("c"."relname" = "stat"."relname")
WHERE ("c"."relnamespace" = "n"."oid") AND ("n"."nspname" !~ '^pg_') AND ("n"."nspname" <> 'information_schema')
  AND c.relkind in ('r', 'p', 'v', 'f', 'm') AND ("n"."nspname" IN ('shop'))
ORDER BY "type" ASC, "schema" ASC, "name" ASC
;
-- Metabase 0.49 and later: columns with keys and comments.
SELECT "c"."column_name" AS "name",
  CASE WHEN "c"."udt_schema" IN ('public', 'pg_catalog') THEN FORMAT('%s', "c"."udt_name") ELSE FORMAT('"%s"."%s"', "c"."udt_schema", "c"."udt_name") END AS "database-type",
  "c"."ordinal_position" - 1 AS "database-position", "c"."table_schema" AS "table-schema", "c"."table_name" AS "table-name",
  "pk"."column_name" IS NOT NULL AS "pk?",
  COL_DESCRIPTION(CAST(CAST(FORMAT('%I.%I', CAST("c"."table_schema" AS TEXT), CAST("c"."table_name" AS TEXT)) AS REGCLASS) AS OID), "c"."ordinal_position") AS "field-comment",
  (("column_default" IS NULL) OR (LOWER("column_default") = 'null')) AND ("is_nullable" = 'NO')
    AND NOT ((("column_default" IS NOT NULL) AND ("column_default" LIKE '%nextval(%')) OR ("is_identity" <> 'NO')) AS "database-required",
  (("column_default" IS NOT NULL) AND ("column_default" LIKE '%nextval(%')) OR ("is_identity" <> 'NO') AS "database-is-auto-increment"
FROM "information_schema"."columns" AS "c"
LEFT JOIN (
  SELECT "tc"."table_schema", "tc"."table_name", "kc"."column_name"
  FROM "information_schema"."table_constraints" AS "tc"
  INNER JOIN "information_schema"."key_column_usage" AS "kc" ON ("tc"."constraint_name" = "kc"."constraint_name") AND ("tc"."table_schema" = "kc"."table_schema") AND ("tc"."table_name" = "kc"."table_name")
  WHERE "tc"."constraint_type" = 'PRIMARY KEY'
) AS "pk" ON ("c"."table_schema" = "pk"."table_schema") AND ("c"."table_name" = "pk"."table_name") AND ("c"."column_name" = "pk"."column_name")
WHERE c.table_schema !~ '^information_schema|catalog_history|pg_' AND ("c"."table_schema" IN ('shop'))
UNION ALL
SELECT "pa"."attname" AS "name",
  CASE WHEN "ptn"."nspname" IN ('public', 'pg_catalog') THEN FORMAT('%s', "pt"."typname") ELSE FORMAT('"%s"."%s"', "ptn"."nspname", "pt"."typname") END AS "database-type",
  "pa"."attnum" - 1 AS "database-position", "pn"."nspname" AS "table-schema", "pc"."relname" AS "table-name", FALSE AS "pk?", NULL AS "field-comment",
  FALSE AS "database-required", FALSE AS "database-is-auto-increment"
FROM "pg_catalog"."pg_class" AS "pc"
INNER JOIN "pg_catalog"."pg_namespace" AS "pn" ON "pn"."oid" = "pc"."relnamespace"
INNER JOIN "pg_catalog"."pg_attribute" AS "pa" ON "pa"."attrelid" = "pc"."oid"
INNER JOIN "pg_catalog"."pg_type" AS "pt" ON "pt"."oid" = "pa"."atttypid"
INNER JOIN "pg_catalog"."pg_namespace" AS "ptn" ON "ptn"."oid" = "pt"."typnamespace"
WHERE ("pc"."relkind" = 'm') AND ("pa"."attnum" >= 1) AND ("pn"."nspname" IN ('shop'))
ORDER BY "table-schema" ASC, "table-name" ASC, "database-position" ASC
;
-- Metabase 0.49 and later: foreign keys.
SELECT "fk_ns"."nspname" AS "fk-table-schema", "fk_table"."relname" AS "fk-table-name", "fk_column"."attname" AS "fk-column-name",
  "pk_ns"."nspname" AS "pk-table-schema", "pk_table"."relname" AS "pk-table-name", "pk_column"."attname" AS "pk-column-name"
FROM "pg_constraint" AS "c"
INNER JOIN "pg_class" AS "fk_table" ON "c"."conrelid" = "fk_table"."oid"
INNER JOIN "pg_namespace" AS "fk_ns" ON "c"."connamespace" = "fk_ns"."oid"
INNER JOIN "pg_attribute" AS "fk_column" ON "c"."conrelid" = "fk_column"."attrelid"
INNER JOIN "pg_class" AS "pk_table" ON "c"."confrelid" = "pk_table"."oid"
INNER JOIN "pg_namespace" AS "pk_ns" ON "pk_table"."relnamespace" = "pk_ns"."oid"
INNER JOIN "pg_attribute" AS "pk_column" ON "c"."confrelid" = "pk_column"."attrelid"
WHERE fk_ns.nspname !~ '^information_schema|catalog_history|pg_' AND ("c"."contype" = 'f'::char)
  AND ("fk_column"."attnum" = ANY(c.conkey)) AND ("pk_column"."attnum" = ANY(c.confkey)) AND ("fk_ns"."nspname" IN ('shop'))
ORDER BY "fk-table-schema" ASC, "fk-table-name" ASC
--- gives
SELECT * FROM (VALUES ('shop', 'lines', 'order_id', 'shop', 'orders', 'order_id'), ('shop', 'orders', 'store_id', 'shop', 'stores', 'store_id')) ORDER BY 2
;
-- Metabase 0.48 and later: what the user may do with tables.
with table_privileges as (
  select NULL as role, t.schemaname as schema, t.objectname as table,
    pg_catalog.has_any_column_privilege(current_user, '"' || replace(t.schemaname, '"', '""') || '"' || '.' || '"' || replace(t.objectname, '"', '""') || '"', 'update') as update,
    pg_catalog.has_any_column_privilege(current_user, '"' || replace(t.schemaname, '"', '""') || '"' || '.' || '"' || replace(t.objectname, '"', '""') || '"', 'select') as select
  from (
    select schemaname, tablename as objectname from pg_catalog.pg_tables
    union select schemaname, viewname as objectname from pg_catalog.pg_views
    union select schemaname, matviewname as objectname from pg_catalog.pg_matviews
  ) t
  where t.schemaname !~ '^pg_' and t.schemaname <> 'information_schema' and pg_catalog.has_schema_privilege(current_user, t.schemaname, 'usage')
)
select t.* from table_privileges t
;
-- Metabase, all versions: enumerations.
SELECT nspname, typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.oid IN (SELECT DISTINCT enumtypid FROM pg_enum)
;
-- Metabase, all versions: whether a table can be read.
SELECT TRUE AS "_" FROM "shop"."orders" WHERE 1 <> 1 LIMIT 0
;
-- Metabase, all versions: the time zone.
show timezone
;
-- Metabase, all versions: samples of texts for the fingerprint of a table.
SELECT "shop"."orders"."channel" AS "channel", SUBSTRING("shop"."orders"."note", 1, 1234) AS "substring1", "shop"."orders"."amount" AS "amount" FROM "shop"."orders" LIMIT 10000
;
-- Metabase, all versions: the values of a filter.
SELECT "shop"."indicators"."region" AS "region" FROM "shop"."indicators" GROUP BY "shop"."indicators"."region" ORDER BY "shop"."indicators"."region" ASC LIMIT 1001
--- gives
SELECT DISTINCT region FROM stores ORDER BY 1
;
-- Metabase, all versions: a sum by a dimension.
SELECT "shop"."indicators"."region" AS "region", SUM("shop"."indicators"."gmv") AS "sum" FROM "shop"."indicators"
GROUP BY "shop"."indicators"."region" ORDER BY "shop"."indicators"."region" ASC
--- gives
SELECT s.region, sum(o.amount) FROM orders o JOIN stores s ON s.store_id = o.store_id GROUP BY 1 ORDER BY 1
;
-- Metabase 0.47 and later: a mean of a ratio by month, in a range of time. It is no mean of means.
SELECT DATE_TRUNC('month', "shop"."indicators"."metric_time") AS "metric_time", AVG("shop"."indicators"."aov") AS "avg" FROM "shop"."indicators"
WHERE ("shop"."indicators"."metric_time" >= timestamp '2026-01-01 00:00:00.000') AND ("shop"."indicators"."metric_time" < timestamp '2026-03-01 00:00:00.000')
GROUP BY DATE_TRUNC('month', "shop"."indicators"."metric_time") ORDER BY DATE_TRUNC('month', "shop"."indicators"."metric_time") ASC
--- gives
SELECT date_trunc('month', ordered_at), CAST(sum(amount) AS DOUBLE) / count(*) FROM orders GROUP BY 1 ORDER BY 1
;
-- Metabase 0.48 and later: by day, as a date, with a filter on a dimension.
SELECT CAST("shop"."indicators"."metric_time" AS date) AS "metric_time", SUM("shop"."indicators"."orders_placed") AS "sum" FROM "shop"."indicators"
WHERE "shop"."indicators"."channel" = '线上' GROUP BY CAST("shop"."indicators"."metric_time" AS date) ORDER BY CAST("shop"."indicators"."metric_time" AS date) ASC
--- gives
SELECT CAST(ordered_at AS DATE), count(*) FROM orders WHERE channel = '线上' GROUP BY 1 ORDER BY 1
;
-- Metabase, all versions: a number.
SELECT MAX("shop"."indicators"."aov") AS "max" FROM "shop"."indicators"
--- gives
SELECT CAST(sum(amount) AS DOUBLE) / count(*) FROM orders
