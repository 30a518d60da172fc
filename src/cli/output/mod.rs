//! Where results go and in which format.
//!
//! Formats write batch by batch; only a table, which must know its widths, holds back rows. A file is written beside
//! its final place and moved there at the end, so that a failed query never leaves half of one.

mod file;
mod table;

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use bellwether::Error;
use bellwether::source::SourceSet;
use bellwether::store::rows::{RowWriter, columnar, csv, json, twins};
use clap::{Args, ValueEnum};
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;

use super::Failure;
use file::PendingFile;

/// The options of every command that shows rows.
#[derive(Debug, Clone, Default, Args)]
pub struct OutputArgs {
    /// Format of the rows; default: by the ending of --output, else table on a terminal and csv elsewhere
    #[arg(short = 'F', long, value_enum)]
    pub format: Option<Format>,
    /// Write to a file, which appears only when it is complete
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// What stands for NULL in a table or in csv [default: NULL in a table, nothing in csv]
    #[arg(long, value_name = "TEXT")]
    pub null: Option<String>,
}

/// A format for rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people: aligned columns
    Table,
    /// Comma-separated with a header; nested values as JSON
    Csv,
    /// One array of objects: decimals, dates, NaN and infinity as text, keys in column order
    Json,
    /// One object a line, values as in json
    #[value(alias = "jsonl")]
    Ndjson,
    /// Apache Parquet
    Parquet,
    /// Arrow IPC: a file with --output, else a stream
    Arrow,
}

/// How many digits of a number a table shows; other formats always have all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Digits {
    /// All of them; what is missing is `NULL`.
    All,
    /// The first six of doubles; what is missing leaves the place empty.
    Six,
}

/// Where the rows of a command go.
#[derive(Debug)]
pub struct Output {
    format: Format,
    null: Option<String>,
    destination: Destination,
}

#[derive(Debug)]
enum Destination {
    Stdout,
    /// A file that is written by the first result.
    File(PathBuf),
    /// A file that has its result.
    Written(PendingFile),
}

impl Output {
    /// Settles format and destination; nothing is created yet.
    pub fn new(args: &OutputArgs) -> Result<Self, Failure> {
        let format = match (args.format, &args.output) {
            (Some(format), _) => format,
            (None, Some(path)) => format_of(path)?,
            (None, None) if std::io::stdout().is_terminal() => Format::Table,
            (None, None) => Format::Csv,
        };
        let binary = matches!(format, Format::Parquet | Format::Arrow);
        if binary && args.output.is_none() && std::io::stdout().is_terminal() {
            return Err(Failure::Usage("this format is not for terminals: write to a file with --output".to_string()));
        }
        let destination = args.output.clone().map_or(Destination::Stdout, Destination::File);
        Ok(Output { format, null: args.null.clone(), destination })
    }

    /// Starts a result.
    pub fn start(&mut self, schema: &SchemaRef, digits: Digits) -> Result<Box<dyn RowWriter>, Failure> {
        if matches!(self.format, Format::Json | Format::Ndjson | Format::Parquet) {
            self.refuse_twins(schema)?;
        }
        let to_file = !matches!(self.destination, Destination::Stdout);
        let sink = self.sink()?;
        let null = self.null.as_deref();
        let writer: Result<Box<dyn RowWriter>, ArrowError> = match self.format {
            Format::Table => {
                Ok(Box::new(table::TableWriter::new(sink, schema.clone(), null, footer(to_file)).with(digits)))
            }
            Format::Csv => Ok(Box::new(csv::CsvWriter::new(sink, schema.clone(), null))),
            Format::Json => Ok(Box::new(json::array(sink))),
            Format::Ndjson => Ok(Box::new(json::lines(sink))),
            Format::Parquet => columnar::parquet(sink, schema.clone()),
            Format::Arrow if to_file => columnar::arrow_file(sink, schema),
            Format::Arrow => columnar::arrow_stream(sink, schema),
        };
        writer.map_err(|error| self.failed(&error))
    }

    /// Puts the file, if there is one, in its place.
    pub fn commit(self) -> Result<(), Failure> {
        match self.destination {
            Destination::Written(file) => file.commit().map_err(|error| Failure::new(error, SourceSet::default())),
            Destination::Stdout | Destination::File(_) => Ok(()),
        }
    }

