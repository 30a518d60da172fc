//! The codes of what is found by reading the data, and by an audit.

use super::{Code, Entry, Severity};

codes! { FOUND from super::MODEL.len() as u16;
    FILE_MISSING = "B0350" Error "a source has no files",
"The location of a source names no file: the file or folder does not exist, the folder is empty, or no file matches the
glob. A source without files is refused, because an empty answer would look like a true zero. Relative paths begin at
the project's folder. Files and folders whose names begin with `_` or `.` do not count.

    source orders { from parquet 'data/order/*.parquet' }     -- the folder is called `orders`
";
    BAD_LOCATION = "B0351" Error "this is not a location",
"A location is a path, a glob, or a file:, s3:, gs:, az:, http: or https: URL. Other schemes, broken URLs and broken
globs are refused; so are several locations of one source in different stores, and remote locations in a build without
the cargo feature `cloud`. Credentials come from the usual environment variables (AWS_ACCESS_KEY_ID, …).

    source orders { from parquet 'ftp://host/orders/' }       -- download the files, or serve them by https:
";
    BAD_LAYOUT = "B0352" Error "the folders are not laid out as declared",
"A folder means the files in it. Sub-folders are read only where the source says so: as Hive-style partitions
(`partition by dt date` for folders `dt=2026-01-31`), or by a glob with `**`. Every partition folder must be declared,
and every file must lie in all declared ones; otherwise rows or columns would be lost without a word. Folders of Delta
Lake, Iceberg or Hudi tables are refused too: their files also hold rows that the table has deleted.

    source orders { from parquet 'lake/orders/'  partition by dt date, region varchar }
";
    FILE_UNREADABLE = "B0353" Error "a file cannot be read",
"The file is empty, truncated, corrupt, of another format than declared, or the system refused to hand it out (rights,
network). Nothing is read from a source of which one file is broken. Replace the file, or leave it out by a narrower glob.

    source orders { from parquet 'data/orders.csv' }          -- it is CSV: from csv 'data/orders.csv'
";
    BAD_ROW = "B0354" Error "a row of a text file is broken",
"A row of a CSV file has more or fewer fields than the first line, a line of a JSON file is not an object, a field of
JSON objects is text in one line and a number in another, or the text is not UTF-8. The message names the file and the
line. Often a delimiter stands in a field without quotes, or another delimiter or quote must be declared.

    source orders { from csv 'data/orders.csv' { delimiter ';' } }
";
    VALUE_MISFIT = "B0355" Error "a value does not fit its type",
"A value of a text file, or of a partition folder, cannot be read as the declared type without losing something: `x` as
a number, `1.005` as decimal(18,2), a moment with a zone as a timestamp without one. The message names the file, line,
column and value. Mend the value, declare a type that holds it, or name the text that stands for NULL.

    source orders { from csv 'data/orders.csv' { null 'n/a' }  columns { amount decimal(18,3) } }
";
    SCHEMAS_DIFFER = "B0356" Error "the files of a source differ in their columns",
"All files of one source must have the same columns of the same types; CSV files also in the same order. The message
names two files and the column. Differences that could be widened are refused as well, because a column that is missing
in one file, or that changed its type, has often changed its meaning. For Parquet, declaring the column's type says that
the difference is meant; otherwise make two sources.

    source orders { from parquet 'data/*.parquet'  columns { quantity bigint } }   -- int in the older files
";
    BAD_COLUMN_TYPE = "B0357" Error "a declared column type does not fit the files",
"`columns` gives a type to a column that the files do not have, or one that would drop a part of its values (a double
read as bigint, a timestamp as a date), or one that text cannot be read as. To cut values on purpose, compute a column.

    source orders { from parquet 'data/*.parquet'  columns { day = cast(ordered_at as date) } }
";
    VARIABLE_MISSING = "B0358" Error "an environment variable is not set",
"`${NAME}` in a location is replaced by the environment variable of that name. It is not set, so the location is unknown.

    source orders { from parquet '${LAKE}/orders/' }          -- LAKE=s3://company-lake bell check
";
    BAD_OPTION = "B0359" Error "a format option has no such value",
"The option of a file format has a value that it does not know, such as a compression other than gzip, bzip2, xz, zstd
or none. Without a declared compression the file's ending decides (.gz, .bz2, .xz, .zst).

    source orders { from csv 'data/orders.csv.lz4' { compression 'lz4' } }
";
    UNPUBLISHED = "B0360" Error "the rows of a source are not published yet",
"The source lies in the folder of a publication of the same project that has never run, or not where the project is now. Its
columns are known from what is to be published, but no row is: no rows would look like a true zero. Run the publication; what
is made of it comes after it by itself.

    publish daily { indicators gmv  by day  to 'out/daily/' }
    source days { from parquet 'out/daily/' }                 -- bell run daily
";
    AWAITED = "B0361" Warning "a source awaits a publication",
"The source lies in the folder of a publication that has never run. The project is checked with the columns which that will
have; what reads the source is refused (B0360) until it has run.

    bell run
