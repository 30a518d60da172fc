-- Grafana 9 to 11: the version, when a data source is tested.
SELECT current_setting('server_version_num')::int/100 as version
;
-- Grafana 9 to 11: whether there is TimescaleDB.
SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'
;
-- Grafana 9 to 11: a data source is tested.
SELECT 1
;
-- Grafana 10, 11: tables of the query builder.
select quote_ident(table_name) as "table" from information_schema.tables
where quote_ident(table_schema) not in ('information_schema', 'pg_catalog', '_timescaledb_cache', '_timescaledb_catalog', '_timescaledb_internal', '_timescaledb_config', 'timescaledb_information', 'timescaledb_experimental')
  and table_type = 'VIEW' and quote_ident(table_schema) = 'shop' order by table_name
--- gives
SELECT 'aov' UNION ALL SELECT 'gmv' UNION ALL SELECT 'indicators' UNION ALL SELECT 'lines' UNION ALL SELECT 'orders' UNION ALL SELECT 'orders_placed' UNION ALL SELECT 'stores' ORDER BY 1
;
-- Grafana 10, 11: tables, where the search path decides whether a schema is shown.
SELECT
    CASE WHEN
          quote_ident(table_schema) IN (
          SELECT
            CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END
          FROM
            generate_series(
              array_lower(string_to_array(current_setting('search_path'),','),1),
              array_upper(string_to_array(current_setting('search_path'),','),1)
            ) as i,
            string_to_array(current_setting('search_path'),',') s
          )
      THEN quote_ident(table_name)
      ELSE quote_ident(table_schema) || '.' || quote_ident(table_name)
    END AS "table"
    FROM information_schema.tables
    WHERE quote_ident(table_schema) NOT IN ('information_schema', 'pg_catalog', '_timescaledb_cache', '_timescaledb_catalog', '_timescaledb_internal', '_timescaledb_config', 'timescaledb_information', 'timescaledb_experimental', 'bell')
    ORDER BY CASE WHEN
          quote_ident(table_schema) IN (
          SELECT
            CASE WHEN trim(s[i]) = '"$user"' THEN user ELSE trim(s[i]) END
          FROM
            generate_series(
              array_lower(string_to_array(current_setting('search_path'),','),1),
              array_upper(string_to_array(current_setting('search_path'),','),1)
            ) as i,
            string_to_array(current_setting('search_path'),',') s
          ) THEN 0 ELSE 1 END, 1
--- gives
SELECT 'aov' UNION ALL SELECT 'gmv' UNION ALL SELECT 'indicators' UNION ALL SELECT 'lines' UNION ALL SELECT 'orders' UNION ALL SELECT 'orders_placed' UNION ALL SELECT 'stores' ORDER BY 1
;
-- Grafana 9 to 11: columns of a table.
select quote_ident(column_name) as "column", data_type as "type" from information_schema.columns
where case when array_length(parse_ident('shop.orders'),1) = 2
  then quote_ident(table_schema) = (parse_ident('shop.orders'))[1] and quote_ident(table_name) = (parse_ident('shop.orders'))[2]
  else quote_ident(table_name) = 'shop.orders' end
;
-- Grafana 9 to 11: a time series by month ($__timeGroupAlias, $__timeFilter).
SELECT date_trunc('month', metric_time) AS "time", region AS metric, AVG(aov) AS "value" FROM shop.indicators
WHERE metric_time BETWEEN '2026-01-01T00:00:00Z' AND '2026-02-28T23:59:59.999Z' GROUP BY 1, 2 ORDER BY 1, 2
--- gives
SELECT date_trunc('month', o.ordered_at), s.region, CAST(sum(o.amount) AS DOUBLE) / count(*) FROM orders o JOIN stores s ON s.store_id = o.store_id GROUP BY 1, 2 ORDER BY 1, 2
;
-- Grafana 9 to 11: a time series by day in seconds ($__timeGroup(metric_time, '1d')).
SELECT floor(extract(epoch from metric_time)/86400)*86400 AS "time", SUM(gmv) AS "gmv" FROM shop.indicators
WHERE metric_time BETWEEN '2026-01-01T00:00:00Z' AND '2026-03-01T00:00:00Z' GROUP BY 1 ORDER BY 1
--- gives
SELECT floor(extract(epoch from ordered_at)/86400)*86400, sum(amount) FROM orders GROUP BY 1 ORDER BY 1
;
-- Grafana 9 to 11: a table panel.
SELECT channel, SUM(gmv), AVG(aov), SUM(orders_placed) FROM shop.indicators GROUP BY channel ORDER BY channel LIMIT 50
--- gives
SELECT channel, sum(amount), CAST(sum(amount) AS DOUBLE) / count(*), count(*) FROM orders GROUP BY channel ORDER BY channel
;
-- Grafana 9 to 11: the values of a variable.
SELECT DISTINCT region FROM shop.indicators ORDER BY 1
--- gives
SELECT DISTINCT region FROM stores ORDER BY 1
