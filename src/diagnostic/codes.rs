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
"A join to a slowly changing table says from when until when a row is valid: `valid between a and b` means a <= time < b of
this source. It takes two bounds with `and` between them.

    join tier = tiers on customer_id valid between tier.valid_from                        -- wrong
    join tier = tiers on customer_id valid between tier.valid_from and tier.valid_to      -- right
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
