//! [`Model`]: sources, dimensions and indicators as plain data, and their text in Bell.

use super::expr::{Ex, Grain};
use super::pairs::{Change, Kind};
use super::value::Value;
use super::write::{Writer, literal};

/// The types of columns and expressions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ty {
    Int,
    /// Two decimals.
    Dec,
    /// Multiples of a quarter, so that sums are exact.
    Double,
    Text,
    Bool,
    Date,
    Time,
}

impl Ty {
    pub fn is_number(self) -> bool {
        matches!(self, Ty::Int | Ty::Dec | Ty::Double)
    }

    pub fn is_time(self) -> bool {
        matches!(self, Ty::Date | Ty::Time)
    }

    fn sql(self) -> &'static str {
        match self {
            Ty::Int => "bigint",
            Ty::Dec => "decimal(12,2)",
            Ty::Double => "double",
            Ty::Text => "varchar",
            Ty::Bool => "boolean",
            Ty::Date => "date",
            Ty::Time => "timestamp",
        }
    }
}

#[derive(Debug, Clone)]
pub struct Model {
    pub package: String,
    pub sunday: bool,
    pub sources: Vec<Source>,
    pub dimensions: Vec<Dimension>,
    pub segments: Vec<Dimension>,
    pub indicators: Vec<Indicator>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Csv,
    Parquet,
    /// A folder of two Parquet files.
    ParquetFolder,
}

#[derive(Debug, Clone)]
pub struct Source {
    pub name: String,
    pub format: Format,
    pub columns: Vec<Column>,
    pub key: Vec<usize>,
    pub time: Option<usize>,
    /// Over its own columns.
    pub filter: Option<Ex>,
    pub joins: Vec<Join>,
}

#[derive(Debug, Clone)]
pub struct Column {
    pub name: String,
    pub ty: Ty,
    /// Over the source's stored columns.
    pub computed: Option<Ex>,
    /// What the data is drawn for.
    pub role: Role,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Part of the key: unique, never NULL.
    Key,
    /// Refers to a column of another source; may be NULL or an orphan.
    Refers(usize, usize),
    Plain,
}

/// Many to one: own columns and the joined source's, pairwise.
#[derive(Debug, Clone)]
pub struct Join {
    pub name: String,
    pub target: usize,
    pub on: Vec<(usize, usize)>,
    /// Written `on column` where the names allow it.
    pub short: bool,
    /// The target's columns that the source's time lies between.
    pub valid: Option<(usize, usize)>,
}

/// A column reached from a root source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    pub root: usize,
    pub steps: Vec<Step>,
    pub column: usize,
}

/// One join, in its direction or against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Step {
    /// The join of that position of the source where we are.
    Up(usize),
    /// To the source whose join of that position leads to the source where we are.
    Down(usize, usize),
}

impl Step {
    /// The source that the step leads to from `at`.
    pub fn target(self, model: &Model, at: usize) -> usize {
        match self {
            Step::Up(join) => model.sources[at].joins[join].target,
            Step::Down(source, _) => source,
        }
    }
}

/// A dimension, or a segment (then of type bool): an expression for each root.
#[derive(Debug, Clone)]
pub struct Dimension {
    pub name: String,
    pub ty: Ty,
    pub definitions: Vec<(usize, Ex)>,
}

#[derive(Debug, Clone)]
pub struct Indicator {
    pub name: String,
    pub definition: Ex,
    /// A trailing `where`.
    pub trailing: Option<Ex>,
    /// A `where` clause.
    pub clause: Option<Ex>,
    /// Its own time axis.
    pub time: Option<Path>,
    /// Whether the value is exact, so that it may be compared or divided by.
    pub exact: bool,
    /// Whether the value is a number.
    pub number: bool,
    pub fill: Option<Value>,
    /// What a window shows at a grain coarser than its own.
    pub within: Option<(Within, Grain)>,
    /// Where it stands in the table of pairs.
    pub kind: Option<Kind>,
    pub changes: Vec<Change>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within {
    First,
    Average,
}

impl Indicator {
    /// One without name and clauses.
    pub fn of(definition: Ex, exact: bool, number: bool) -> Indicator {
        Indicator {
            name: String::new(),
            definition,
            trailing: None,
            clause: None,
            time: None,
            exact,
            number,
            fill: None,
            within: None,
            kind: None,
            changes: vec![],
        }
    }
}

/// Which items a shortened text keeps.
pub struct Kept {
    pub dimensions: Vec<bool>,
    pub segments: Vec<bool>,
    pub indicators: Vec<bool>,
}

impl Model {
    /// The source that a path ends in.
    pub fn target(&self, path: &Path) -> usize {
        path.steps.iter().fold(path.root, |at, step| step.target(self, at))
    }

    /// Everything is kept.
    pub fn all(&self) -> Kept {
        Kept {
            dimensions: vec![true; self.dimensions.len()],
            segments: vec![true; self.segments.len()],
            indicators: vec![true; self.indicators.len()],
        }
    }

    /// Only what these expressions need is kept.
    pub fn needed(&self, by: &[&Ex]) -> Kept {
        let mut kept = self.all();
        kept.dimensions.fill(false);
        kept.segments.fill(false);
        kept.indicators.fill(false);
        by.iter().for_each(|ex| self.mark(ex, &mut kept));
        kept
    }