";
    KEY_NOT_UNIQUE = "B0380" Error "a key is not unique",
"`check --data` found several rows with the same value of a declared key. Joins to this source would multiply rows and
every sum over them would be wrong. Remove the duplicates, add the missing column to the key, or add a `where` clause.

    source daily_stock { from parquet 'data/stock/*.parquet'  key (sku, day) }     -- not: key sku
";
    KEY_NULL = "B0381" Error "a key is NULL in some rows",
"`check --data` found rows whose declared key is NULL. Such a row cannot be joined to nor told from others.
Leave the rows out, or declare another key.

    source customers { from csv 'data/customers.csv'  key customer_id  where customer_id is not null }
";
    JOIN_ORPHANS = "B0382" Warning "rows of a join find no match",
"`check --data` found rows whose join columns are not NULL and match no row of the joined source. They are kept, with
NULL for the dimensions of that source, so totals stay right; but their share of a breakdown stands under NULL.

    join customer = customers on customer_id                  -- some customers are missing in the file
";
    VALIDITY_OVERLAPS = "B0383" Error "validity periods overlap",
"`check --data` found two rows of a `valid between` join that are valid at the same time for the same key. A row of the
fact would match both and be counted twice. Mend the periods: each must end where the next begins.

    join tier = customer_tiers on customer_id valid between tier.valid_from and tier.valid_to
";
    TREE_BREAKS = "B0384" Error "a tree is not an identity",
"A tree says what an indicator is made of. That it is so follows from the definitions (`bell.tree` then says `proven`), or only
the data can tell: then `check --data` computes both sides for every month and for all of time, and every explanation does
for its own periods. Here they differ by more than a millionth, so a change could not be followed to its parts. Mend the
formula, or name the missing part.

    tree total = goods + shipping          -- and taxes?
";
    EXPECTATION_BROKEN = "B0385" Error "an expectation is broken",
"The data is not as an `expect` says. `bell run` publishes nothing that depends on it: nothing that reads the source, or whose
indicators are made of the one that it names. Readers see what they saw before. The message says how many rows, or groups, break it, and
the keys of up to five. Correct the data; or, if it is fine, the expectation.

    expect orders.amount >= 0
    expect orders.amount >= 0 or orders.is_refund
";
    EXPECTATION_WARNS = "B0386" Warning "an expectation is broken that only warns",
"The data is not as an `expect` with `severity warn` says. What depends on it is published all the same.

    expect orders.region is not null { severity warn }
";
    AUDIT_OWNER = "B0701" Warning "an indicator has no owner",
"`bell audit` asks who answers for each indicator. A number that nobody answers for is corrected by nobody.

    indicator gmv = sum(orders.amount) { owner \"sales-ops@example.com\" }
";
    AUDIT_TARGET = "B0702" Warning "an indicator has no target",
"`bell audit` asks what each indicator should reach. Without a target its value is neither good nor bad, and it has no status.

    target gmv { every month  at least 1_200_000 CNY }
";
    AUDIT_SCENARIO = "B0703" Warning "an indicator is in no scenario",
"`bell audit` asks what each indicator is for. One that no scenario names answers a question that nobody has asked.

    scenario growth { goal \"sell more\"  result gmv  efficiency discount_rate }
";
    AUDIT_RESULT = "B0704" Warning "a scenario has no result indicator",
"A scenario has a goal; a result indicator tells whether it is reached. Without one, work is measured and success is not.

    scenario retention { goal \"fewer customers leave\"  result churn_rate  efficiency reply_time }
";
    AUDIT_EFFICIENCY = "B0705" Warning "a scenario has no efficiency indicator",
"A goal can be reached at any expense; an efficiency indicator tells at what expense of time, money or people it is.

    scenario retention { goal \"fewer customers leave\"  result churn_rate  efficiency reply_time }
";
    AUDIT_SAME_DEFINITION = "B0706" Warning "several indicators are the same",
"Two names for one number: sooner or later one of them is changed and the other is not. Definitions are compared as they are
resolved, not as they are written: segments and dimensions stand for their columns, other indicators for their own definitions,
and the order of sums, products and conditions does not matter. So `sum(orders.amount) where paid` and
`turnover filter (where orders.status = 'paid')` are the same. Keep one, and let the other be its label, or `use` it from the other
package.
";
    AUDIT_SAME_NAME = "B0707" Warning "one name means different things",
"Indicators of the same name in different packages are computed differently, so two reports that seem to show the same number do
not. Rename one of them for what it is, or `use` the other package's.

    package finance
    indicator net_sales = sum(invoices.amount)        -- and retail.net_sales = sum(orders.amount)
";
    AUDIT_PROCESS = "B0708" Warning "a process is in no scenario",
"A process is measured for a reason: a scenario names it among its processes, by its name or by its label.

    process approval \"审批\" from loan_events(loan_id, step, begun)
    scenario lending { goal \"decide within a day\"  process \"审批\"  result approval_per_case }
";
}