    /// What a writer's error means to the user.
    pub fn failed(&self, error: &ArrowError) -> Failure {
        let target = match &self.destination {
            Destination::Stdout => "the result".to_string(),
            Destination::File(path) => path.display().to_string(),
            Destination::Written(file) => file.path().display().to_string(),
        };
        let reason = match error {
            ArrowError::IoError(_, source) => source.to_string(),
            other => other.to_string(),
        };
        Failure::new(Error::Data(format!("cannot write {target}: {reason}")), SourceSet::default())
    }

    fn sink(&mut self) -> Result<Box<dyn Write + Send>, Failure> {
        match &self.destination {
            Destination::Stdout => Ok(Box::new(stdout())),
            Destination::Written(file) => Err(Failure::Usage(format!(
                "a second statement gives rows, but {} holds one result",
                file.path().display()
            ))),
            Destination::File(path) => {
                let created = PendingFile::create(path).and_then(|file| Ok((file.writer()?, file)));
                let (writer, file) = created.map_err(|error| Failure::new(error, SourceSet::default()))?;
                self.destination = Destination::Written(file);
                Ok(writer)
            }
        }
    }

    /// Formats whose readers find values by name would show only one of two columns called the same.
    fn refuse_twins(&self, schema: &Schema) -> Result<(), Failure> {
        let Some(name) = twins(schema) else { return Ok(()) };
        let message = format!("two columns are called \"{name}\": give one another name with AS");
        Err(Failure::new(Error::Data(message), SourceSet::default()))
    }
}

/// Stdout, buffered; when its reader goes away (`bell … | head`), there is nothing more to do and nothing is wrong.
pub fn stdout() -> impl Write + Send {
    std::io::BufWriter::new(Stdout)
}

struct Stdout;

impl Stdout {
    fn unless_closed<T>(done: std::io::Result<T>) -> std::io::Result<T> {
        match done {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
            other => other,
        }
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Stdout::unless_closed(std::io::stdout().write(bytes))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Stdout::unless_closed(std::io::stdout().flush())
    }
}

/// Writes a text to stdout.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut sink = stdout();
    let written = sink.write_all(text.as_bytes()).and_then(|()| sink.flush());
    written.map_err(|error| Failure::new(Error::io(Path::new("stdout"), error), SourceSet::default()))
}

fn format_of(path: &Path) -> Result<Format, Failure> {
    match path.extension().and_then(|ending| ending.to_str()) {
        Some("csv") => Ok(Format::Csv),
        Some("json") => Ok(Format::Json),
        Some("ndjson" | "jsonl") => Ok(Format::Ndjson),
        Some("parquet") => Ok(Format::Parquet),
        Some("arrow" | "feather" | "ipc") => Ok(Format::Arrow),
        Some("txt") => Ok(Format::Table),
        _ => Err(Failure::Usage(format!("the ending of {} tells no format: add --format", path.display()))),
    }
}

fn footer(to_file: bool) -> table::Footer {
    if !to_file && std::io::stdout().is_terminal() { table::Footer::RowCount } else { table::Footer::None }
}

/// A batch for tests: integers, text with Chinese and NULL, decimals.
#[cfg(test)]
fn sample() -> datafusion::arrow::array::RecordBatch {
    use std::sync::Arc;

    use datafusion::arrow::array::{ArrayRef, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray};
    let amounts = Decimal128Array::from(vec![Some(1050), None, Some(-5)]).with_precision_and_scale(18, 2);
    RecordBatch::try_from_iter([
        ("n", Arc::new(Int64Array::from(vec![1, -20, i64::MAX])) as ArrayRef),
        ("区域", Arc::new(StringArray::from(vec![Some("华东"), None, Some("a\"b,c")]))),
        ("amount", Arc::new(amounts.unwrap())),
        ("rate", Arc::new(Float64Array::from(vec![Some(0.5), Some(f64::NAN), None]))),
    ])
    .unwrap()
}

/// A sink whose bytes a test can read.
#[cfg(test)]
#[derive(Clone, Default)]
struct Captured(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

#[cfg(test)]
impl Captured {
    fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }

    fn text(&self) -> String {
        String::from_utf8(self.bytes()).unwrap()
    }

    fn sink(&self) -> Box<dyn Write + Send> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
