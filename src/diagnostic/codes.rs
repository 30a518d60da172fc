//! The table of diagnostic codes: severity, a one-line summary and an explanation for each.
//!
//! `bell explain-code B0123` prints an entry. Ranges: `B00xx` text and syntax, `B01xx` names, `B02xx` expressions
//! and types, `B03xx` sources, keys and joins, `B035x` what `--data` and reading find, `B04xx` indicators and units,
//! `B05xx` questions, `B06xx` SQL, `B07xx` what an audit finds, `B09xx` not yet supported.

use super::Severity;

/// A declared code, such as `B0101`; an index into the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(u16);

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// `B0101`.
    pub id: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// One line.
    pub summary: &'static str,
    /// What it means, why it is refused and how to mend it, with an example.
    pub explanation: &'static str,
}

macro_rules! codes {
    ($table:ident from $first:expr; $($name:ident = $id:literal $severity:ident $summary:literal, $explanation:literal;)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        #[repr(u16)]
        enum Position { $($name),* }

        $(
            #[doc = $summary]
            pub const $name: Code = Code($first + Position::$name as u16);
        )*

        pub(super) const $table: &[Entry] = &[
            $(Entry { id: $id, severity: Severity::$severity, summary: $summary, explanation: $explanation }),*
        ];
    };
}

mod found;

pub use found::*;

/// Every code, in order.
pub const TABLE: &[Entry] = &ALL;

const ALL: [Entry; MODEL.len() + FOUND.len()] = {
    let mut all = [MODEL[0]; MODEL.len() + FOUND.len()];
    let mut at = 1;
    while at < all.len() {
        all[at] = if at < MODEL.len() { MODEL[at] } else { FOUND[at - MODEL.len()] };
        at += 1;
    }
    all
};

