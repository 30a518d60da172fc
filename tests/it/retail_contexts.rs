//! Evaluation contexts in `examples/retail`, against hand-written SQL: the quick calculations, and shares, ranks,
//! percentiles, weighted means, deviations and correlations, with and without `at`, over joins and against directions.

use bellwether::Engine;

use crate::compare::{Pair, assert_all_equal, assert_plain_answers};
use crate::retail::{plain, project};

/// What the example does not declare.
const MORE: &str = "\
package retail

indicator mean_price     = sum(items.value) / sum(items.quantity) where paid
indicator mean_price_ago = mean_price at (previous year)
indicator mean_price_all = mean_price at (all department)
indicator deviation      = stddev(orders.amount) where paid
indicator variance       = var_samp(orders.amount) where paid
indicator spread         = stddev_pop(orders.amount) where paid
indicator linked         = corr(orders.amount, orders.discount) where paid
indicator together       = covar_samp(orders.amount, orders.discount) where paid
indicator together_pop   = covar_pop(orders.amount, orders.discount) where paid
indicator upper          = percentile_cont(0.9) within group (order by orders.amount) where paid
indicator upper_value    = percentile_disc(0.9) within group (order by orders.amount) where paid
indicator linked_all     = linked at (all department)
indicator deviation_28d  = deviation at (trailing 28 days)
indicator linked_ytd     = linked at (to date year)
indicator upper_ago      = upper_value at (previous year)
indicator median_ytd     = median_order at (to date year)
indicator buyers_28d     = buyers at (trailing 28 days)
indicator buyers_so_far  = buyers at (cumulative)
indicator per_buyer_so_far = per_buyer at (cumulative)
indicator conversion_ytd = conversion at (to date year)
indicator daily_mean     = avg(gmv per day)
indicator best_month     = max(avg(gmv per day) per month)
indicator days_linked    = corr(gmv per day, visitors per day)
indicator regulars       = count(distinct orders.customer_id) where paid and orders_paid per orders.customer_id >= 5
dimension buyer_band     = case when orders_paid per orders.customer_id >= 5 then 'regular' else 'other' end
";

