//! Policies: what a role sees is what there would be if its rows were the only ones, through every entrance; and nothing
//! of the others comes out on the way.

use std::collections::BTreeSet;
use std::path::Path;

use bellwether::diagnostic::render;
use bellwether::engine::{Limits, Stage};
use bellwether::{Engine, Error, Project, Run, publish};
use datafusion::arrow::util::pretty::pretty_format_batches;

use super::runs::{bell, write};

const MODEL: &str = "
source stores    { from csv 'stores.csv'  key id }
source customers { from csv 'customers.csv'  key id  columns { domain = split_part(email, '@', 2) } }
source orders {
  from csv 'orders.csv'  key id  time day
  join store = stores on store_id = stores.id
  join customer = customers on customer_id = customers.id
  columns { amount decimal(10, 2)  double = amount * 2 }
}
source items { from csv 'items.csv'  key id  time order.day  join order = orders on order_id = orders.id }
source by_store { from query (select store_id, sum(amount) as amount, max(day) as day from orders group by store_id)  key store_id  time day }
source people   { from query (select count(distinct email) as n, date '2026-01-31' as day from customers)  key day  time day }

dimension region  = orders.store.region, items.order.store.region
dimension email   = customers.email
dimension domain  = customers.domain
dimension at      = split_part(customers.email, '@', 1)
dimension kind    = items.kind, orders.items.kind
indicator gmv     = sum(orders.amount)
indicator n       = count(*) of orders
indicator buyers  = count(distinct orders.customer_id)
indicator mails   = count(distinct orders.customer.email)
indicator typical = avg(gmv per orders.customer.email)
indicator lines   = sum(items.quantity)
indicator aov     = gmv / n
indicator stock   = sum(by_store.amount)
indicator known   = sum(people.n)
indicator median  = median(orders.amount)
indicator share   = gmv / gmv at (all region)
indicator first   = gmv where orders.day = min(orders.day) per orders.customer_id
target gmv { at least 100  every month  owner 'x@example.com' }
tree aov = gmv / n
rollup daily { indicators gmv, n  by day, region  to 'rollups/daily/' }
publish monthly { indicators gmv  by month, region  to 'out/monthly/' }
expect orders.amount >= 0
";

const POLICIES: &str = "
policy east  on orders to role east where store.region = 'east'
policy west  on orders to role west where store.region = 'west'
policy head  on orders to role head where true
policy lines on items  where order.id is not null  except role head
policy pii   on customers mask email except role privacy
";

const STORES: &str = "id,region\n1,east\n2,west\n3,east\n4,\n";
const CUSTOMERS: &str = "id,email\n1,ann@a.com\n2,bob@b.com\n3,eve@a.com\n";

/// `id,store,customer,day,amount`, and whether it was sold in the east.
const ORDERS: &[(&str, bool)] = &[
    ("1,1,1,2026-01-05,10.50", true),
    ("2,2,1,2026-01-20,20.25", false),
    ("3,3,2,2026-02-03,30.00", true),
    ("4,2,3,2026-02-10,777.77", false),
    ("5,1,,2026-03-01,5.00", true),
    ("6,4,2,2026-03-02,8.00", false),
    ("7,,3,2026-03-03,9.00", false),
    ("8,3,1,2026-03-04,11.00", true),
];
const ITEMS: &[(&str, bool)] = &[
    ("1,1,a,2", true),
    ("2,2,a,3", false),
    ("3,3,b,4", true),
    ("4,4,b,8642", false),
    ("5,8,a,7", true),
    ("6,6,c,9", false),
];

/// A project of all rows, or of those of the east alone.
fn project(policies: &str, everything: bool) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let rows = |head: &str, rows: &[(&str, bool)]| {
        let kept = rows.iter().filter(|(_, east)| everything || *east).map(|(row, _)| format!("{row}\n"));
        format!("{head}\n{}", kept.collect::<String>())
    };
    let path = folder.path();
    write(path, "model.bell", &format!("{MODEL}{policies}"));
    write(path, "stores.csv", STORES);
    write(path, "customers.csv", CUSTOMERS);
    write(path, "orders.csv", &rows("id,store_id,customer_id,day,amount", ORDERS));
    write(path, "items.csv", &rows("id,order_id,kind,quantity", ITEMS));
    folder
}

async fn open(folder: &Path, roles: &[&str]) -> Engine {
    let roles: BTreeSet<String> = roles.iter().map(ToString::to_string).collect();
    Engine::open_as(folder, &Limits::default(), &roles).await.unwrap()
}