codes! { MODEL from 0;
    SYNTAX = "B0001" Error "this is not Bell",
"The item does not follow the language's grammar. The caret stands at the first place where nothing fits, and the
message lists what could stand there. Only this item is left out; the others of the file are checked as usual.

    indicator gmv sum(orders.amount)      -- `=` is missing
";
    UNCLOSED_TEXT = "B0002" Error "a text or comment is not closed",
"A text ends on the line on which it begins, with the quote that it began with; a quote inside it is written twice. A
`/*` comment ends with `*/`. Only this item is left out; the others of the file are checked as usual.

    indicator gmv \"sales = sum(orders.amount)           -- wrong
    indicator gmv \"sales\" = sum(orders.amount)          -- right
    segment bobs = orders.owner = 'Bob''s'              -- a quote in a text
";
    BRACKET = "B0003" Error "brackets do not match",
"A bracket is not closed, closed by one of another kind, or closed without having been opened. An item ends before the
next line that begins with a word in column one, so an open bracket cannot reach into the next item; if the brackets look
right, a continuation line may have lost its indentation.

    indicator gmv = sum(orders.amount                   -- wrong
    indicator gmv = sum(orders.amount)                  -- right
";
    UNKNOWN_ITEM = "B0004" Error "no item begins like this",
"A line that begins with a word in column one begins an item, and that word says what is declared: `source`,
`dimension`, `indicator` and so on. Either the word is misspelt, or the line belongs to the item above and has to be
indented.

    metric gmv = sum(orders.amount)                     -- wrong
    indicator gmv = sum(orders.amount)                  -- right
";
    EXPRESSION = "B0005" Error "this is not an expression",
"Expressions are SQL's, with `at (…)`, `per` and `of`. The message says what stands where something else is due. The words
of SQL's own grammar (`case when then else end and or not in between like is null true false select`) and `where per of at`
are put in double quotes when they name a bare column.

    indicator big = count(*) filter (orders.amount > 5)           -- wrong: `where` is missing
    indicator big = count(*) filter (where orders.amount > 5)     -- right
";
    TOO_DEEP = "B0006" Error "brackets nest too deeply",
"Reading and planning nested brackets takes stack for each level, so there is a limit. Expressions that people write stay
far below it; in generated ones, give the inner parts names of their own, as segments or indicators.

    segment paid = orders.status = 'paid'
    indicator gmv = sum(orders.amount) where paid and not returned
";
    TWICE = "B0007" Error "a clause is given twice",
"The clause has one value in an item; two would contradict each other, and neither is silently dropped. (Clauses that add
up, such as `where` of an indicator, `join` or `label`, may be repeated.)

    indicator gmv = sum(orders.amount) { unit CNY  unit USD }     -- wrong
    indicator gmv = sum(orders.amount) { unit CNY }               -- right
";
    TWO_PACKAGES = "B0008" Error "a file has two packages",
"`package` puts all items of its file into a namespace, so a file has at most one. Move the items of the second package to
a file of their own.

    package retail
    package finance                                     -- wrong: a second file
";
    UNKNOWN_TYPE = "B0009" Error "there is no such type",
"The types of `columns` and `partition by` are SQL's as DataFusion reads them: `varchar`, `bigint`, `double`,
`decimal(18,2)`, `date`, `timestamp`, `boolean` and so on. In `columns`, a name without a type, `hidden` or `=` is followed
by a comma, or else the next name is read as its type.

    columns { amount decmal(18,2) }                     -- wrong
    columns { amount decimal(18,2) }                    -- right
";
    VALID_BETWEEN = "B0010" Error "`valid between` takes two bounds",
"A join to a slowly changing table says from when until when a row is valid: `valid between a and b` means a <= the time of the
fact < b. It takes two bounds with `and` between them.

    join tier = tiers on customer_id valid between tier.valid_from                        -- wrong
    join tier = tiers on customer_id valid between tier.valid_from and tier.valid_to      -- right
";
    DUPLICATE_NAME = "B0101" Error "a name is declared twice",
"Sources, indicators and views of one package share one SQL schema; dimensions, segments and indicators share the
columns of its views. Two items of one name would make questions ambiguous, so the second one is left out.

    source stores { … }
    view stores { … }        -- B0101: rename it, or put it in another package
";
    RESERVED_NAME = "B0102" Error "a name is reserved",
"`indicators` is the view of everything in a package, `metric_time` the shared time axis, and the package `bell` holds
the catalog itself. Choose another name.
";
    UNKNOWN_NAME = "B0103" Error "a name is not known",
"Nothing of that name can stand here. In an expression a bare name is a column of the source that the expression is
about, a dimension or segment, or an indicator; a column of another source is written `source.column`.

    indicator gmv = sum(orders.amount) where payd      -- B0103: did you mean `paid`?
";
    AMBIGUOUS_NAME = "B0104" Error "a name means two things",
"The bare name is a column of the source and also the name of something else that is not that column. Write the column
as `source.column`, or rename one of the two.

    dimension status = upper(orders.status)
    indicator paid = count(*) of orders where status = 'paid'   -- B0104: orders.status, or the dimension?
";
    CYCLE = "B0105" Error "a definition uses itself",
"Following the definitions leads back to the start, so there is nothing to compute. Break the circle. A time axis cannot
come through a `valid between` join either, because which row of that join counts depends on the time.

    indicator a = b + 1
    indicator b = a - 1       -- B0105
";
    BAD_TREE = "B0107" Error "a tree does not break an indicator down",
"A tree says how an indicator comes from others: `tree profit = revenue - cost`. Its formula is made of indicators (each with
a name of its own), numbers, `+ - * /` and brackets, so that every part can be asked for and every change can be followed
to its parts. What is more complicated becomes an indicator first. The branches in braces are parts of the same tree.

    tree gmv = sum(orders.quantity) * price                -- name the sum: indicator volume = sum(orders.quantity)
    tree profit = revenue - cost { margin = profit / revenue }   -- nothing above names `margin`
";
    BAD_VALUE = "B0106" Error "a clause has a value that it does not know",
"The clause takes one of a few words: `good up`, `week starts monday`, `grain day`. The message lists them or
names the nearest.
";
    REFUSED_EXPRESSION = "B0201" Error "an expression is refused by the rules of SQL",
