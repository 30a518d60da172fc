//! Eleven TPC-H queries asked as indicator questions, and a few that only indicators make easy, beside their SQL.
//!
//! Where TPC-H divides decimals, the hand-written SQL divides doubles, as Bell does, and an average is a sum divided by a
//! count. Q8 asks for a nation that has rows at scale 0.01.

use crate::compare::Pair;

/// What is asked, and the SQL that gives the same rows.
pub const PAIRS: &[Pair] = &[
    Pair {
        name: "Q1, pricing summary",
        ours: "SELECT return_flag, line_status, MEASURE(units), MEASURE(base_price), MEASURE(revenue), MEASURE(charge),
                      MEASURE(average_units), MEASURE(average_price), MEASURE(average_discount), MEASURE(line_count)
               FROM tpch.indicators WHERE ship_date <= DATE '1998-09-02'
               GROUP BY return_flag, line_status ORDER BY return_flag, line_status",
        plain: "SELECT l_returnflag, l_linestatus, sum(l_quantity), sum(l_extendedprice),
                       sum(l_extendedprice * (1 - l_discount)), sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)),
                       CAST(sum(l_quantity) AS DOUBLE) / count(l_quantity),
                       CAST(sum(l_extendedprice) AS DOUBLE) / count(l_extendedprice),
                       CAST(sum(l_discount) AS DOUBLE) / count(l_discount), count(*)
                FROM lineitem WHERE l_shipdate <= DATE '1998-09-02'
                GROUP BY l_returnflag, l_linestatus ORDER BY l_returnflag, l_linestatus",
    },
    Pair {
        name: "Q3, shipping priority",
        ours: "SELECT order_key, MEASURE(revenue) AS revenue, order_date, ship_priority
               FROM tpch.indicators
               WHERE market_segment = 'BUILDING' AND order_date < DATE '1995-03-15' AND ship_date > DATE '1995-03-15'
               GROUP BY order_key, order_date, ship_priority ORDER BY 2 DESC, order_date, order_key LIMIT 10",
        plain: "SELECT l_orderkey, sum(l_extendedprice * (1 - l_discount)) AS revenue, o_orderdate, o_shippriority
                FROM customer, orders, lineitem
                WHERE c_mktsegment = 'BUILDING' AND c_custkey = o_custkey AND l_orderkey = o_orderkey
                  AND o_orderdate < DATE '1995-03-15' AND l_shipdate > DATE '1995-03-15'
                GROUP BY l_orderkey, o_orderdate, o_shippriority ORDER BY revenue DESC, o_orderdate, l_orderkey LIMIT 10",
    },
    Pair {
        name: "Q5, local supplier volume",
        ours: "SELECT supplier_nation, MEASURE(revenue)
               FROM tpch.indicators
               WHERE customer_nation = supplier_nation AND supplier_region = 'ASIA'
                 AND order_date >= DATE '1994-01-01' AND order_date < DATE '1995-01-01'
               GROUP BY supplier_nation ORDER BY MEASURE(revenue) DESC",
        plain: "SELECT n_name, sum(l_extendedprice * (1 - l_discount)) AS revenue
                FROM customer, orders, lineitem, supplier, nation, region
                WHERE c_custkey = o_custkey AND l_orderkey = o_orderkey AND l_suppkey = s_suppkey
                  AND c_nationkey = s_nationkey AND s_nationkey = n_nationkey AND n_regionkey = r_regionkey
                  AND r_name = 'ASIA' AND o_orderdate >= DATE '1994-01-01' AND o_orderdate < DATE '1995-01-01'
                GROUP BY n_name ORDER BY revenue DESC",
    },
    Pair {
        name: "Q6, forecasting revenue change",
        ours: "SELECT MEASURE(discount_given)
               FROM tpch.indicators
               WHERE ship_date >= DATE '1994-01-01' AND ship_date < DATE '1995-01-01'
                 AND line_discount BETWEEN 0.05 AND 0.07 AND line_quantity < 24",
        plain: "SELECT sum(l_extendedprice * l_discount)
                FROM lineitem
                WHERE l_shipdate >= DATE '1994-01-01' AND l_shipdate < DATE '1995-01-01'
                  AND l_discount BETWEEN 0.05 AND 0.07 AND l_quantity < 24",
    },
    Pair {
        name: "Q7, volume shipping",
        ours: "SELECT supplier_nation, customer_nation, ship_date__extract_year, MEASURE(revenue)
               FROM tpch.indicators
               WHERE ((supplier_nation = 'FRANCE' AND customer_nation = 'GERMANY')
                      OR (supplier_nation = 'GERMANY' AND customer_nation = 'FRANCE'))
                 AND ship_date BETWEEN DATE '1995-01-01' AND DATE '1996-12-31'
               GROUP BY supplier_nation, customer_nation, ship_date__extract_year ORDER BY 1, 2, 3",
        plain: "SELECT n1.n_name, n2.n_name, extract(year FROM l_shipdate), sum(l_extendedprice * (1 - l_discount))
                FROM supplier, lineitem, orders, customer, nation n1, nation n2
                WHERE s_suppkey = l_suppkey AND o_orderkey = l_orderkey AND c_custkey = o_custkey
                  AND s_nationkey = n1.n_nationkey AND c_nationkey = n2.n_nationkey
                  AND ((n1.n_name = 'FRANCE' AND n2.n_name = 'GERMANY')
                       OR (n1.n_name = 'GERMANY' AND n2.n_name = 'FRANCE'))
                  AND l_shipdate BETWEEN DATE '1995-01-01' AND DATE '1996-12-31'
                GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
    },
    Pair {
        name: "Q8, national market share",
        ours: "SELECT order_date__extract_year,
                      MEASURE(revenue) FILTER (WHERE supplier_nation = 'PERU') / MEASURE(revenue) AS share
               FROM tpch.indicators
               WHERE customer_region = 'AMERICA' AND part_type = 'ECONOMY ANODIZED STEEL'
                 AND order_date BETWEEN DATE '1995-01-01' AND DATE '1996-12-31'
               GROUP BY order_date__extract_year ORDER BY 1",
        plain: "SELECT o_year, CAST(sum(volume) FILTER (WHERE nation = 'PERU') AS DOUBLE) / CAST(sum(volume) AS DOUBLE)
                FROM (SELECT extract(year FROM o_orderdate) AS o_year, l_extendedprice * (1 - l_discount) AS volume,
                             n2.n_name AS nation
                      FROM part, supplier, lineitem, orders, customer, nation n1, nation n2, region
                      WHERE p_partkey = l_partkey AND s_suppkey = l_suppkey AND l_orderkey = o_orderkey
                        AND o_custkey = c_custkey AND c_nationkey = n1.n_nationkey AND n1.n_regionkey = r_regionkey
                        AND r_name = 'AMERICA' AND s_nationkey = n2.n_nationkey AND p_type = 'ECONOMY ANODIZED STEEL'
                        AND o_orderdate BETWEEN DATE '1995-01-01' AND DATE '1996-12-31') AS all_nations
                GROUP BY o_year ORDER BY o_year",
    },
    Pair {
        name: "Q9, product type profit",
        ours: "SELECT supplier_nation, order_date__extract_year, MEASURE(profit)
               FROM tpch.indicators WHERE part_name LIKE '%green%'
               GROUP BY supplier_nation, order_date__extract_year ORDER BY 1, 2 DESC",
        plain: "SELECT n_name, extract(year FROM o_orderdate),
                       sum(l_extendedprice * (1 - l_discount) - ps_supplycost * l_quantity)
                FROM part, supplier, lineitem, partsupp, orders, nation
                WHERE s_suppkey = l_suppkey AND ps_suppkey = l_suppkey AND ps_partkey = l_partkey
                  AND p_partkey = l_partkey AND o_orderkey = l_orderkey AND s_nationkey = n_nationkey
                  AND p_name LIKE '%green%'
                GROUP BY 1, 2 ORDER BY 1, 2 DESC",
    },
    Pair {
        name: "Q10, returned items",
        ours: "SELECT customer_key, customer_name, MEASURE(revenue) AS revenue, customer_balance, customer_nation,
                      customer_address, customer_phone, customer_comment
               FROM tpch.indicators
               WHERE order_date >= DATE '1993-10-01' AND order_date < DATE '1994-01-01' AND return_flag = 'R'
               GROUP BY customer_key, customer_name, customer_balance, customer_nation, customer_address,
                        customer_phone, customer_comment
               ORDER BY 3 DESC, customer_key LIMIT 20",
        plain: "SELECT c_custkey, c_name, sum(l_extendedprice * (1 - l_discount)) AS revenue, c_acctbal, n_name,
                       c_address, c_phone, c_comment
                FROM customer, orders, lineitem, nation
                WHERE c_custkey = o_custkey AND l_orderkey = o_orderkey AND o_orderdate >= DATE '1993-10-01'
                  AND o_orderdate < DATE '1994-01-01' AND l_returnflag = 'R' AND c_nationkey = n_nationkey
                GROUP BY c_custkey, c_name, c_acctbal, c_phone, n_name, c_address, c_comment
                ORDER BY revenue DESC, c_custkey LIMIT 20",
    },
    Pair {
        name: "Q12, shipping modes, filters in the model",
        ours: "SELECT ship_mode, MEASURE(urgent_lines), MEASURE(other_lines)
               FROM tpch.indicators
               WHERE ship_mode IN ('MAIL', 'SHIP') AND commit_date < receipt_date AND ship_date < commit_date
                 AND receipt_date >= DATE '1994-01-01' AND receipt_date < DATE '1995-01-01'
               GROUP BY ship_mode ORDER BY ship_mode",
        plain: Q12,
    },
    Pair {
        name: "Q12, shipping modes, filters in the question",
        ours: "SELECT ship_mode, MEASURE(line_count) FILTER (WHERE order_priority IN ('1-URGENT', '2-HIGH')),
                      MEASURE(line_count) FILTER (WHERE order_priority NOT IN ('1-URGENT', '2-HIGH'))
               FROM tpch.indicators
               WHERE ship_mode IN ('MAIL', 'SHIP') AND commit_date < receipt_date AND ship_date < commit_date
                 AND receipt_date >= DATE '1994-01-01' AND receipt_date < DATE '1995-01-01'
               GROUP BY ship_mode ORDER BY ship_mode",
        plain: Q12,
    },
    Pair {
        name: "Q14, promotion effect, filter in the model",
        ours: "SELECT 100.0 * MEASURE(promo_share)
               FROM tpch.indicators WHERE ship_date >= DATE '1995-09-01' AND ship_date < DATE '1995-10-01'",
        plain: Q14,
    },
    Pair {
        name: "Q14, promotion effect, filter in the question",
        ours: "SELECT 100.0 * (MEASURE(revenue) FILTER (WHERE part_type LIKE 'PROMO%') / MEASURE(revenue))
               FROM tpch.indicators WHERE ship_date >= DATE '1995-09-01' AND ship_date < DATE '1995-10-01'",
        plain: Q14,
    },
    Pair {
        name: "Q19, discounted revenue",
        ours: "SELECT MEASURE(revenue)
               FROM tpch.indicators
               WHERE (brand = 'Brand#12' AND container IN ('SM CASE', 'SM BOX', 'SM PACK', 'SM PKG')
                      AND line_quantity BETWEEN 1 AND 11 AND part_size BETWEEN 1 AND 5
                      AND ship_mode IN ('AIR', 'AIR REG') AND ship_instruct = 'DELIVER IN PERSON')
                  OR (brand = 'Brand#23' AND container IN ('MED BAG', 'MED BOX', 'MED PKG', 'MED PACK')
                      AND line_quantity BETWEEN 10 AND 20 AND part_size BETWEEN 1 AND 10
                      AND ship_mode IN ('AIR', 'AIR REG') AND ship_instruct = 'DELIVER IN PERSON')
                  OR (brand = 'Brand#34' AND container IN ('LG CASE', 'LG BOX', 'LG PACK', 'LG PKG')
                      AND line_quantity BETWEEN 20 AND 30 AND part_size BETWEEN 1 AND 15
                      AND ship_mode IN ('AIR', 'AIR REG') AND ship_instruct = 'DELIVER IN PERSON')",
        plain: "SELECT sum(l_extendedprice * (1 - l_discount))
                FROM lineitem, part
                WHERE p_partkey = l_partkey AND l_shipmode IN ('AIR', 'AIR REG') AND l_shipinstruct = 'DELIVER IN PERSON'
                  AND ((p_brand = 'Brand#12' AND p_container IN ('SM CASE', 'SM BOX', 'SM PACK', 'SM PKG')
                        AND l_quantity BETWEEN 1 AND 11 AND p_size BETWEEN 1 AND 5)
                    OR (p_brand = 'Brand#23' AND p_container IN ('MED BAG', 'MED BOX', 'MED PKG', 'MED PACK')
                        AND l_quantity BETWEEN 10 AND 20 AND p_size BETWEEN 1 AND 10)
                    OR (p_brand = 'Brand#34' AND p_container IN ('LG CASE', 'LG BOX', 'LG PACK', 'LG PKG')
                        AND l_quantity BETWEEN 20 AND 30 AND p_size BETWEEN 1 AND 15))",
    },
    Pair {
        name: "Q18's shape: the largest orders, by HAVING",
        ours: "SELECT customer_name, order_key, order_date, MEASURE(units)
               FROM tpch.indicators GROUP BY customer_name, order_key, order_date
               HAVING MEASURE(units) > 250 ORDER BY 4 DESC, order_key LIMIT 100",
        plain: "SELECT c_name, o_orderkey, o_orderdate, sum(l_quantity)
                FROM customer, orders, lineitem WHERE c_custkey = o_custkey AND o_orderkey = l_orderkey
                GROUP BY c_name, o_orderkey, o_orderdate HAVING sum(l_quantity) > 250
                ORDER BY 4 DESC, o_orderkey LIMIT 100",
    },
    Pair {
        name: "orders by the ways their lines travelled: each order once in each",
        ours: "SELECT ship_mode, MEASURE(order_count), MEASURE(order_value), MEASURE(average_order)
               FROM tpch.indicators WHERE order_priority = '1-URGENT' GROUP BY ship_mode ORDER BY ship_mode",
        plain: "SELECT l_shipmode, count(*), sum(o_totalprice), CAST(sum(o_totalprice) AS DOUBLE) / count(*)
                FROM (SELECT DISTINCT o_orderkey, o_totalprice, l_shipmode
                      FROM orders LEFT JOIN lineitem ON o_orderkey = l_orderkey WHERE o_orderpriority = '1-URGENT')
                GROUP BY l_shipmode ORDER BY l_shipmode",
    },
    Pair {
        name: "three facts by the nation of the customer",
        ours: "SELECT customer_nation, MEASURE(customer_count), MEASURE(order_value), MEASURE(revenue)
               FROM tpch.indicators GROUP BY customer_nation ORDER BY customer_nation",
        plain: "SELECT n_name, customers, orders, revenue
                FROM (SELECT c_nationkey AS a, count(*) AS customers FROM customer GROUP BY 1)
                JOIN (SELECT c_nationkey AS b, sum(o_totalprice) AS orders
                      FROM orders JOIN customer ON o_custkey = c_custkey GROUP BY 1) ON a = b
                JOIN (SELECT c_nationkey AS c, sum(l_extendedprice * (1 - l_discount)) AS revenue
                      FROM lineitem JOIN orders ON l_orderkey = o_orderkey JOIN customer ON o_custkey = c_custkey
                      GROUP BY 1) ON a = c
                JOIN nation ON a = n_nationkey ORDER BY n_name",
    },
    Pair {
        name: "offers and sales by the nation of the supplier",
        ours: "SELECT supplier_nation, MEASURE(offered_value), MEASURE(profit), MEASURE(margin)
               FROM tpch.indicators WHERE brand = 'Brand#23' GROUP BY supplier_nation ORDER BY supplier_nation",
        plain: "SELECT coalesce(a.n_name, b.n_name), offered, profit, CAST(profit AS DOUBLE) / CAST(revenue AS DOUBLE)
                FROM (SELECT n_name, sum(ps_supplycost * ps_availqty) AS offered
                      FROM partsupp, part, supplier, nation
                      WHERE ps_partkey = p_partkey AND ps_suppkey = s_suppkey AND s_nationkey = n_nationkey
                        AND p_brand = 'Brand#23' GROUP BY n_name) a
                FULL JOIN (SELECT n_name, sum(l_extendedprice * (1 - l_discount)) AS revenue,
                                  sum(l_extendedprice * (1 - l_discount) - ps_supplycost * l_quantity) AS profit
                           FROM lineitem, partsupp, part, supplier, nation
                           WHERE l_partkey = ps_partkey AND l_suppkey = ps_suppkey AND l_partkey = p_partkey
                             AND l_suppkey = s_suppkey AND s_nationkey = n_nationkey AND p_brand = 'Brand#23'
                           GROUP BY n_name) b ON a.n_name = b.n_name
                ORDER BY 1",
    },
];

const Q12: &str = "SELECT l_shipmode,
           sum(CASE WHEN o_orderpriority = '1-URGENT' OR o_orderpriority = '2-HIGH' THEN 1 ELSE 0 END),
           sum(CASE WHEN o_orderpriority <> '1-URGENT' AND o_orderpriority <> '2-HIGH' THEN 1 ELSE 0 END)
    FROM orders, lineitem
    WHERE o_orderkey = l_orderkey AND l_shipmode IN ('MAIL', 'SHIP') AND l_commitdate < l_receiptdate
      AND l_shipdate < l_commitdate AND l_receiptdate >= DATE '1994-01-01' AND l_receiptdate < DATE '1995-01-01'
    GROUP BY l_shipmode ORDER BY l_shipmode";

const Q14: &str =
    "SELECT 100.0 * (CAST(sum(l_extendedprice * (1 - l_discount)) FILTER (WHERE p_type LIKE 'PROMO%') AS DOUBLE)
                    / CAST(sum(l_extendedprice * (1 - l_discount)) AS DOUBLE))
    FROM lineitem, part
    WHERE l_partkey = p_partkey AND l_shipdate >= DATE '1995-09-01' AND l_shipdate < DATE '1995-10-01'";
