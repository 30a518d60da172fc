//! Questions to `examples/retail`, against hand-written SQL on the same files.
//!
//! The hand-written side sees the files as ordinary tables, and two views: `live`, the orders that are no tests, and
//! `paid`, those of them that count as sales.

use std::path::Path;

use bellwether::Engine;
use datafusion::prelude::{CsvReadOptions, ParquetReadOptions, SessionContext};

use crate::compare::{Pair, assert_all_equal, assert_plain_answers};

const PAIRS: &[Pair] = &[
    Pair {
        name: "the README's question: two facts by region, unknown cities kept",
        ours: "SELECT region, MEASURE(gmv), MEASURE(conversion) FROM retail.indicators GROUP BY region ORDER BY region",
        plain: "SELECT coalesce(o.region, v.region), o.gmv, CAST(o.buyers AS DOUBLE) / v.visitors
                FROM (SELECT region, sum(amount) AS gmv, count(DISTINCT customer_id) AS buyers
                      FROM paid LEFT JOIN cities ON paid.city_id = cities.city_id GROUP BY region) o
                FULL JOIN (SELECT region, count(DISTINCT visitor_id) AS visitors
                           FROM visits LEFT JOIN cities ON visits.city_id = cities.city_id GROUP BY region) v
                ON o.region IS NOT DISTINCT FROM v.region ORDER BY 1",
    },
    Pair {
        name: "totals without a grouping",
        ours: "SELECT MEASURE(gmv), MEASURE(net_sales), MEASURE(orders_paid), MEASURE(buyers), MEASURE(aov),
                      MEASURE(per_buyer), MEASURE(discount_rate), MEASURE(cancel_rate)
               FROM retail.indicators",
        plain: "SELECT sum(amount), sum(amount - discount), count(*), count(DISTINCT customer_id),
                       CAST(sum(amount) AS DOUBLE) / count(*),
                       CAST(sum(amount) AS DOUBLE) / count(DISTINCT customer_id),
                       CAST(sum(discount) AS DOUBLE) / CAST(sum(amount) AS DOUBLE),
                       (SELECT CAST(count(*) FILTER (WHERE status = 'cancelled') AS DOUBLE) / count(*) FROM live)
                FROM paid",
    },
    Pair {
        name: "a condition on a dimension reaches both facts",
        ours: "SELECT channel, MEASURE(gmv), MEASURE(visitors), MEASURE(conversion)
               FROM retail.indicators WHERE region = '华南' GROUP BY channel ORDER BY channel",
        plain: "SELECT v.channel, gmv, visitors, CAST(buyers AS DOUBLE) / visitors
                FROM (SELECT channel, sum(amount) AS gmv, count(DISTINCT customer_id) AS buyers
                      FROM paid JOIN cities USING (city_id) WHERE region = '华南' GROUP BY channel) o
                JOIN (SELECT channel, count(DISTINCT visitor_id) AS visitors
                      FROM visits JOIN cities USING (city_id) WHERE region = '华南' GROUP BY channel) v
                ON o.channel = v.channel ORDER BY 1",
    },
    Pair {
        name: "each order credited to one visit",
        ours: "SELECT channel, MEASURE(visit_to_order) FROM retail.indicators GROUP BY channel ORDER BY channel",
        plain: "SELECT visits.channel, CAST(count(used.visit_id) AS DOUBLE) / count(*)
                FROM visits LEFT JOIN (
                  SELECT DISTINCT visit_id FROM (
                    SELECT visit_id, visited_at, ordered_at,
                           row_number() OVER (PARTITION BY order_id ORDER BY visited_at DESC, visit_id DESC) AS latest
                    FROM live JOIN visits ON visitor_id = customer_id AND visits.channel = live.channel
                                         AND visited_at <= ordered_at)
                  WHERE latest = 1 AND ordered_at <= visited_at + INTERVAL '1 day') used
                ON visits.visit_id = used.visit_id GROUP BY 1 ORDER BY 1",
    },
    Pair {
        name: "a funnel by the channel of its first step",
        ours: "SELECT channel, step, MEASURE(entities), MEASURE(rate), MEASURE(drop_off)
               FROM retail.loyalty GROUP BY channel, step, position ORDER BY channel, position",
        plain: "WITH counts AS (
                  SELECT v.channel, count(DISTINCT v.visitor_id) AS visits, count(DISTINCT o.customer_id) AS orders,
                         count(DISTINCT a.customer_id) AS again
                  FROM visits v
                  LEFT JOIN paid o ON o.customer_id = v.visitor_id AND o.ordered_at >= v.visited_at
                                  AND o.ordered_at <= v.visited_at + INTERVAL '30 days'
                  LEFT JOIN paid a ON a.customer_id = o.customer_id AND a.ordered_at > o.ordered_at
                                  AND a.ordered_at <= v.visited_at + INTERVAL '30 days'
                  GROUP BY v.channel)
                SELECT channel, step, entities, rate, drop_off FROM (
                  SELECT channel, 1 AS position, 'visit' AS step, visits AS entities, 1.0 AS rate, NULL AS drop_off
                  FROM counts
                  UNION ALL
                  SELECT channel, 2, 'order', orders, CAST(orders AS DOUBLE) / visits,
                         CAST(visits - orders AS DOUBLE) / visits FROM counts
                  UNION ALL
                  SELECT channel, 3, 'again', again, CAST(again AS DOUBLE) / visits,
                         CAST(orders - again AS DOUBLE) / orders FROM counts)
                ORDER BY channel, position",
    },
    Pair {
        name: "a cohort by month, with the months in which nobody came back and without those that are not over",
        ours: "SELECT * FROM retail.retention ORDER BY cohort, age",
        plain: "WITH numbered AS (
                  SELECT customer_id, date_trunc('month', ordered_at) AS month,
                         12 * extract(year FROM ordered_at) + extract(month FROM ordered_at) AS number
                  FROM paid WHERE customer_id IS NOT NULL),
                begun AS (SELECT customer_id, min(month) AS month, min(number) AS number FROM numbered GROUP BY 1),
                active AS (SELECT DISTINCT customer_id, number FROM numbered),
                known AS (SELECT max(12 * extract(year FROM ordered_at) + extract(month FROM ordered_at)) AS number
                          FROM live)
                SELECT CAST(begun.month AS DATE), ages.value, count(active.customer_id),
                       CAST(count(active.customer_id) AS DOUBLE) / count(*)
                FROM begun CROSS JOIN generate_series(0, 12) AS ages CROSS JOIN known
                LEFT JOIN active ON active.customer_id = begun.customer_id
                                AND active.number = begun.number + ages.value
                WHERE begun.number + ages.value <= known.number
                GROUP BY 1, 2 ORDER BY 1, 2",
    },
    Pair {
        name: "a cohort against the direction of a join: a member counts in each category of the first order",
        ours: "SELECT category, age, MEASURE(entities), MEASURE(rate)
               FROM retail.retention WHERE age IN (0, 1) AND metric_time < '2025-06-01'
               GROUP BY category, age ORDER BY category, age",
        plain: "WITH first AS (
                  SELECT * FROM (
                    SELECT *, row_number() OVER (PARTITION BY customer_id ORDER BY ordered_at, order_id) AS number
                    FROM paid WHERE customer_id IS NOT NULL)
                  WHERE number = 1 AND ordered_at < TIMESTAMP '2025-06-01'),
                kinds AS (
                  SELECT DISTINCT order_id, customer_id, ordered_at, category_name
                  FROM first LEFT JOIN order_items USING (order_id) LEFT JOIN products USING (product_id)
                  LEFT JOIN categories USING (category_id))
                SELECT category_name, 0, count(DISTINCT customer_id), 1.0 FROM kinds GROUP BY 1
                UNION ALL
                SELECT category_name, 1, count(DISTINCT paid.customer_id),
                       CAST(count(DISTINCT paid.customer_id) AS DOUBLE) / count(DISTINCT kinds.customer_id)
                FROM kinds LEFT JOIN paid ON paid.customer_id = kinds.customer_id
                     AND date_trunc('month', paid.ordered_at)
                         = date_trunc('month', kinds.ordered_at) + INTERVAL '1 month'
                GROUP BY 1 ORDER BY 1, 2",
    },
    Pair {
        name: "distinct counts by month, each fact by its own time",
        ours: "SELECT metric_time__month, MEASURE(buyers), MEASURE(visitors), MEASURE(conversion)
               FROM retail.indicators GROUP BY metric_time__month ORDER BY metric_time__month",
        plain: "SELECT o.month, buyers, visitors, CAST(buyers AS DOUBLE) / visitors
                FROM (SELECT date_trunc('month', ordered_at) AS month, count(DISTINCT customer_id) AS buyers
                      FROM paid GROUP BY 1) o
                JOIN (SELECT date_trunc('month', visited_at) AS month, count(DISTINCT visitor_id) AS visitors
                      FROM visits GROUP BY 1) v ON o.month = v.month ORDER BY 1",
    },
    Pair {
        name: "the broken payment step of 华南 in autumn 2025",
        ours: "SELECT metric_time__month, MEASURE(payment_success), MEASURE(checkout_rate), MEASURE(visit_count)
               FROM retail.indicators
               WHERE region = '华南' AND platform = 'app'
                 AND metric_time >= TIMESTAMP '2025-07-01' AND metric_time < TIMESTAMP '2026-01-01'
               GROUP BY metric_time__month ORDER BY metric_time__month",
        plain: "SELECT date_trunc('month', visited_at),
                       CAST(count(*) FILTER (WHERE reached = 'pay') AS DOUBLE)
                       / count(*) FILTER (WHERE reached IN ('checkout', 'pay')),
                       CAST(count(*) FILTER (WHERE reached IN ('checkout', 'pay')) AS DOUBLE) / count(*), count(*)
                FROM visits JOIN cities USING (city_id)
                WHERE region = '华南' AND platform = 'app' AND visited_at >= TIMESTAMP '2025-07-01'
                GROUP BY 1 ORDER BY 1",
    },
    Pair {
        name: "fan-out: an order counts once in each of its categories, and in NULL without a known one",
        ours: "SELECT category, MEASURE(gmv), MEASURE(orders_paid), MEASURE(buyers), MEASURE(median_order)
               FROM retail.indicators GROUP BY category ORDER BY category",
        plain: "SELECT category_name, sum(amount), count(*), count(DISTINCT customer_id),
                       percentile_cont(0.5) WITHIN GROUP (ORDER BY amount)
                FROM (SELECT DISTINCT order_id, amount, customer_id, category_name
                      FROM paid LEFT JOIN order_items USING (order_id) LEFT JOIN products USING (product_id)
                      LEFT JOIN categories USING (category_id))
                GROUP BY category_name ORDER BY 1",
    },
    Pair {
        name: "fan-out by department: averages over orders, not over lines",
        ours: "SELECT department, MEASURE(fulfil_hours), MEASURE(aov)
               FROM retail.indicators WHERE channel = 'online' GROUP BY department ORDER BY department",
        plain: "SELECT department, avg(hours), CAST(sum(amount) FILTER (WHERE status NOT IN ('created', 'cancelled'))
                                                    AS DOUBLE)
                                   / count(*) FILTER (WHERE status NOT IN ('created', 'cancelled'))
                FROM (SELECT DISTINCT order_id, amount, status, department,
                             (extract(epoch FROM delivered_at) - extract(epoch FROM ordered_at)) / 3600 AS hours
                      FROM live LEFT JOIN order_items USING (order_id) LEFT JOIN products USING (product_id)
                      LEFT JOIN categories USING (category_id) WHERE channel = 'online')
                GROUP BY department ORDER BY 1",
    },
    Pair {
        name: "fan-out in a condition: orders with a snack in them",
        ours: "SELECT region, MEASURE(gmv), MEASURE(orders_paid)
               FROM retail.indicators WHERE category = '零食' GROUP BY region ORDER BY region",
        plain: "SELECT region, sum(amount), count(*)
                FROM paid LEFT JOIN cities USING (city_id)
                WHERE order_id IN (SELECT order_id FROM order_items JOIN products USING (product_id)
                                   JOIN categories USING (category_id) WHERE category_name = '零食')
                GROUP BY region ORDER BY 1",
    },
    Pair {
        name: "condition and group on one child mean the same line",
        ours: "SELECT category, MEASURE(orders_paid)
               FROM retail.indicators WHERE department = '食品' GROUP BY category ORDER BY category",
        plain: "SELECT category_name, count(DISTINCT order_id)
                FROM paid JOIN order_items USING (order_id) JOIN products USING (product_id)
                JOIN categories USING (category_id)
                WHERE department = '食品' GROUP BY category_name ORDER BY 1",
    },
    Pair {
        name: "lines and returns by category, returns of unknown lines kept",
        ours: "SELECT category, MEASURE(item_sales), MEASURE(sold_units), MEASURE(returned_units), MEASURE(return_rate)
               FROM retail.indicators GROUP BY category ORDER BY category",
        plain: "SELECT coalesce(s.category_name, r.category_name), sales, sold, back, CAST(back AS DOUBLE) / sold
                FROM (SELECT category_name, sum(quantity * price) AS sales, sum(quantity) AS sold
                      FROM paid JOIN order_items USING (order_id) LEFT JOIN products USING (product_id)
                      LEFT JOIN categories USING (category_id) GROUP BY category_name) s
                FULL JOIN (SELECT category_name, sum(returns.quantity) AS back
                           FROM returns LEFT JOIN order_items USING (order_id, line_no)
                           LEFT JOIN products USING (product_id) LEFT JOIN categories USING (category_id)
                           GROUP BY category_name) r
                ON s.category_name IS NOT DISTINCT FROM r.category_name ORDER BY 1",
    },
    Pair {
        name: "returns reach the region of their order through the composite key; orphans fall to NULL",
        ours: "SELECT region, MEASURE(returned_amount) FROM retail.indicators GROUP BY region ORDER BY region",
        plain: "SELECT region, sum(returns.amount)
                FROM returns LEFT JOIN order_items USING (order_id, line_no)
                LEFT JOIN live ON order_items.order_id = live.order_id LEFT JOIN cities USING (city_id)
                GROUP BY region ORDER BY 1",
    },
    Pair {
        name: "role-playing: sold here, sent there",
        ours: "SELECT region, ship_region, MEASURE(orders_paid)
               FROM retail.indicators WHERE region <> ship_region
               GROUP BY region, ship_region ORDER BY region, ship_region",
        plain: "SELECT sold.region, sent.region, count(*)
                FROM paid LEFT JOIN cities sold ON paid.city_id = sold.city_id
                LEFT JOIN cities sent ON paid.ship_city_id = sent.city_id
                WHERE sold.region <> sent.region GROUP BY 1, 2 ORDER BY 1, 2",
    },
    Pair {
        name: "a chain of two joins: where members live; unknown members and sales without one are NULL",
        ours: "SELECT home_region, MEASURE(gmv), MEASURE(ticket_count)
               FROM retail.indicators GROUP BY home_region ORDER BY home_region",
        plain: "SELECT coalesce(o.region, t.region), gmv, tickets
                FROM (SELECT region, sum(amount) AS gmv
                      FROM paid LEFT JOIN customers ON paid.customer_id = customers.customer_id
                      LEFT JOIN cities ON customers.city_id = cities.city_id GROUP BY region) o
                FULL JOIN (SELECT region, count(*) AS tickets
                           FROM tickets LEFT JOIN customers ON tickets.customer_id = customers.customer_id
                           LEFT JOIN cities ON customers.city_id = cities.city_id GROUP BY region) t
                ON o.region IS NOT DISTINCT FROM t.region ORDER BY 1",
    },
    Pair {
        name: "conversion of members by level: anonymous visitors are NULL",
        ours: "SELECT customer_level, MEASURE(buyers), MEASURE(visitors), MEASURE(conversion)
               FROM retail.indicators GROUP BY customer_level ORDER BY customer_level",
        plain: "SELECT v.level, buyers, visitors, CAST(buyers AS DOUBLE) / visitors
                FROM (SELECT level, count(DISTINCT paid.customer_id) AS buyers
                      FROM paid LEFT JOIN customers USING (customer_id) GROUP BY level) o
                FULL JOIN (SELECT level, count(DISTINCT visitor_id) AS visitors
                           FROM visits LEFT JOIN customers ON visitor_id = customer_id GROUP BY level) v
                ON o.level IS NOT DISTINCT FROM v.level ORDER BY 1",
    },
    Pair {
        name: "an indicator's own time axis beside another's",
        ours: "SELECT metric_time__quarter, MEASURE(orders_placed), MEASURE(shipped), MEASURE(delivered)
               FROM retail.indicators WHERE channel = 'online'
               GROUP BY metric_time__quarter ORDER BY metric_time__quarter",
        plain: "SELECT p.q, placed, shipped, delivered
                FROM (SELECT date_trunc('quarter', ordered_at) AS q, count(*) AS placed
                      FROM live WHERE channel = 'online' GROUP BY 1) p
                JOIN (SELECT date_trunc('quarter', shipped_at) AS q, count(*) AS shipped
                      FROM live WHERE channel = 'online' AND shipped_at IS NOT NULL GROUP BY 1) s ON p.q = s.q
                JOIN (SELECT date_trunc('quarter', delivered_at) AS q, count(*) AS delivered
                      FROM live WHERE channel = 'online' AND delivered_at IS NOT NULL GROUP BY 1) d ON p.q = d.q
                ORDER BY 1",
    },
    Pair {
        name: "a named time dimension, whichever the indicator's own is",
        ours: "SELECT shipped_at__week, MEASURE(orders_paid)
               FROM retail.indicators WHERE shipped_at IS NOT NULL GROUP BY shipped_at__week ORDER BY shipped_at__week",
        plain: "SELECT date_trunc('week', shipped_at), count(*) FROM paid WHERE shipped_at IS NOT NULL GROUP BY 1 ORDER BY 1",
    },
    Pair {
        name: "fulfilment: average, percentile and a filtered share",
        ours: "SELECT channel, region, MEASURE(fulfil_hours), MEASURE(p90_fulfil_hours), MEASURE(ship_hours),
                      MEASURE(on_time_rate)
               FROM retail.indicators WHERE channel <> 'store' AND region IS NOT NULL
               GROUP BY channel, region ORDER BY channel, region",
        plain: "SELECT channel, region, avg(hours), percentile_cont(0.9) WITHIN GROUP (ORDER BY hours),
                       avg((extract(epoch FROM shipped_at) - extract(epoch FROM ordered_at)) / 3600),
                       CAST(count(*) FILTER (WHERE hours <= 72) AS DOUBLE) / count(hours)
                FROM (SELECT *, (extract(epoch FROM delivered_at) - extract(epoch FROM ordered_at)) / 3600 AS hours
                      FROM live JOIN cities USING (city_id))
                WHERE channel <> 'store' GROUP BY channel, region ORDER BY 1, 2",
    },
    Pair {
        name: "service: times in UTC are cut by the calendar's zone",
        ours: "SELECT metric_time__day, MEASURE(ticket_count), MEASURE(satisfaction), MEASURE(average_wait)
               FROM retail.indicators GROUP BY metric_time__day ORDER BY metric_time__day",
        plain: "SELECT date_trunc('day', arrow_cast(opened_at, 'Timestamp(Millisecond, None)') + INTERVAL '8 hours'),
                       count(*), avg(score), avg(wait_seconds)
                FROM tickets GROUP BY 1 ORDER BY 1",
    },
    Pair {
        name: "service by topic, joined with the orders that it follows",
        ours: "SELECT channel, MEASURE(ticket_rate), MEASURE(satisfied_rate), MEASURE(survey_rate), MEASURE(p95_wait)
               FROM retail.indicators GROUP BY channel ORDER BY channel",
        plain: "SELECT t.channel, CAST(tickets AS DOUBLE) / orders, satisfied, answered, p95
                FROM (SELECT channel, count(*) AS tickets,
                             CAST(count(score) FILTER (WHERE score >= 4) AS DOUBLE) / count(score) AS satisfied,
                             CAST(count(score) AS DOUBLE) / count(*) AS answered,
                             percentile_cont(0.95) WITHIN GROUP (ORDER BY wait_seconds) AS p95
                      FROM tickets GROUP BY channel) t
                JOIN (SELECT channel, count(*) AS orders FROM paid GROUP BY channel) o ON o.channel = t.channel
                ORDER BY 1",
    },
    Pair {
        name: "ROLLUP: subtotals of a distinct count come from the rows",
        ours: "SELECT channel, order_size, MEASURE(buyers), MEASURE(gmv)
               FROM retail.indicators GROUP BY ROLLUP (channel, order_size) ORDER BY channel, order_size",
        plain: "SELECT channel, size, count(DISTINCT customer_id), sum(amount)
                FROM (SELECT *, CASE WHEN amount >= 500 THEN 'large' WHEN amount >= 100 THEN 'medium' ELSE 'small' END
                                AS size FROM paid)
                GROUP BY ROLLUP (channel, size) ORDER BY 1, 2",
    },
    Pair {
        name: "CUBE over two facts, with the flags",
        ours: "SELECT channel, customer_level, GROUPING(channel), GROUPING(customer_level), MEASURE(buyers),
                      MEASURE(visitors)
               FROM retail.indicators WHERE customer_level IS NOT NULL
               GROUP BY CUBE (channel, customer_level) ORDER BY 3, 4, 1, 2",
        plain: "SELECT o.channel, o.level, o.gc, o.gl, buyers, visitors
                FROM (SELECT channel, level, GROUPING(channel) AS gc, GROUPING(level) AS gl,
                             count(DISTINCT customer_id) AS buyers
                      FROM paid JOIN customers USING (customer_id) GROUP BY CUBE (channel, level)) o
                JOIN (SELECT channel, level, GROUPING(channel) AS gc, GROUPING(level) AS gl,
                             count(DISTINCT visitor_id) AS visitors
                      FROM visits JOIN customers ON visitor_id = customer_id GROUP BY CUBE (channel, level)) v
                ON (o.channel IS NOT DISTINCT FROM v.channel) AND (o.level IS NOT DISTINCT FROM v.level)
                   AND o.gc = v.gc AND o.gl = v.gl
                ORDER BY 3, 4, 1, 2",
    },
    Pair {
        name: "filters: in the model, in the question, and AGG as another name",
        ours: "SELECT metric_time__year, MEASURE(online_gmv), AGG(online_share),
                      AGGREGATE(gmv) FILTER (WHERE order_size = 'large')
               FROM retail.indicators GROUP BY metric_time__year ORDER BY metric_time__year",
        plain: "SELECT date_trunc('year', ordered_at), sum(amount) FILTER (WHERE channel = 'online'),
                       CAST(sum(amount) FILTER (WHERE channel = 'online') AS DOUBLE) / CAST(sum(amount) AS DOUBLE),
                       sum(amount) FILTER (WHERE amount >= 500)
                FROM paid GROUP BY 1 ORDER BY 1",
    },
    Pair {
        name: "HAVING and ORDER BY a measure that is not shown, with a LIMIT",
        ours: "SELECT city, MEASURE(gmv) FROM retail.indicators
               WHERE city IS NOT NULL GROUP BY city HAVING MEASURE(orders_paid) > 1000
               ORDER BY MEASURE(aov) DESC LIMIT 5",
        plain: "SELECT city_name, sum(amount) FROM paid JOIN cities USING (city_id)
                GROUP BY city_name HAVING count(*) > 1000 ORDER BY CAST(sum(amount) AS DOUBLE) / count(*) DESC LIMIT 5",
    },
    Pair {
        name: "a condition on the group's own grain of time",
        ours: "SELECT metric_time__month, MEASURE(gmv) FROM retail.indicators
               WHERE metric_time__month BETWEEN DATE '2025-04-01' AND DATE '2025-06-01'
               GROUP BY metric_time__month ORDER BY 1",
        plain: "SELECT date_trunc('month', ordered_at), sum(amount) FROM paid
                WHERE ordered_at >= TIMESTAMP '2025-04-01' AND ordered_at < TIMESTAMP '2025-07-01' GROUP BY 1 ORDER BY 1",
    },
    Pair {
        name: "windows over measures",
        ours: "SELECT metric_time__month, MEASURE(gmv) - lag(MEASURE(gmv)) OVER (ORDER BY metric_time__month) AS change,
                      rank() OVER (ORDER BY MEASURE(gmv) DESC) AS place
               FROM retail.indicators GROUP BY metric_time__month ORDER BY metric_time__month",
        plain: "SELECT month, gmv - lag(gmv) OVER (ORDER BY month), rank() OVER (ORDER BY gmv DESC)
                FROM (SELECT date_trunc('month', ordered_at) AS month, sum(amount) AS gmv FROM paid GROUP BY 1)
                ORDER BY 1",
    },
    Pair {
        name: "a CTE that carries indicators, grouped outside",
        ours: "WITH online AS (SELECT region, gmv, buyers FROM retail.indicators WHERE channel = 'online')
               SELECT region, MEASURE(gmv), MEASURE(buyers) FROM online GROUP BY region ORDER BY region",
        plain: "SELECT region, sum(amount), count(DISTINCT customer_id)
                FROM paid LEFT JOIN cities USING (city_id) WHERE channel = 'online' GROUP BY region ORDER BY 1",
    },
    Pair {
        name: "a CTE that is grouped, and aggregated again",
        ours: "WITH monthly AS (SELECT metric_time__month AS month, region, MEASURE(gmv) AS value
                                FROM retail.indicators WHERE region IS NOT NULL GROUP BY metric_time__month, region)
               SELECT region, max(value), min(value), count(*) FROM monthly GROUP BY region ORDER BY region",
        plain: "WITH monthly AS (SELECT date_trunc('month', ordered_at) AS month, region, sum(amount) AS value
                                 FROM paid JOIN cities USING (city_id) GROUP BY 1, 2)
                SELECT region, max(value), min(value), count(*) FROM monthly GROUP BY region ORDER BY region",
    },
    Pair {
        name: "UNION ALL of two questions",
        ours: "SELECT 'gmv' AS what, channel, CAST(MEASURE(gmv) AS DOUBLE) AS value FROM retail.indicators GROUP BY channel
               UNION ALL
               SELECT 'visitors', channel, CAST(MEASURE(visitors) AS DOUBLE) FROM retail.indicators GROUP BY channel
               ORDER BY what, channel",
        plain: "SELECT 'gmv' AS what, channel, CAST(sum(amount) AS DOUBLE) AS value FROM paid GROUP BY channel
                UNION ALL
                SELECT 'visitors', channel, CAST(count(DISTINCT visitor_id) AS DOUBLE) FROM visits GROUP BY channel
                ORDER BY what, channel",
    },
    Pair {
        name: "two questions joined on a shared dimension",
        ours: "SELECT a.region, a.value, b.value
               FROM (SELECT region, MEASURE(conversion) AS value FROM retail.indicators
                     WHERE channel = 'online' GROUP BY region) a
               JOIN (SELECT region, MEASURE(satisfaction) AS value FROM retail.indicators GROUP BY region) b
               ON a.region = b.region ORDER BY a.region",
        plain: "SELECT o.region, CAST(buyers AS DOUBLE) / visitors, score
                FROM (SELECT region, count(DISTINCT customer_id) AS buyers
                      FROM paid JOIN cities USING (city_id) WHERE channel = 'online' GROUP BY region) o
                JOIN (SELECT region, count(DISTINCT visitor_id) AS visitors
                      FROM visits JOIN cities USING (city_id) WHERE channel = 'online' GROUP BY region) v
                ON o.region = v.region
                JOIN (SELECT region, avg(score) AS score FROM tickets JOIN cities USING (city_id) GROUP BY region) t
                ON o.region = t.region ORDER BY 1",
    },
    Pair {
        name: "an answer joined with an ordinary table",
        ours: "SELECT plan.channel, sales.gmv, plan.share
               FROM (SELECT channel, MEASURE(gmv) AS gmv FROM retail.indicators GROUP BY channel) AS sales
               JOIN (VALUES ('online', 0.5), ('store', 0.3)) AS plan(channel, share)
               ON sales.channel = plan.channel ORDER BY plan.channel",
        plain: "SELECT plan.channel, sum(amount), plan.share
                FROM paid JOIN (VALUES ('online', 0.5), ('store', 0.3)) AS plan(channel, share)
                ON paid.channel = plan.channel GROUP BY plan.channel, plan.share ORDER BY 1",
    },
    Pair {
        name: "an indicator's own view, at its grain",
        ours: "SELECT * FROM retail.gmv ORDER BY 1, 2, 3",
        plain: "SELECT date_trunc('day', ordered_at), region, channel, sum(amount)
                FROM paid LEFT JOIN cities USING (city_id) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
    },
    Pair {
        name: "the own view of an indicator without a grain: one total",
        ours: "SELECT value FROM retail.conversion",
        plain: "SELECT CAST((SELECT count(DISTINCT customer_id) FROM paid) AS DOUBLE)
                       / (SELECT count(DISTINCT visitor_id) FROM visits)",
    },
    Pair {
        name: "bare indicators beside GROUP BY, and arithmetic on them",
        ours: "SELECT store_format, gmv, gmv / orders_paid AS per_order, orders_paid
               FROM retail.indicators WHERE channel = 'store' GROUP BY store_format ORDER BY store_format",
        plain: "SELECT format, sum(amount), CAST(sum(amount) AS DOUBLE) / count(*), count(*)
                FROM paid JOIN stores USING (store_id) WHERE channel = 'store' GROUP BY format ORDER BY 1",
    },
    Pair {
        name: "a scalar subquery on an indicator",
        ours: "SELECT region, MEASURE(aov) FROM retail.indicators WHERE region IS NOT NULL GROUP BY region
               HAVING MEASURE(aov) > (SELECT MEASURE(aov) FROM retail.indicators) ORDER BY region",
        plain: "SELECT region, CAST(sum(amount) AS DOUBLE) / count(*) FROM paid JOIN cities USING (city_id)
                GROUP BY region
                HAVING CAST(sum(amount) AS DOUBLE) / count(*)
                       > (SELECT CAST(sum(amount) AS DOUBLE) / count(*) FROM paid) ORDER BY 1",
    },
    Pair {
        name: "stock by product: days without any, and the average",
        ours: "SELECT product, MEASURE(average_stock), MEASURE(stockout_days), MEASURE(stockout_rate)
               FROM retail.indicators WHERE category <> '零食' AND metric_time >= DATE '2025-01-01'
               GROUP BY product ORDER BY product",
        plain: "SELECT product_name, avg(quantity), count(*) FILTER (WHERE quantity = 0),
                       CAST(count(*) FILTER (WHERE quantity = 0) AS DOUBLE) / count(*)
                FROM daily_stock JOIN products USING (product_id) JOIN categories USING (category_id)
                WHERE category_name <> '零食' AND day >= DATE '2025-01-01' GROUP BY product_name ORDER BY 1",
    },
    Pair {
        name: "units per order: lines above, orders below, by the age of the member",
        ours: "SELECT registered_on__year, MEASURE(units_per_order), MEASURE(per_buyer)
               FROM retail.indicators GROUP BY registered_on__year ORDER BY registered_on__year",
        plain: "SELECT o.y, CAST(units AS DOUBLE) / orders, per_buyer
                FROM (SELECT date_trunc('year', registered_on) AS y, count(*) AS orders,
                             CAST(sum(amount) AS DOUBLE) / nullif(count(DISTINCT customer_id), 0) AS per_buyer
                      FROM paid LEFT JOIN customers USING (customer_id) GROUP BY 1) o
                JOIN (SELECT date_trunc('year', registered_on) AS y, sum(quantity) AS units
                      FROM paid JOIN order_items USING (order_id) LEFT JOIN customers USING (customer_id)
                      GROUP BY 1) u
                ON o.y IS NOT DISTINCT FROM u.y ORDER BY 1",
    },
];