"Functions, operators and types are DataFusion's. The message is DataFusion's own: an unknown function, a wrong number of
arguments, operands whose types do not fit.

    indicator gmv = summ(orders.amount)       -- B0201: Invalid function 'summ'. Did you mean 'sum'?
";
    NOT_BOOLEAN = "B0202" Error "a condition is not true or false",
"`where`, `filter` and `segment` take conditions. Compare the value with something.

    segment paid = orders.status              -- B0202: write orders.status = 'paid'
";
    NOT_AGGREGATED = "B0203" Error "a column stands outside of an aggregate",
"An indicator is one number for a group of rows, so columns and dimensions must stand inside `sum`, `count`, …

    indicator margin = orders.amount - sum(orders.cost)   -- B0203: orders.amount has many values
";
    NESTED_AGGREGATE = "B0204" Error "an aggregate or indicator stands where a row's value is due",
"Dimensions, conditions and the arguments of aggregates have a value for each row; an indicator has one for a group.
Asking for an indicator at a finer grain (`x per d`) will make this possible; it is not yet supported.

    indicator wrong = sum(gmv)                -- B0204
";
    AGGREGATE_SOURCE = "B0205" Error "it is not clear which source an aggregate runs over",
"`count(*)` names no column, and an aggregate over columns of several sources runs over the rows of the one that joins to
the others. Name the source.

    indicator orders = count(*)               -- B0205: write count(*) of orders
";
    WINDOW = "B0206" Error "a window function stands in a Bell expression",
"Windows run over the rows of an answer. Use them in SQL: `sum(MEASURE(gmv)) OVER (…)`.
";
    SUBQUERY = "B0207" Error "a subquery stands in a Bell expression",
"A subquery would hide a join from the engine, which could then not prove that rows are not multiplied. Declare a source
(`from query ( … )` if need be) and join it.
";
    DURATION = "B0208" Error "a number without a unit is compared with a duration",
"`7 days` compared with a number takes the number's unit, which must be a declared unit of time.

    count(*) of tickets where wait_seconds > 5 minutes    -- B0208: write > 300
";
    DIMENSION_TYPES = "B0209" Error "the definitions of a dimension have different types",
"A conformed dimension joins facts by its values, so its definitions must have one type. Cast them.

    dimension shop = orders.shop_number, visits.shop_name    -- B0209: a number and a text
";
    NO_COLUMN = "B0210" Error "a dimension names no column",
"A dimension is a value of a source's rows; a constant has the same value everywhere.
";
    UNKNOWN_COLUMN = "B0301" Error "a source has no such column",
"The clause names a column that the source's files do not have. Names are case-sensitive in files.
";
    UNKNOWN_SOURCE = "B0302" Error "there is no such source",
"A join, or `of`, names a source that is not declared (or stands in another package: write `package.source`).
";
    JOIN_NOT_UNIQUE = "B0303" Error "a join is not known to be many to one",
"Joins are declared from the many rows to the one. The joined columns must hold a `key` of the joined source, otherwise
one row could meet several and every sum would be inflated silently.

The same holds for the day of a calendar from a table.

    source stores { from csv 'stores.csv' }               -- declare: key id
    source orders { … join store = stores on store_id }   -- B0303
";
    JOIN_EQUATION = "B0304" Error "a join's condition is not an equation of the two sources",
"Joins meet by equality: `on a`, `on (a, b)`, or `on a = other.x and b = other.y`.
";
    JOIN_TYPES = "B0305" Error "joined columns have different types",
"Text and numbers do not meet without a conversion that could lose something (`007` and `7`). Give one of them its
type in `columns { … }`.
";
    UNKNOWN_JOIN = "B0306" Error "a path takes a join that is not there",
"Each step of `orders.store.region` is a join of the source reached so far, or a source that joins to it.
";
    AMBIGUOUS_PATH = "B0307" Error "there are two ways to the same place",