    fn mark(&self, ex: &Ex, kept: &mut Kept) {
        ex.visit(&mut |inner| match inner {
            Ex::Dim(at, _) if !kept.dimensions[*at] => {
                kept.dimensions[*at] = true;
                self.dimensions[*at].definitions.iter().for_each(|(_, ex)| self.mark(ex, kept));
            }
            Ex::Seg(at) => kept.segments[*at] = true,
            Ex::Ind(at) => {
                let indicator = &self.indicators[*at];
                kept.indicators[*at] = true;
                self.mark(&indicator.definition, kept);
                indicator.trailing.iter().chain(&indicator.clause).for_each(|w| self.mark(w, kept));
            }
            _ => {}
        });
    }

    /// The project's text.
    pub fn bell(&self, kept: &Kept) -> String {
        let mut text = format!("package {}\n\n", self.package);
        if self.sunday {
            text += "calendar { week starts sunday }\n\n";
        }
        self.sources.iter().enumerate().for_each(|(at, _)| text += &self.source_text(at));
        let named = |items: &[Dimension], word: &str, kept: &[bool]| -> String {
            items.iter().zip(kept).filter(|(_, k)| **k).map(|(d, _)| self.dimension_text(d, word)).collect()
        };
        text += &named(&self.dimensions, "dimension", &kept.dimensions);
        text += &named(&self.segments, "segment", &kept.segments);
        for (indicator, _) in self.indicators.iter().zip(&kept.indicators).filter(|(_, k)| **k) {
            text += &self.indicator_text(indicator);
        }
        text
    }

    fn source_text(&self, at: usize) -> String {
        let source = &self.sources[at];
        let writer = Writer { inside: Some(at), ..Writer::bell(self) };
        let from = match source.format {
            Format::Csv => format!("csv 'data/{}.csv'", source.name),
            Format::Parquet => format!("parquet 'data/{}.parquet'", source.name),
            Format::ParquetFolder => format!("parquet 'data/{}/'", source.name),
        };
        let mut lines = vec![format!("source {} {{", source.name), format!("  from {from}")];
        let names =
            |columns: &[usize]| -> Vec<&str> { columns.iter().map(|c| source.columns[*c].name.as_str()).collect() };
        if !source.key.is_empty() {
            lines.push(format!("  key {}", listed(&names(&source.key))));
        }
        if let Some(time) = source.time {
            lines.push(format!("  time {}", source.columns[time].name));
        }
        if let Some(filter) = &source.filter {
            lines.push(format!("  where {}", writer.write(filter)));
        }
        source.joins.iter().for_each(|join| lines.push(format!("  join {}", self.join_text(source, join))));
        let columns: Vec<String> = source.columns.iter().filter_map(|c| column_text(source, c, &writer)).collect();
        if !columns.is_empty() {
            lines.push(format!("  columns {{ {} }}", columns.join(",  ")));
        }
        lines.join("\n") + "\n}\n\n"
    }

    /// `on c` where the names allow it, else the equation.
    fn join_text(&self, source: &Source, join: &Join) -> String {
        let target = &self.sources[join.target];
        let own = |c: usize| source.columns[c].name.as_str();
        let theirs = |c: usize| target.columns[c].name.as_str();
        let same_names = join.on.iter().all(|(a, b)| own(*a) == theirs(*b));
        let to_single_key = join.on.len() == 1 && target.key == [join.on[0].1];
        let on = if same_names || to_single_key && join.short {
            listed(&join.on.iter().map(|(a, _)| own(*a)).collect::<Vec<_>>())
        } else {
            let equal = |(a, b): &(usize, usize)| format!("{} = {}.{}", own(*a), target.name, theirs(*b));
            join.on.iter().map(equal).collect::<Vec<_>>().join(" and ")
        };
        let name = if join.name == target.name { String::new() } else { format!("{} = ", join.name) };
        let valid = |(from, to)| format!(" valid between {0}.{1} and {0}.{2}", join.name, theirs(from), theirs(to));
        format!("{name}{} on {on}{}", target.name, join.valid.map(valid).unwrap_or_default())
    }

    fn dimension_text(&self, dimension: &Dimension, word: &str) -> String {
        let writer = Writer::bell(self);
        let definitions: Vec<String> = dimension.definitions.iter().map(|(_, ex)| writer.write(ex)).collect();
        format!("{word} {} = {}\n", dimension.name, definitions.join(", "))
    }

    fn indicator_text(&self, indicator: &Indicator) -> String {
        let writer = Writer::bell(self);
        let mut text = format!("indicator {} = {}", indicator.name, writer.write(&indicator.definition));
        if let Some(condition) = &indicator.trailing {
            text += &format!(" where {}", writer.write(condition));
        }
        let mut clauses = vec![];
        clauses.extend(indicator.clause.as_ref().map(|c| format!("  where {}\n", writer.write(c))));
        clauses.extend(indicator.time.as_ref().map(|t| format!("  time {}\n", writer.path(t))));
        clauses.extend(indicator.fill.as_ref().map(|v| format!("  fill {}\n", literal(v))));
        if let Some((within, grain)) = indicator.within {
            let shows = if within == Within::First { "first" } else { "average" };
            clauses.push(format!("  grain {}\n  within period {shows}\n", grain.word()));
        }
        if clauses.is_empty() { text + "\n" } else { text + " {\n" + &clauses.concat() + "}\n" }
    }
}

fn listed(names: &[&str]) -> String {
    if let [name] = names { name.to_string() } else { format!("({})", names.join(", ")) }
}

/// CSV columns need their types; computed columns their formula.
fn column_text(source: &Source, column: &Column, writer: &Writer<'_>) -> Option<String> {
    match &column.computed {
        Some(formula) => Some(format!("{} = {}", column.name, writer.write(formula))),
        None if source.format == Format::Csv => Some(format!("{} {}", column.name, column.ty.sql())),
        None => None,
    }
}

/// A source's rows; computed columns are computed.
pub type Table = Vec<Vec<Value>>;