#[tokio::test]
async fn questions_equal_hand_written_sql() {
    let engine = Engine::open(&project()).await.unwrap_or_else(|error| panic!("{error}"));
    assert_all_equal(&engine, &plain().await, PAIRS).await;
}

#[tokio::test]
async fn the_sql_to_compare_with_has_rows() {
    assert_plain_answers(&plain().await, PAIRS).await;
}

pub fn project() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/retail")
}

pub async fn plain() -> SessionContext {
    let ctx = SessionContext::new();
    for table in ["orders", "order_items", "visits", "returns", "tickets", "daily_stock"] {
        let path = project().join(format!("data/{table}.parquet"));
        ctx.register_parquet(table, path.to_str().unwrap(), ParquetReadOptions::new()).await.unwrap();
    }
    for table in ["customers", "stores", "cities", "products", "categories"] {
        let path = project().join(format!("data/{table}.csv"));
        ctx.register_csv(table, path.to_str().unwrap(), CsvReadOptions::new()).await.unwrap();
    }
    for view in [
        "CREATE VIEW live AS SELECT * FROM orders WHERE NOT is_test",
        "CREATE VIEW paid AS SELECT * FROM live WHERE status NOT IN ('created', 'cancelled')",
    ] {
        ctx.sql(view).await.unwrap();
    }
    ctx
}