"Orders ship to a city and are billed to a city: which one is `city`? Two ways give two different numbers, so neither is
chosen. Define a dimension for each.

    dimension ship_city = orders.ship_city.name
    dimension bill_city = orders.bill_city.name
";
    FAN_OUT = "B0308" Error "an aggregate would count rows several times",
"The aggregate runs over one source but takes a column of its child rows: each row would count once for each child.
Aggregate the child source itself.

    indicator q = sum(orders.items.quantity)   -- B0308: write sum(items.quantity)
";
    UNREACHABLE = "B0309" Error "a source cannot reach a dimension",
"A condition or grouping acts on every aggregate before it is computed, so every one must reach it along joins, many to
one, or by a definition of the dimension for it. Nothing is ever dropped silently: declare the missing join, or
define the dimension for that source too.
";
    TIME_TYPE = "B0310" Error "a time axis is not a date",
"`time` takes a column of dates or timestamps, and so do the bounds of `valid between`. Give it a type in `columns { … }`, or compute one.
";
    NEEDS_KEY = "B0311" Error "a source needs a key",
"Slicing orders by the category of their lines meets one order once for each line. The order's `key` tells which of
these rows are the same order, so that none is counted twice.
";
    NO_TIME_AXIS = "B0312" Error "there is no time axis",
"`metric_time` is each indicator's own time axis, and a `valid between` join is asked by the time of the fact. Declare
`time column` in the source, or `time` in the indicator.
";
    TOO_FINE = "B0313" Error "a grain is finer than the time axis",
"Rows dated by the day have no hours: an answer by hour would put all of them at midnight. Ask for day or coarser, or name a
timestamp as the time axis. Within a day dates have no order either, which the steps of a funnel may need: give all of them dates, or
all of them timestamps.
";
    NO_FROM = "B0314" Error "a source has no `from`",
"A source says where its rows lie: `from parquet 'data/orders/'`, `from query ( … )` or `from table …`.
";
    UNITS = "B0401" Error "units do not fit",
"Values of different units cannot be added or compared, and a declared unit must be the one that the formula gives.
Products and quotients carry their units; a bare number takes the other side's.

    indicator odd = gmv_cny + gmv_usd          -- B0401: CNY and USD cannot be added
";
    BAD_TARGET = "B0402" Error "a target does not fit",
"A target is an amount in its indicator's unit, in one direction, for periods of one grain, of the whole or of a slice. The
message says what does not fit. What should be small needs a declared formula, since two are in use and they differ: 36 hours
where 24 were allowed attain 67 % by `attainment target / value` and 50 % by `attainment 2 - value / target`; or name a
`baseline` from where the way began. Only what adds up can be split; of a rate say `for region = 'east'` or `for each region`.

    target wait { at most 24 hours  every month }                                        -- wrong
    target wait { at most 24 hours  every month  attainment target / value }             -- right
";
    TARGET_PARTS = "B0403" Error "the parts of a target do not add up",
"The shares of a split are of the whole target, so together they are 100 %. `others` takes what is left for all slices that
are not named. Without any percentages the parts are equal.

    split region { 'east' 50%, 'south' 30% }                   -- wrong: 80 %
    split region { 'east' 50%, 'south' 30%, others 20% }       -- right
";
    TARGET_VAGUE = "B0404" Warning "a target cannot be followed",