const PAIRS: &[Pair] = &[
    Pair {
        name: "同期 同比 环期 环比 累计",
        ours: "SELECT metric_time__month AS month, gmv, gmv_year_ago, gmv_yoy, gmv_before, gmv_mom, gmv_so_far, gmv_ytd
               FROM retail.indicators WHERE metric_time >= DATE '2025-07-01' GROUP BY 1 ORDER BY 1",
        plain: "WITH m AS (SELECT date_trunc('month', ordered_at) AS month, sum(amount) AS gmv FROM paid GROUP BY 1),
                     w AS (SELECT month, gmv, lag(gmv, 12) OVER (ORDER BY month) AS ago, lag(gmv) OVER (ORDER BY month) AS before,
                                  sum(gmv) OVER (ORDER BY month) AS so_far,
                                  sum(gmv) OVER (PARTITION BY date_part('year', month) ORDER BY month) AS ytd FROM m)
                SELECT month, gmv, ago, CAST(gmv AS DOUBLE) / CAST(ago AS DOUBLE) - 1, before,
                       CAST(gmv AS DOUBLE) / CAST(before AS DOUBLE) - 1, so_far, ytd
                FROM w WHERE month >= TIMESTAMP '2025-07-01' ORDER BY 1",
    },
    Pair {
        name: "占比 组内占比 排名",
        ours: "SELECT region, city, gmv, gmv_share, gmv_share_in_group, RANK() OVER (ORDER BY MEASURE(gmv) DESC) AS place,
                      RANK() OVER (PARTITION BY region ORDER BY MEASURE(gmv) DESC) AS place_in_group
               FROM retail.indicators WHERE region IN ('华东', '华南') AND metric_time__year = '2025-01-01'
               GROUP BY region, city ORDER BY region, city",
        plain: "WITH c AS (SELECT region, city_name, sum(amount) AS gmv FROM paid JOIN cities USING (city_id)
                           WHERE region IN ('华东', '华南') AND date_part('year', ordered_at) = 2025 GROUP BY 1, 2)
                SELECT region, city_name, gmv, CAST(gmv AS DOUBLE) / CAST(sum(gmv) OVER () AS DOUBLE),
                       CAST(gmv AS DOUBLE) / CAST(sum(gmv) OVER (PARTITION BY region) AS DOUBLE),
                       RANK() OVER (ORDER BY gmv DESC), RANK() OVER (PARTITION BY region ORDER BY gmv DESC)
                FROM c ORDER BY 1, 2",
    },
    Pair {
        name: "期末值 上期末",
        ours: "SELECT metric_time__month AS month, stock, stock_before FROM retail.indicators
               WHERE metric_time >= DATE '2025-03-01' GROUP BY 1 ORDER BY 1",
        plain: "WITH l AS (SELECT date_trunc('month', day) AS month, quantity,
                                  row_number() OVER (PARTITION BY date_trunc('month', day), product_id ORDER BY day DESC) AS back
                           FROM daily_stock),
                     m AS (SELECT month, sum(quantity) AS stock FROM l WHERE back = 1 GROUP BY 1)
                SELECT month, stock, before FROM (SELECT month, stock, lag(stock) OVER (ORDER BY month) AS before FROM m)
                WHERE month >= DATE '2025-03-01' ORDER BY 1",
    },
    Pair {
        name: "a closing stock by department",
        ours: "SELECT department, stock FROM retail.indicators GROUP BY department ORDER BY department",
        plain: "SELECT department, sum(quantity) FROM daily_stock s JOIN products USING (product_id) JOIN categories USING (category_id)
                WHERE s.day = (SELECT max(t.day) FROM daily_stock t WHERE t.product_id = s.product_id)
                GROUP BY department ORDER BY 1",
    },
    Pair {
        name: "a weighted mean over a chain of joins, with and without at",
        ours: "SELECT department, mean_price, mean_price_ago, mean_price_all FROM retail.indicators
               WHERE metric_time__year = '2025-01-01' AND department IS NOT NULL GROUP BY department ORDER BY department",
        plain: "WITH l AS (SELECT department, date_part('year', ordered_at) AS year, quantity * price AS value, quantity
                           FROM order_items JOIN paid USING (order_id) LEFT JOIN products USING (product_id)
                           LEFT JOIN categories USING (category_id)),
                     s AS (SELECT department, year, CAST(sum(value) AS DOUBLE) / sum(quantity) AS mean FROM l GROUP BY 1, 2)
                SELECT a.department, a.mean, b.mean,
                       (SELECT CAST(sum(value) AS DOUBLE) / sum(quantity) FROM l WHERE year = 2025)
                FROM s a JOIN s b ON a.department = b.department AND a.year = 2025 AND b.year = 2024 ORDER BY 1",
    },
    Pair {
        name: "deviations, correlations and percentiles, by channel",
        ours: "SELECT channel, deviation, variance, spread, linked, together, together_pop, upper, upper_value, upper_ago
               FROM retail.indicators WHERE metric_time__year = '2025-01-01' GROUP BY channel ORDER BY channel",
        plain: "WITH y AS (SELECT *, date_part('year', ordered_at) AS year FROM paid),
                     s AS (SELECT channel, year, stddev(amount) AS d, var_samp(amount) AS v, stddev_pop(amount) AS p,
                                  corr(amount, discount) AS c, covar_samp(amount, discount) AS cs, covar_pop(amount, discount) AS cp,
                                  percentile_cont(0.9) WITHIN GROUP (ORDER BY amount) AS upper FROM y GROUP BY 1, 2),
                     r AS (SELECT channel, year, amount, row_number() OVER (PARTITION BY channel, year ORDER BY amount) AS at,
                                  count(*) OVER (PARTITION BY channel, year) AS n FROM y),
                     u AS (SELECT channel, year, min(amount) AS value FROM r WHERE at >= 0.9 * n GROUP BY 1, 2)
                SELECT s.channel, d, v, p, c, cs, cp, upper, u.value, ago.value
                FROM s JOIN u ON u.channel = s.channel AND u.year = 2025 JOIN u ago ON ago.channel = s.channel AND ago.year = 2024
                WHERE s.year = 2025 ORDER BY 1",
    },
    Pair {
        name: "the same against the direction of a join: each order once in each department",
        ours: "SELECT department, deviation, linked, linked_all, upper, upper_value
               FROM retail.indicators WHERE department IS NOT NULL AND channel = 'store' GROUP BY department ORDER BY department",
        plain: "WITH o AS (SELECT DISTINCT order_id, department FROM order_items JOIN products USING (product_id)
                           JOIN categories USING (category_id)),
                     d AS (SELECT department, amount, discount FROM paid JOIN o USING (order_id) WHERE channel = 'store'),
                     r AS (SELECT department, amount, row_number() OVER (PARTITION BY department ORDER BY amount) AS at,
                                  count(*) OVER (PARTITION BY department) AS n FROM d)
                SELECT d.department, stddev(amount), corr(amount, discount),
                       (SELECT corr(amount, discount) FROM paid WHERE channel = 'store'),
                       percentile_cont(0.9) WITHIN GROUP (ORDER BY amount),
                       (SELECT min(amount) FROM r WHERE at >= 0.9 * n AND r.department = d.department)
                FROM d GROUP BY d.department ORDER BY 1",
    },
    Pair {
        name: "windows of distinct counts and deviations are over their rows",
        ours: "SELECT metric_time__day AS day, buyers_28d, deviation_28d FROM retail.indicators
               WHERE metric_time >= DATE '2025-02-20' AND metric_time < DATE '2025-03-05' GROUP BY 1 ORDER BY 1",
        plain: "SELECT d.day, count(DISTINCT customer_id), stddev(amount)
                FROM (SELECT DISTINCT date_trunc('day', ordered_at) AS day FROM paid) d
                JOIN paid p ON p.ordered_at < d.day + INTERVAL '1 day' AND p.ordered_at >= d.day - INTERVAL '27 days'
                WHERE d.day >= TIMESTAMP '2025-02-20' AND d.day < TIMESTAMP '2025-03-05' GROUP BY 1 ORDER BY 1",
    },
    Pair {
        name: "cumulative over formulas, from the first row; to date over a median and a correlation",
        ours: "SELECT metric_time__quarter AS quarter, buyers_so_far, per_buyer_so_far, median_ytd, linked_ytd
               FROM retail.indicators WHERE metric_time >= DATE '2024-10-01' GROUP BY 1 ORDER BY 1",
        plain: "WITH q AS (SELECT DISTINCT date_trunc('quarter', ordered_at) AS quarter FROM paid),
                     s AS (SELECT quarter, count(DISTINCT customer_id) AS buyers, sum(amount) AS total
                           FROM q JOIN paid ON ordered_at < quarter + INTERVAL '3 months' GROUP BY 1),
                     y AS (SELECT quarter, percentile_cont(0.5) WITHIN GROUP (ORDER BY amount) AS mid, corr(amount, discount) AS c
                           FROM q JOIN paid ON ordered_at < quarter + INTERVAL '3 months'
                                               AND ordered_at >= date_trunc('year', quarter) GROUP BY 1)
                SELECT s.quarter, buyers, CAST(total AS DOUBLE) / buyers, mid, c FROM s JOIN y ON s.quarter = y.quarter
                WHERE s.quarter >= TIMESTAMP '2024-10-01' ORDER BY 1",
    },
    Pair {
        name: "a ratio of two facts, to date",
        ours: "SELECT metric_time__month AS month, conversion_ytd FROM retail.indicators
               WHERE metric_time__year = '2025-01-01' AND channel = 'online' GROUP BY 1 ORDER BY 1",
        plain: "WITH m AS (SELECT DISTINCT date_trunc('month', ordered_at) AS month FROM paid WHERE date_part('year', ordered_at) = 2025),
                     b AS (SELECT month, count(DISTINCT customer_id) AS n FROM m JOIN paid ON channel = 'online'
                           AND ordered_at >= TIMESTAMP '2025-01-01' AND ordered_at < month + INTERVAL '1 month' GROUP BY 1),
                     v AS (SELECT month, count(DISTINCT visitor_id) AS n FROM m JOIN visits ON channel = 'online'
                           AND visited_at >= TIMESTAMP '2025-01-01' AND visited_at < month + INTERVAL '1 month' GROUP BY 1)
                SELECT b.month, CAST(b.n AS DOUBLE) / v.n FROM b JOIN v ON b.month = v.month ORDER BY 1",
    },
    Pair {
        name: "aggregates of indicators, and their correlation day by day",
        ours: "SELECT region, daily_mean, best_month, days_linked FROM retail.indicators
               WHERE region IS NOT NULL AND metric_time__year = '2025-01-01' GROUP BY region ORDER BY region",
        plain: "WITH d AS (SELECT region, date_trunc('day', ordered_at) AS day, sum(amount) AS gmv FROM paid JOIN cities USING (city_id)
                           WHERE date_part('year', ordered_at) = 2025 GROUP BY 1, 2),
                     v AS (SELECT region, date_trunc('day', visited_at) AS day, count(DISTINCT visitor_id) AS n
                           FROM visits JOIN cities USING (city_id) WHERE date_part('year', visited_at) = 2025 GROUP BY 1, 2),
                     m AS (SELECT region, date_trunc('month', day) AS month, CAST(sum(gmv) AS DOUBLE) / count(*) AS mean FROM d GROUP BY 1, 2)
                SELECT d.region, CAST(sum(d.gmv) AS DOUBLE) / count(d.gmv), (SELECT max(mean) FROM m WHERE m.region = d.region),
                       corr(d.gmv, coalesce(v.n, 0))
                FROM d LEFT JOIN v ON d.region = v.region AND d.day = v.day GROUP BY d.region ORDER BY 1",
    },
    Pair {
        name: "customers banded by their orders, as a dimension and as a condition",
        ours: "SELECT buyer_band, gmv, buyers, regulars FROM retail.indicators WHERE channel = 'online'
               GROUP BY buyer_band ORDER BY buyer_band",
        plain: "WITH c AS (SELECT customer_id, count(*) AS n FROM paid GROUP BY 1),
                     o AS (SELECT paid.*, CASE WHEN n >= 5 THEN 'regular' ELSE 'other' END AS band
                           FROM paid LEFT JOIN c ON paid.customer_id IS NOT DISTINCT FROM c.customer_id WHERE channel = 'online')
                SELECT band, sum(amount), count(DISTINCT customer_id), count(DISTINCT customer_id) FILTER (WHERE band = 'regular')
                FROM o GROUP BY band ORDER BY 1",
    },
];

/// The example, with more indicators.
async fn engine() -> (tempfile::TempDir, Engine) {
    let folder = tempfile::tempdir().unwrap();
    copy(&project(), folder.path());
    std::fs::write(folder.path().join("more.bell"), MORE).unwrap();
    let engine = Engine::open(folder.path()).await.unwrap_or_else(|error| panic!("{error}"));
    (folder, engine)
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            std::fs::copy(&from, &to).unwrap();
        }
    }
}

#[tokio::test]
async fn contexts_equal_hand_written_sql() {
    let (_folder, engine) = engine().await;
    assert_all_equal(&engine, &plain().await, PAIRS).await;
}

#[tokio::test]
async fn the_sql_for_contexts_has_rows() {
    assert_plain_answers(&plain().await, PAIRS).await;
}