/// The answer as text, or the error with all that it says.
async fn ask(engine: &Engine, question: &str) -> Result<String, String> {
    let sources = engine.sources_with(question);
    let said = |error: Error| match &error {
        Error::Diagnostics(all) => all.iter().map(|it| render::to_text(&sources, it, false)).collect(),
        other => other.to_string(),
    };
    let frame = engine.sql(question).await.map_err(said)?;
    match frame.collect().await {
        Ok(batches) => Ok(pretty_format_batches(&batches).unwrap().to_string()),
        Err(error) => Err(said(engine.explained(error).await)),
    }
}

/// What is asked, through every entrance that SQL has.
const QUESTIONS: &[&str] = &[
    "SELECT region, gmv, n, buyers, aov, median FROM indicators GROUP BY region ORDER BY 1",
    "SELECT metric_time__month, gmv, lines, share FROM indicators GROUP BY 1 ORDER BY 1",
    "SELECT MEASURE(gmv), MEASURE(gmv) AT (ALL region), MEASURE(first) FROM indicators",
    "SELECT region, MEASURE(gmv) AT (ALL region) AS every, MEASURE(gmv) AT (ALL) AS whole FROM indicators GROUP BY region ORDER BY 1",
    "SELECT region, MEASURE(gmv) AT (SET region = 'west') AS west FROM indicators GROUP BY region ORDER BY 1",
    "SELECT MEASURE(gmv) AT (VISIBLE), MEASURE(n) FILTER (WHERE region = 'west') FROM indicators WHERE region <> 'north'",
    "SELECT region, kind, lines FROM indicators GROUP BY ROLLUP (region, kind) ORDER BY 1, 2",
    "SELECT region, gmv, GROUPING(region) FROM indicators GROUP BY CUBE (region) ORDER BY 1, 3",
    "WITH c AS (SELECT region, gmv AS g FROM indicators GROUP BY region) SELECT sum(g), count(*) FROM c",
    "SELECT MEASURE(gmv) FROM indicators WHERE region IN (SELECT region FROM indicators WHERE kind = 'b' GROUP BY region)",
    "SELECT (SELECT MEASURE(gmv) FROM indicators) AS g, MEASURE(gmv) FROM indicators",
    "SELECT region, MEASURE(gmv), sum(MEASURE(gmv)) OVER () FROM indicators GROUP BY region ORDER BY 1",
    "SELECT a.region, a.g, b.l FROM (SELECT region, gmv AS g FROM indicators GROUP BY region) a JOIN (SELECT region, lines AS l FROM indicators GROUP BY region) b ON a.region = b.region ORDER BY 1",
    "SELECT DISTINCT region FROM indicators ORDER BY 1",
    "SELECT count(DISTINCT region) FROM indicators",
    "SELECT region, gmv FROM indicators GROUP BY region UNION ALL SELECT kind, lines FROM indicators GROUP BY kind ORDER BY 1, 2",
    "SELECT id, store_id, amount, double FROM orders ORDER BY id",
    "SELECT count(*), sum(amount), max(double) FROM orders",
    "SELECT o.id, i.quantity FROM orders o LEFT JOIN items i ON i.order_id = o.id ORDER BY 1, 2",
    "SELECT * FROM orders WHERE amount > 20 ORDER BY id LIMIT 2",
    "SELECT count(*) FROM orders WHERE CAST(amount AS varchar) LIKE '%7%'",
    "SELECT * FROM items ORDER BY id",
    "SELECT * FROM by_store ORDER BY 1",
    "SELECT MEASURE(stock) FROM indicators",
    "SELECT * FROM gmv",
    "SELECT count(*), sum(quantity) FROM items WHERE EXISTS (SELECT 1 FROM orders WHERE orders.id = items.order_id)",
    "SELECT * FROM explain_change('gmv', base => '2026-01', current => '2026-03', by => 'region')",
    "SELECT * FROM explain_change('aov', base => '2026-01', current => '2026-03')",
    "SELECT * FROM status('gmv')",
    "SELECT kind, region, gmv FROM indicators GROUP BY kind, region ORDER BY 1, 2",
];

#[tokio::test]
async fn a_role_sees_what_there_would_be_with_its_rows_alone() {
    let (policed, alone) = (project(POLICIES, true), project("", false));
    let (east, alone) = (open(policed.path(), &["east"]).await, Engine::open(alone.path()).await.unwrap());
    for question in QUESTIONS {
        let wanted = ask(&alone, question).await.unwrap_or_else(|error| panic!("{question}\n{error}"));
        assert_eq!(ask(&east, question).await.as_ref(), Ok(&wanted), "{question}");
    }
}

