//! Text files as readers, whatever compresses them and wherever they lie.

use std::io::{Cursor, Read};
use std::str::FromStr;
use std::sync::Arc;

use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use datafusion::error::DataFusionError;
use datafusion::object_store::path::Path;
use datafusion::object_store::{GetResultPayload, ObjectStore, ObjectStoreExt};
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use tokio::runtime::Handle;

use super::StoreError;
use crate::diagnostic::codes;

/// How a file is compressed: as declared, else by its ending.
pub(super) fn compression_of(declared: Option<&str>, path: &Path) -> Result<FileCompressionType, StoreError> {
    let Some(name) = declared else {
        let ending = path.extension().unwrap_or_default();
        return Ok(FileCompressionType::from_str(ending).unwrap_or(FileCompressionType::UNCOMPRESSED));
    };
    let name = if name.eq_ignore_ascii_case("none") { "" } else { name };
    FileCompressionType::from_str(name).map_err(|_| {
        StoreError::new(codes::BAD_OPTION, format!("`{name}` is not a compression"))
            .help("one of gzip, bzip2, xz, zstd, none")
    })
}

/// Runs `work` over the decompressed text on a thread that may block. Unlike DataFusion's streams, the readers here go
/// on after the first member of a file of several compressed members.
pub(super) async fn read<T: Send + 'static>(
    store: &Arc<dyn ObjectStore>,
    path: &Path,
    compression: FileCompressionType,
    work: impl FnOnce(Box<dyn Read + Send>) -> T + Send + 'static,
) -> Result<T, DataFusionError> {
    let reader: Box<dyn Read + Send> = match store.get(path).await?.payload {
        GetResultPayload::File(file, _) => Box::new(file),
        GetResultPayload::Stream(stream) => {
            let chunks = stream.map_ok(|chunk| Cursor::new(chunk.to_vec())).map_err(std::io::Error::other).boxed();
            Box::new(BlockingReader { chunks, chunk: Cursor::default(), runtime: Handle::current() })
        }
    };
    let joined = tokio::task::spawn_blocking(move || Ok(work(compression.convert_read(reader)?))).await;
    joined.map_err(|panic| DataFusionError::External(Box::new(panic)))?
}

/// A stream of chunks as a reader, for a thread that may wait.
struct BlockingReader {
    chunks: BoxStream<'static, std::io::Result<Cursor<Vec<u8>>>>,
    chunk: Cursor<Vec<u8>>,
    runtime: Handle,
}

impl Read for BlockingReader {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        loop {
            let read = self.chunk.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            match self.runtime.block_on(self.chunks.next()) {
                Some(chunk) => self.chunk = chunk?,
                None => return Ok(0),
            }
        }
    }
}
