//! A file that appears when it is complete.

use std::io::Write;
use std::path::{Path, PathBuf};

use bellwether::error::{Error, Result};
use tempfile::NamedTempFile;

/// A file that is being written; dropped without [`PendingFile::commit`], it leaves nothing behind.
#[derive(Debug)]
pub struct PendingFile {
    path: PathBuf,
    content: Content,
}

#[derive(Debug)]
enum Content {
    /// Beside the final place, thus on the same disk, so that moving it is one step.
    Beside(NamedTempFile),
    /// A device or a pipe is written to, not replaced.
    Direct(std::fs::File),
}

impl PendingFile {
    /// Starts a file for `path`; behind a link, for what it points to.
    pub fn create(path: &Path) -> Result<Self> {
        let target = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        let content = match std::fs::metadata(&target) {
            Ok(found) if found.is_dir() => Err(std::io::Error::from(std::io::ErrorKind::IsADirectory)),
            Ok(found) if !found.is_file() => std::fs::File::create(&target).map(Content::Direct),
            _ => beside(&target).map(Content::Beside),
        };
        let content = content.map_err(|error| Error::io(path, error))?;
        Ok(PendingFile { path: target, content })
    }

    /// Where the file will be.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What its content is written to.
    pub fn writer(&self) -> Result<Box<dyn Write + Send>> {
        let file = match &self.content {
            Content::Beside(file) => file.as_file(),
            Content::Direct(file) => file,
        };
        let file = file.try_clone().map_err(|error| Error::io(&self.path, error))?;
        Ok(Box::new(std::io::BufWriter::new(file)))
    }

    /// Puts the file in its place, replacing one that is there.
    pub fn commit(self) -> Result<()> {
        match self.content {
            Content::Beside(file) => {
                file.persist(&self.path).map(drop).map_err(|error| Error::io(&self.path, error.error))
            }
            Content::Direct(_) => Ok(()),
        }
    }
}

fn beside(target: &Path) -> std::io::Result<NamedTempFile> {
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".bell-");
    // Temporary files are private by default; a result gets what the user's umask gives to any new file.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    builder.tempfile_in(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_appears_only_when_committed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.csv");
        std::fs::write(&path, "old").unwrap();
        let write = |text: &str| {
            let file = PendingFile::create(&path).unwrap();
            file.writer().unwrap().write_all(text.as_bytes()).unwrap();
            file
        };
        drop(write("half"));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        write("new").commit().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_folder_is_an_error_that_names_the_file() {
        let error = PendingFile::create(Path::new("/no/such/folder/out.csv")).unwrap_err();
        assert!(error.to_string().starts_with("/no/such/folder/out.csv: "));
    }
}