#[tokio::test]
async fn roles_add_up_and_who_has_none_is_refused() {
    let (policed, open_to_all) = (project(POLICIES, true), project("", true));
    let all = Engine::open(open_to_all.path()).await.unwrap();
    let head = open(policed.path(), &["head", "privacy"]).await;
    for question in QUESTIONS.iter().chain(&["SELECT MEASURE(mails), MEASURE(known) FROM indicators"]) {
        assert_eq!(ask(&head, question).await, ask(&all, question).await, "{question}");
    }
    let both = open(policed.path(), &["east", "west"]).await;
    let regions = "SELECT region, n FROM indicators WHERE region IN ('east', 'west') GROUP BY region ORDER BY 1";
    assert_eq!(ask(&both, regions).await, ask(&all, regions).await);
    assert!(ask(&both, "SELECT MEASURE(n) FROM indicators").await.unwrap().contains("| 6 |"));

    let nobody = open(policed.path(), &["clerk"]).await;
    for question in [
        "SELECT MEASURE(gmv) FROM indicators",
        "SELECT * FROM orders",
        "SELECT * FROM by_store",
        "SELECT MEASURE(lines) FROM indicators",
    ] {
        let refused = ask(&nobody, question).await;
        let error = refused.expect_err(question);
        assert!(error.contains("B0510") && error.contains("you may see no rows of `orders`"), "{error}");
    }
    // Without `--role` the files are everybody's who has them.
    let without = Engine::open(policed.path()).await.unwrap();
    assert_eq!(ask(&without, QUESTIONS[0]).await, ask(&all, QUESTIONS[0]).await);
}

#[tokio::test]
async fn what_is_masked_is_shown_as_a_mask_and_nothing_is_made_of_it() {
    let policed = project(POLICIES, true);
    let east = open(policed.path(), &["east"]).await;
    let shown = ask(&east, "SELECT email, domain, n FROM indicators GROUP BY email, domain").await.unwrap();
    assert!(shown.contains("| ***   | ***    | 3 |"), "{shown}");
    assert!(!ask(&east, "SELECT * FROM customers").await.unwrap().contains('@'));
    for question in [
        "SELECT MEASURE(mails) FROM indicators",
        "SELECT at, n FROM indicators GROUP BY at",
        "SELECT MEASURE(n) FROM indicators WHERE email = 'ann@a.com'",
        "SELECT MEASURE(n) FROM indicators WHERE domain LIKE 'a%'",
        "SELECT MEASURE(n) FILTER (WHERE email LIKE 'ann%') FROM indicators",
        "SELECT MEASURE(n) AT (SET email = 'ann@a.com') FROM indicators",
        "SELECT upper(email), n FROM indicators GROUP BY 1",
        "SELECT MEASURE(known) FROM indicators",
        "SELECT DISTINCT at FROM indicators",
        "SELECT MEASURE(typical) FROM indicators",
        "SELECT count(DISTINCT email) FROM indicators",
        "SELECT max(domain) FROM indicators",
    ] {
        let error = ask(&east, question).await.expect_err(question);
        assert!(error.contains("B0510") && error.contains("masked"), "{question}: {error}");
    }
}

/// What would give away a row of the west, wherever it stands: its amount, its day, its quantity, an address.
const SECRETS: &[&str] = &["777", "2026-02-10", "8642", "ann@", "bob@", "a.com", "b.com"];

