//! The single table of diagnostic codes: severity, a one-line summary and an explanation for each.
//!
//! `bell explain-code B0123` prints an entry. Ranges: `B00xx` text and syntax, `B01xx` names, `B02xx` expressions
//! and types, `B03xx` sources, keys and joins, `B035x` what `--data` and reading find, `B04xx` indicators and units,
//! `B05xx` questions, `B06xx` SQL, `B09xx` not yet supported.

use super::Severity;

/// A declared code, such as `B0101`; an index into the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(u16);

/// One row of the table.
#[derive(Debug)]
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
    ($($(#[$doc:meta])* $name:ident = $id:literal $severity:ident $summary:literal, $explanation:literal;)*) => {
        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        #[repr(u16)]
        enum Position { $($name),* }

        $(
            #[doc = $summary]
            pub const $name: Code = Code(Position::$name as u16);
        )*

        /// Every code, in order.
        pub const TABLE: &[Entry] = &[
            $(Entry { id: $id, severity: Severity::$severity, summary: $summary, explanation: $explanation }),*
        ];
    };
}

codes! {
    SYNTAX = "B0001" Error "this is not Bell",
"The item does not follow the language's grammar. The caret stands at the first place where nothing fits, and the
message lists what could stand there. Only this item is left out; the others of the file are checked as usual.

    indicator gmv = sum(orders.amount     -- the bracket is not closed
";

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
