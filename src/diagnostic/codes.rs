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
