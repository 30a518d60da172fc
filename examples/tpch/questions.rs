//! The questions of the suite, by id, as an analyst would ask them. Where a filtered sum has no rows, the suite wants
//! 0, and no number of orders for a month without orders.

/// Ids and SQL.
pub const QUESTIONS: &[(&str, &str)] = &[
    ("q01", "SELECT ship_date__month, MEASURE(revenue) FROM tpch.indicators GROUP BY 1"),
    (
        "q02",
        "SELECT return_flag, line_status, MEASURE(units), MEASURE(base_price), MEASURE(revenue), MEASURE(charge),
                MEASURE(average_units), MEASURE(average_price), MEASURE(average_discount), MEASURE(line_count)
         FROM tpch.indicators WHERE ship_date <= DATE '1998-09-02' GROUP BY 1, 2",
    ),
    ("q03", "SELECT customer_nation, order_date__year, MEASURE(revenue) FROM tpch.indicators GROUP BY 1, 2"),
    (
        "q04",
        "SELECT supplier_nation, MEASURE(revenue) FROM tpch.indicators
         WHERE supplier_nation = customer_nation AND supplier_region = 'ASIA'
           AND order_date >= DATE '1994-01-01' AND order_date < DATE '1995-01-01'
         GROUP BY 1",
    ),
    (
        "q05",
        "SELECT supplier_nation, order_date__year, MEASURE(profit) FROM tpch.indicators
         WHERE part_name LIKE '%green%' GROUP BY 1, 2",
    ),
    (
        "q06",
        "SELECT ship_date__month, 100 * MEASURE(promo_share) FROM tpch.indicators
         WHERE ship_date >= DATE '1995-01-01' AND ship_date < DATE '1996-01-01' GROUP BY 1",
    ),
    (
        "q07",
        "SELECT order_date__year,
                coalesce(MEASURE(revenue) FILTER (WHERE supplier_nation = 'BRAZIL'), 0) / MEASURE(revenue)
         FROM tpch.indicators
         WHERE customer_region = 'AMERICA' AND part_type = 'ECONOMY ANODIZED STEEL'
           AND order_date BETWEEN DATE '1995-01-01' AND DATE '1996-12-31'
         GROUP BY 1",
    ),
    (
        "q08",
        "SELECT metric_time__month, MEASURE(revenue), nullif(MEASURE(order_count), 0), MEASURE(revenue) / MEASURE(order_count)
         FROM tpch.indicators GROUP BY 1",
    ),
    ("q09", "SELECT order_date__month, MEASURE(buyers) FROM tpch.indicators GROUP BY 1"),
    ("q10", "SELECT ship_mode, ship_date__year, MEASURE(orders_shipped) FROM tpch.indicators GROUP BY 1, 2"),
    ("q11", "SELECT ordered_by, MEASURE(suppliers_used) FROM tpch.indicators GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 100"),
    (
        "q12",
        "SELECT order_priority, MEASURE(order_value), MEASURE(order_count), MEASURE(average_order), MEASURE(revenue)
         FROM tpch.indicators GROUP BY 1",
    ),
    (
        "q13",
        "SELECT ship_mode, MEASURE(order_count), MEASURE(order_value), MEASURE(average_order), MEASURE(revenue)
         FROM tpch.indicators GROUP BY 1",
    ),
    (
        "q14",
        "SELECT metric_time__month, MEASURE(revenue), MEASURE(revenue) AT (PREVIOUS YEAR),
                MEASURE(revenue) / MEASURE(revenue) AT (PREVIOUS YEAR) - 1
         FROM tpch.indicators GROUP BY 1",
    ),
    (
        "q15",
        "SELECT metric_time__month, MEASURE(revenue), MEASURE(revenue) AT (TRAILING 3 MONTHS),
                MEASURE(revenue) AT (TO DATE YEAR)
         FROM tpch.indicators GROUP BY 1",
    ),
    (
        "q16",
        "SELECT supplier_nation, MEASURE(revenue), MEASURE(revenue) / MEASURE(revenue) AT (ALL supplier_nation)
         FROM tpch.indicators GROUP BY 1",
    ),
    (
        "q17",
        "SELECT customer_key, customer_name, customer_nation, MEASURE(revenue) FROM tpch.indicators
         GROUP BY 1, 2, 3 ORDER BY 4 DESC LIMIT 10",
    ),
    (
        "q18",
        "SELECT ship_mode, MEASURE(price_p50), MEASURE(price_p90), MEASURE(price_p99) FROM tpch.indicators GROUP BY 1",
    ),
    (
        "q19",
        "SELECT return_flag, line_status, ship_mode, ship_instruct, MEASURE(revenue), MEASURE(line_count)
         FROM tpch.indicators GROUP BY CUBE (return_flag, line_status, ship_mode, ship_instruct)",
    ),
    (
        "q20",
        "SELECT ship_mode, MEASURE(line_count), MEASURE(late_rate), MEASURE(late_urgent_lines)
         FROM tpch.indicators GROUP BY 1",
    ),
    (
        "q21",
        "SELECT ship_date__month,
                coalesce(MEASURE(revenue) FILTER (WHERE ship_mode = 'AIR'), 0),
                coalesce(MEASURE(revenue) FILTER (WHERE ship_mode = 'TRUCK'), 0),
                coalesce(MEASURE(revenue) FILTER (WHERE ship_mode = 'SHIP'), 0),
                coalesce(MEASURE(revenue) FILTER (WHERE ship_mode = 'RAIL'), 0),
                coalesce(MEASURE(revenue) FILTER (WHERE ship_mode = 'MAIL'), 0),
                coalesce(MEASURE(revenue) FILTER (WHERE ship_mode = 'FOB'), 0),
                coalesce(MEASURE(revenue) FILTER (WHERE ship_mode = 'REG AIR'), 0),
                coalesce(MEASURE(revenue) FILTER (WHERE ship_instruct = 'DELIVER IN PERSON'), 0),
                coalesce(MEASURE(revenue) FILTER (WHERE ship_instruct = 'COLLECT COD'), 0),
                coalesce(MEASURE(revenue) FILTER (WHERE ship_instruct = 'NONE'), 0),
                coalesce(MEASURE(revenue) FILTER (WHERE ship_instruct = 'TAKE BACK RETURN'), 0),
                coalesce(MEASURE(units) FILTER (WHERE return_flag = 'R'), 0),
                coalesce(MEASURE(units) FILTER (WHERE return_flag = 'A'), 0),
                coalesce(MEASURE(units) FILTER (WHERE return_flag = 'N'), 0),
                coalesce(MEASURE(line_count) FILTER (WHERE receipt_date > commit_date), 0),
                coalesce(MEASURE(revenue) FILTER (WHERE line_discount > 0.05), 0),
                coalesce(MEASURE(revenue) FILTER (WHERE line_quantity >= 25), 0),
                coalesce(MEASURE(base_price) FILTER (WHERE line_tax = 0), 0),
                coalesce(MEASURE(units) FILTER (WHERE line_status = 'F'), 0),
                coalesce(MEASURE(revenue) FILTER (WHERE ship_date > commit_date), 0)
         FROM tpch.indicators GROUP BY 1",
    ),
    ("q22", "SELECT metric_time__month, MEASURE(buyers) AT (TRAILING 3 MONTHS) FROM tpch.indicators GROUP BY 1"),
];