"A target is of use if somebody can tell whether it is met, when, and who answers for it: it has a direction (`at least`,
`at most`, `between`, or the indicator's `good up`), a period (`every month`), an owner (its own or the indicator's), and slices that
the indicator can be asked by. The message says what is missing.

    target gmv { at least 100  every month  owner \"sales@example.com\" }
";
    BAD_SCORECARD = "B0405" Error "a scorecard does not add up",
"The weights of the perspectives are 100 % together, and so are those of the indicators in each perspective, in every version.
`score weighted` (the default), `score worst` or `score geometric` says how scores make one.

    perspective finance 40% { gmv 60%, profit 40% }
    perspective customer 60% { conversion 100% }
";
    SCORE_WITHOUT_TARGET = "B0406" Warning "an indicator of a scorecard has no target",
"The score of an indicator is its attainment, so without a target it has none. The weights of the others count for it as long
as they are 80 % or more; below that the perspective, or the whole, is grey.
";
    BAD_PROCESS = "B0407" Error "a process does not tell that",
"A process knows when each step of a case begins: `from events(loan, step, begun)`. How long the case stays in a step follows. Whether
anybody works on it meanwhile does not: name a fourth column, in which the work on a step ends, or the steps in which cases only
wait. Times are told in a unit of time.

    process approval from loan_events(loan_id, step, begun, done) { unit hours }
    process approval from loan_events(loan_id, step, begun) { waits 'queued', 'documents missing' }
";
    BAD_ALERT = "B0408" Error "an alert cannot be understood",
"An alert looks out for one thing, in periods: a status of an indicator with targets (in their periods), a value that stands out, or a
condition on indicators (`every day`, or in the periods of the indicator's own `grain`). `for 2 periods` says that it must be so in two
of them, one after the other. Events are posted to `http` and `https` addresses.

    alert gmv_red  { when status(gmv by region) = 'red' for 2 periods  notify owner  severity high }
    alert gmv_odd  { when anomaly(gmv)  every day  notify webhook '${SALES_HOOK}' }
    alert gmv_low  { when gmv < 0.8 * gmv at (previous year) by region  every month }
";
    BAD_PUBLICATION = "B0409" Error "a publication cannot be written",
"A publication is a question whose answer `bell run` writes to files: indicators, by dimensions or grains of time, to a folder of its
own. Formats are `parquet` (if nothing is said), `csv` and `json`. The files may be divided by what `by` names.

    publish monthly_pack { indicators gmv, aov  by month, region  to 'out/monthly/'  format csv }
    publish daily        { indicators gmv  by day, region  to '${LAKE}/gmv/'  partitioned by day }
";
    BAD_ROLLUP = "B0410" Error "a rollup cannot be stored",
"A rollup stores what indicators are put together from, by dimensions and grains of time, in a folder of its own. `bell run` computes it,
and every question that can be put together from it is answered from it, with the same numbers.

    rollup sales_daily { indicators gmv, buyers  by day, region  to '${LAKE}/rollups/sales_daily/' }

What is stored must be what later gives the same number to the last digit: sums and averages of floating-point numbers do not, and are stored
only `approximate`; medians and percentiles, values of other moments and aggregates over `per` need the rows themselves. For how long a rollup
still answers after its sources have changed, `tolerance 2 hours` says; without it, not at all.
";
    BAD_EXPECTATION = "B0411" Error "an expectation cannot be understood",
"Something is expected of every row of one source, of the values of indicators, or of how new a source is. A row's condition names
its source, and reaches others along joins only; a value's may say for which periods and dimensions. `severity` is `stop` or `warn`.

    expect orders.amount >= 0
    expect gmv >= 0 every day by region { severity warn }
    expect orders fresh within 2 days
";
    BAD_POLICY = "B0412" Error "a policy cannot be held",
"A policy says which rows of a source a role sees, or which columns it does not. Rows that several policies open to a role add up; without
`to role` a policy narrows everybody, `except role` lets somebody pass. What joins, keys and times are made of cannot be masked: rows would be
lost or counted twice without a word.

    policy east on orders to role east_sales where store.region = '华东'
    policy all  on orders to role head where true
    policy pii  on customers mask phone, email except role privacy
";
    SEEN_PARTS = "B0413" Warning "parts of rows that are kept from somebody are seen",
"A policy is about the rows of one source. Rows of another source that join them stay: lines of orders that somebody may not see would
still be counted, only without a region and a day. A policy on the lines looks at the orders with the same eyes, so that one condition is
enough; `where true` says that everybody shall see them.

    policy east  on orders to role east_sales where store.region = 'east'
    policy lines on items where order.order_id is not null      -- the lines of orders that are seen
";
    NOT_AN_INDICATOR = "B0601" Error "MEASURE takes one indicator",
"`MEASURE`, `AGG` and `AGGREGATE` ask for an indicator of a view by its name. Dimensions and expressions are used as they are;
calculate outside of the marker.

    SELECT MEASURE(region) …           -- B0601
    SELECT MEASURE(gmv / 2) …          -- B0601: write MEASURE(gmv) / 2
";
    AGGREGATE_OF_INDICATOR = "B0602" Error "an ordinary aggregate of an indicator",
"An indicator already says how it is aggregated: a sum of conversion rates, or of distinct counts, would be a wrong number.
Write `MEASURE(gmv)`. BI tools that can only wrap columns in aggregates: `SET bell.bi_compat = true` reads any aggregate of
an indicator as `MEASURE`.
";
    UNGROUPED = "B0603" Error "an indicator without a group",
"An indicator has a value for a group of rows. `SELECT gmv FROM retail.indicators` does not say which groups: write
`MEASURE(gmv)` for one total, or add GROUP BY.
";
    INDICATOR_IN_WHERE = "B0604" Error "an indicator in WHERE",
"WHERE chooses rows before aggregation, and a row has no value of an indicator. Choose groups with HAVING.
";
    INDICATOR_AS_KEY = "B0605" Error "an indicator is grouped by",
"Groups are made before indicators are computed. Aggregate in a subquery, then group its result.
";
    MIXED = "B0606" Error "rows of a view are counted",
"A view has no rows of its own; which rows there are depends on the indicators asked for. Aggregates of dimensions work where
repeats make no difference (`count(DISTINCT d)`, `min`, `max`) in a query without MEASURE.
";
    MEASURE_PLACE = "B0607" Error "MEASURE does not stand on a view",
"Between a view and the GROUP BY that MEASURE belongs to there may be WHERE, aliases and subqueries of these. A join, LIMIT,
UNION or window in between would change which rows count. Aggregate first, then join.
";
    CORRELATED = "B0608" Error "a correlated subquery on a view",
"The view's rows exist only once the question groups them, so there is no row to correlate with.
";
    VALUES = "B0609" Error "dimension values that occur nowhere",
"Asked without an indicator, several dimensions show the combinations that occur in a source that reaches all of them.
There is none, so there is nothing to show.
";
    NOT_EXPANDED = "B0610" Error "a view was scanned by a session that does not know Bellwether",
"Indicator views work in sessions that `bellwether::register` was called on: it adds the rule that expands them.
";
    SQL_SYNTAX = "B0611" Error "this is not SQL",
"The text cannot be parsed; the caret stands where it stops making sense. One call takes one statement.
";
    SQL = "B0612" Error "SQL that cannot be planned",
"DataFusion refuses the statement for the reason given: the message is its own.
";
    UNKNOWN_TABLE = "B0613" Error "there is no such table or view",
"Each package is a schema: `retail.indicators` has all its dimensions and indicators, each indicator, view and source is a
relation of its own (`retail.gmv`). `SHOW TABLES` lists them.
";
    PERIOD = "B0501" Error "this is not a period",
"`from` and `to` take periods: `2026`, `2026-Q1`, `2026-01`, `2026-W05`, `2026-01-31`, or a timestamp
`2026-01-31 12:00:00`.
";
    REQUEST = "B0502" Error "a request does not fit together",
"A request asks for indicators (or, with `distinct`, for dimensions only), and orders by what it asks for.
";
    CONTEXT = "B0503" Error "a modifier has no meaning in this question",
"`at (…)` changes the context that the question gives: its groups, conditions and range. Some changes need something that
this question does not have: `previous period` a grain of time or a range with both bounds, a trailing window a point that
it ends at, `current d` a grouping by d. Others would mean two things: `all region` beside a condition that mixes region
with channel, a window over weeks and months at once. The message says what is missing, and what to ask instead.

    SELECT MEASURE(gmv) AT (PREVIOUS PERIOD) FROM retail.indicators                                  -- previous to what?
    SELECT metric_time__month, MEASURE(gmv) AT (PREVIOUS PERIOD) … GROUP BY metric_time__month       -- the month before
    … AT (ALL region) … WHERE region = 'east' OR channel = 'app'                                     -- dropped, or kept?
    … AT (ALL region) … WHERE region = 'east' AND channel = 'app'                                    -- the region's goes
";
    NOT_SEEN = "B0510" Error "policies do not let you see this",
"What you ask for is made of rows or columns that policies keep from your roles. Rows that you may see are answered for as if there were no
others; where you may see none of a source, or a masked column is counted, compared or computed with, the answer would be a wrong number
and is refused. `bell.policies` lists the policies that hold for you.
";
    NOTHING_BELOW = "B0504" Error "there is nothing to break an indicator down by",
"A change is explained by the parts of a tree, or by the slices of dimensions. This indicator has no tree, is not defined as
arithmetic on other indicators, and no dimension was said.

    bell why gmv --from 2026-09 --to 2026-10                      -- without `tree gmv = …`
    bell why gmv --from 2026-09 --to 2026-10 --by region
";
    NO_VALUE = "B0505" Error "a side of a comparison has no value",
"A change needs a value on both sides. On this one the indicator is NULL: no rows fulfil the conditions in that period, or it
divides by nothing there. It is refused, because a change from nothing has no size in percent and no parts.
";
    NO_TARGET = "B0507" Error "there is no target",
"A status compares a value with a target, and this indicator has none.

    target gmv { at least 1_200_000 CNY  every month }
";
    NOT_SLICEABLE = "B0506" Error "slices do not add up to an indicator",
"The change of a sum or a count is the sum of the changes of its slices, and the change of a ratio of two sums comes from
the rates and the weights of its slices. Of a median, an extreme, a product, or a share of a fixed whole nothing like that
holds: each slice can stay as it is while the whole moves. To find the combination of values that is to blame, slices must not
overlap either: a buyer of two channels would be blamed twice.

    bell why p95_wait --from 2026-09 --to 2026-10 --by region     -- explain the average, or a rate above a limit
";
    SHORT_SERIES = "B0508" Error "a series is too short",
"What stands out, when a level changed and what comes next can only be told of a number of values, one after the other. This
indicator has too few at this grain, or more than one of five is missing. A period without rows has no value; with `fill 0` in
the indicator it is zero.

    bell forecast gmv --grain month      -- not year: of five years nobody can tell
";
    BAD_BACKFILL = "B0509" Error "a part of a publication cannot be replaced",
"`bell run --from … --to …` computes whole partitions anew and leaves the others as they are. So the publication is `partitioned by`
a grain of time, the range begins and ends where partitions do, and what is there was made by the same definition: else old and new
numbers would stand side by side. Without `--from` and `--to` all of it is made anew.

    publish daily { indicators gmv  by day, region  to 'out/daily/'  partitioned by day }
";
    NOT_YET_ITEM = "B0901" Warning "an item is not yet supported",
"The language has it and files may hold it, but the engine does not answer it yet. It is left out; everything else works.
";
    NOT_YET_EXPRESSION = "B0902" Error "a part of a definition is not yet supported",
"Leaving it out would give other numbers than were meant, so the whole item is refused.
";
}

impl Code {
    fn entry(self) -> &'static Entry {
        &TABLE[self.0 as usize]
    }

    /// `B0101`.
    pub fn id(self) -> &'static str {
        self.entry().id
    }

    /// How bad it is.
    pub fn severity(self) -> Severity {
        self.entry().severity
    }

    /// One line on what the code means.
    pub fn summary(self) -> &'static str {
        self.entry().summary
    }

    /// The whole explanation.
    pub fn explanation(self) -> &'static str {
        self.entry().explanation
    }

    /// The code written `B0101`, if there is one.
    pub fn find(id: &str) -> Option<Code> {
        TABLE.iter().position(|entry| entry.id.eq_ignore_ascii_case(id)).map(|at| Code(at as u16))
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.id())
    }
}