#[tokio::test]
async fn nothing_of_hidden_rows_comes_out() {
    let policed = project(POLICIES, true);
    // What runs write and tell is of everybody's rows.
    let everything = Engine::open(policed.path()).await.unwrap();
    publish::run(&everything, &Run::default(), &|_| {}).await.unwrap();
    let east = open(policed.path(), &["east"]).await;
    let attempts = [
        "EXPLAIN SELECT region, gmv FROM indicators GROUP BY region",
        "EXPLAIN VERBOSE SELECT * FROM orders WHERE amount > 700",
        "EXPLAIN ANALYZE SELECT count(*) FROM orders",
        "EXPLAIN ANALYZE VERBOSE SELECT count(*) FROM orders WHERE amount > 700",
        // An error that only a hidden row would give.
        "SELECT count(*) FROM orders WHERE CAST(replace(CAST(amount AS varchar), '777.77', 'x777') AS double) > 0",
        "SELECT CAST(email AS int) FROM customers",
        "SELECT 1 / (CASE WHEN amount > 100 THEN 0 ELSE 1 END) FROM orders",
        "SELECT count(*) FROM orders o JOIN customers c ON c.id = o.customer_id AND CAST(c.email AS varchar) > 'a'",
        "SELECT * FROM orders WHERE amount > (SELECT max(amount) FROM orders)",
        "SELECT max(amount), min(amount), avg(amount) FROM orders",
        "SELECT * FROM bell.runs",
        "SELECT * FROM bell.restatements",
        "SELECT * FROM bell.rollups",
        "SELECT * FROM bell.publications",
        "SELECT * FROM bell.expectations",
        "SELECT * FROM bell.freshness",
        "SELECT * FROM bell.sources",
        "SELECT * FROM bell.columns",
        "SELECT * FROM bell.policies",
        "SELECT * FROM information_schema.columns",
        "SELECT * FROM information_schema.views",
        "SELECT * FROM anomalies('gmv', grain => 'day')",
        "SELECT * FROM localise('gmv', base => '2026-01', current => '2026-03', by => 'region')",
    ];
    // A span of time, or a moment of today: its fraction of a second is any number.
    let times = regex::Regex::new(r"[0-9.]+(ns|µs|ms|s)\b|\d\d:\d\d:\d\d\.\d+").unwrap();
    for attempt in attempts {
        let said = ask(&east, attempt).await.unwrap_or_else(|error| error);
        // When and how long something was is any number.
        let said = times.replace_all(&said, "");
        for secret in SECRETS {
            assert!(!said.contains(secret), "{attempt} tells {secret}:\n{said}");
        }
    }
    // Of conditions that fail on hidden rows nothing is noticed at all.
    for fine in [
        "SELECT count(*) FROM orders WHERE CAST(replace(CAST(amount AS varchar), '777.77', 'x777') AS double) > 0",
        "SELECT 1 / (CASE WHEN amount > 100 THEN 0 ELSE 1 END) FROM orders",
    ] {
        let answer = ask(&east, fine).await;
        assert!(answer.is_ok() && ask(&everything, fine).await.is_err(), "{fine}: {answer:?}");
    }
    // The rollup answers who sees everything, and nobody else.
    let question = "SELECT region, gmv FROM indicators GROUP BY region";
    let everything = Engine::open(policed.path()).await.unwrap();
    let physical = everything.explain(question, Stage::Physical).await.unwrap();
    assert!(physical.contains("rollups/daily"), "{physical}");
    let physical = east.explain(question, Stage::Physical).await.unwrap();
    assert!(
        physical.contains("PolicedExec") && !physical.contains("orders.csv") && !physical.contains("rollups"),
        "{physical}"
    );
    // What is known of files is of all rows, and is not used for plans that may be looked at.
    let seen = everything.project().seen_by(&BTreeSet::from(["east".to_string()])).unwrap();
    let narrowed = ["orders", "items", "customers"];
    let sizes = seen.catalog.sources.iter().filter(|source| narrowed.contains(&source.item.name.as_str()));
    assert!(sizes.clone().count() == 3 && sizes.into_iter().all(|source| source.size.rows.is_none()));
    let fresh = ask(&east, "SELECT source, newest FROM bell.freshness WHERE source IN ('orders', 'people')").await;
    assert!(fresh.as_ref().is_ok_and(|it| it.contains("2026-03-04") && it.contains("people")), "{fresh:?}");
    let policies = ask(&east, "SELECT name FROM bell.policies ORDER BY 1").await.unwrap();
    assert!(policies.contains("east") && policies.contains("pii") && !policies.contains("west"), "{policies}");
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_not_told() {
    let policed = project(POLICIES, true);
    let orders = std::fs::read_to_string(policed.path().join("orders.csv")).unwrap();
    let east = open(policed.path(), &["east"]).await;
    // It changes after the project was opened, so that opening does not find it.
    write(policed.path(), "orders.csv", &orders.replace("777.77", "secret"));
    let error = ask(&east, "SELECT sum(amount) FROM orders").await.unwrap_err();
    assert!(!error.contains("secret") && !error.contains("2026"), "{error}");
}

#[tokio::test]
async fn a_project_that_is_wrong_is_seen_by_nobody() {
    let wrong = project("policy east on orders to role east where store.regoin = 'east'", true);
    let ctx = Engine::session(&Limits::default()).unwrap();
    let opened = Project::open(wrong.path(), &ctx).await.unwrap();
    assert!(matches!(opened.seen_by(&BTreeSet::new()), Err(Error::Diagnostics(_))));
}

#[test]
fn commands_take_a_role() {
    let policed = project(POLICIES, true);
    let told = |arguments: &[&str]| {
        let output = bell(policed.path(), arguments);
        (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
    };
    assert_eq!(told(&["query", "n", "--role", "east", "--format", "csv"]), (Some(0), "n\n4\n".to_string()));
    assert_eq!(told(&["query", "n", "--role", "east", "--role", "west", "--format", "csv"]).1, "n\n6\n");
    let (code, text) = told(&["--role", "clerk", "query", "n"]);
    assert!(code == Some(1) && text.contains("you may see no rows of `orders`"), "{text}");
    let (code, text) = told(&["run", "--role", "east"]);
    assert!(code == Some(2) && text.contains("this one works for everybody"), "{text}");
    assert!(told(&["list", "policies", "--format", "csv"]).1.contains("east"));
}
