//! Apache Parquet and Arrow IPC.

use std::io::Write;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::ipc::writer::{FileWriter, StreamWriter};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::Compression;
use datafusion::parquet::file::properties::WriterProperties;

use super::RowWriter;

type Sink = Box<dyn Write + Send>;

/// A Parquet file, compressed so that every reader understands it.
pub fn parquet(sink: Sink, schema: SchemaRef) -> Result<Box<dyn RowWriter>, ArrowError> {
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    Ok(Box::new(Parquet(ArrowWriter::try_new(sink, schema, Some(properties))?)))
}

/// An Arrow IPC file, which readers can seek in.
pub fn arrow_file(sink: Sink, schema: &SchemaRef) -> Result<Box<dyn RowWriter>, ArrowError> {
    Ok(Box::new(File(FileWriter::try_new(sink, schema)?)))
}

/// An Arrow IPC stream, which readers can consume as it comes.
pub fn arrow_stream(sink: Sink, schema: &SchemaRef) -> Result<Box<dyn RowWriter>, ArrowError> {
    Ok(Box::new(Stream(StreamWriter::try_new(sink, schema)?)))
}

struct Parquet(ArrowWriter<Sink>);

impl RowWriter for Parquet {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        Ok(self.0.write(batch)?)
    }

    fn finish(&mut self) -> Result<(), ArrowError> {
        self.0.finish()?;
        Ok(self.0.inner_mut().flush()?)
    }
}

struct File(FileWriter<Sink>);

impl RowWriter for File {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        self.0.write(batch)
    }

    fn finish(&mut self) -> Result<(), ArrowError> {
        self.0.finish()?;
        Ok(self.0.get_mut().flush()?)
    }
}

struct Stream(StreamWriter<Sink>);

impl RowWriter for Stream {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        self.0.write(batch)
    }

    fn finish(&mut self) -> Result<(), ArrowError> {
        self.0.finish()?;
        Ok(self.0.get_mut().flush()?)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use datafusion::arrow::ipc::reader::{FileReader, StreamReader};

    use super::super::{Captured, sample};
    use super::*;

    fn written(make: impl FnOnce(Sink) -> Box<dyn RowWriter>) -> Cursor<Vec<u8>> {
        let captured = Captured::default();
        let mut writer = make(captured.sink());
        writer.write(&sample()).unwrap();
        writer.finish().unwrap();
        Cursor::new(captured.bytes())
    }

    #[test]
    fn arrow_reads_back_equal() {
        let mut file =
            FileReader::try_new(written(|sink| arrow_file(sink, &sample().schema()).unwrap()), None).unwrap();
        let text = |batch: &RecordBatch| format!("{batch:?}");
        assert_eq!(text(&file.next().unwrap().unwrap()), text(&sample()));
        let stream = written(|sink| arrow_stream(sink, &sample().schema()).unwrap());
        let mut stream = StreamReader::try_new(stream, None).unwrap();
        assert_eq!(text(&stream.next().unwrap().unwrap()), text(&sample()));
    }

    #[test]
    fn parquet_is_complete() {
        let bytes = written(|sink| parquet(sink, sample().schema()).unwrap()).into_inner();
        assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"));
    }
}
