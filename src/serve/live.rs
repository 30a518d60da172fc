//! The project that is served: read again when its texts change, and every now and then for its data; swapped in whole.
//!
//! A question is answered from one [`Edition`]: the texts and the listings of files that were there when it was opened.
//! Files that were replaced since are refused by the edition, never mixed; a new edition is opened at once then.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use datafusion::execution::memory_pool::MemoryPool;
use datafusion::prelude::SessionContext;
use tokio::sync::Notify;

use super::diagnostics::DiagnosticsTable;
use super::kept::KeptPlans;
use super::{Event, Watch, introspection};
use crate::diagnostic::{Diagnostic, render};
use crate::engine::{Engine, Limits, Project};
use crate::error::Result;
use crate::source::SourceSet;
use crate::store;

/// What somebody may see: everything, or what roles may.
pub type Roles = Option<BTreeSet<String>>;

/// How often the texts are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// The project in one state of its texts and data.
pub struct Edition {
    /// Counts up.
    pub number: u64,
    project: Arc<Project>,
    /// The session in which it was opened: it knows the stores of its files, and in which versions these are read.
    opened: SessionContext,
    /// By whose eyes they see with: a session to begin others from, and what was planned in those.
    seen: Mutex<HashMap<Roles, Seen>>,
}

type Seen = (Arc<Engine>, Arc<KeptPlans>);

/// A session's edition.
#[derive(Clone)]
pub(super) struct Over {
    pub(super) number: u64,
    pub(super) engine: Arc<Engine>,
    /// What was planned over it by all who see the same.
    pub(super) kept: Arc<KeptPlans>,
}

/// What is wrong with the texts as they are now.
#[derive(Debug, Default)]
pub(super) struct Broken {
    pub(super) sources: SourceSet,
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// The editions of a project.
pub struct Live {
    folder: PathBuf,
    pool: Arc<dyn MemoryPool>,
    present: RwLock<Arc<Edition>>,
    broken: Arc<RwLock<Broken>>,
    again: Notify,
}

impl Live {
    /// Opens the first edition.
    ///
    /// # Errors
    /// What is wrong with the project: nothing is served that was never right.
    pub async fn open(folder: PathBuf, limits: &Limits) -> Result<Live> {
        let pool = limits.pool();
        let (sources, project, opened) = read(&folder, &pool, None).await?;
        let project = project.sound()?;
        let broken = Broken { sources, diagnostics: project.diagnostics.clone() };
        let first = Edition { number: 1, project: Arc::new(project), opened, seen: Mutex::default() };
        Ok(Live {
            folder,
            pool,
            present: RwLock::new(Arc::new(first)),
            broken: Arc::new(RwLock::new(broken)),
            again: Notify::new(),
        })
    }

    /// The edition that is served now.
    pub fn present(&self) -> Arc<Edition> {
        Arc::clone(&self.present.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// How much memory questions use, in bytes.
    pub fn memory(&self) -> usize {
        self.pool.reserved()
    }

    /// A session over the present edition, with the eyes of somebody.
    ///
    /// # Errors
    /// What DataFusion says of the session.
    pub(super) fn over_the_present(&self, roles: &Roles) -> Result<Over> {
        let edition = self.present();
        let known = || edition.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let over = |(engine, kept): &Seen| Over {
            number: edition.number,
            engine: Arc::new(engine.beside()),
            kept: Arc::clone(kept),
        };
        if let Some(seen) = known().get(roles) {
            return Ok(over(seen));
        }
        // Others are let in meanwhile; if they have the same eyes, one of the two is kept.
        let first = Arc::new(self.first_engine(&edition, roles)?);
        Ok(over(known().entry(roles.clone()).or_insert((first, Arc::default()))))
    }

    fn first_engine(&self, edition: &Edition, roles: &Roles) -> Result<Engine> {
        let project = match roles {
            None => Arc::clone(&edition.project),
            Some(roles) => Arc::new(edition.project.seen_by(roles)?),
        };
        let engine = Engine::with_shared(Engine::session_like(&edition.opened), project)?;
        let ctx = engine.context();
        let catalog = ctx.state().config_options().catalog.default_catalog.clone();
        introspection::set_up(&engine)?;
        // Diagnostics quote texts and data that not everybody may see.
        if roles.is_none()
            && let Some(bell) = ctx.catalog(&catalog).and_then(|catalog| catalog.schema("bell"))
        {
            bell.register_table("diagnostics".to_string(), Arc::new(DiagnosticsTable::of(Arc::clone(&self.broken))))?;
        }
        Ok(engine)
    }

    /// Asks for a new edition soon: a file was found to have been replaced.
    pub fn read_again(&self) {
        self.again.notify_one();
    }

    /// Looks after the texts and the data until it is dropped.
    pub async fn follow(&self, refresh: Duration, watch: &Watch) {
        let mut known = Stamp::of(&self.folder);
        let mut read_at = tokio::time::Instant::now();
        loop {
            let asked = tokio::select! {
                () = self.again.notified() => true,
                () = tokio::time::sleep(LOOK) => false,
            };
            let now = Stamp::of(&self.folder);
            if !asked && now == known && read_at.elapsed() < refresh {
                continue;
            }
            let changed = now != known;
            (known, read_at) = (now, tokio::time::Instant::now());
            self.renew(changed, watch).await;
        }
    }

    /// A new edition, if the texts are right; else the last one stays.
    async fn renew(&self, changed: bool, watch: &Watch) {
        let read = read(&self.folder, &self.pool, Some(&self.present().opened)).await;
        let (sources, diagnostics, project, opened) = match read {
            Ok((sources, project, opened)) => (sources, project.diagnostics.clone(), project.sound().ok(), opened),
            Err(error) => {
                watch(&Event::Unread { error: &error });
                return;
            }
        };
        let told = changed || project.is_none();
        let shown = diagnostics.iter().filter(|_| told).map(|it| render::to_text(&sources, it, false));
        let shown: Vec<String> = shown.collect();
        let served = project.is_some();
        *self.broken.write().unwrap_or_else(PoisonError::into_inner) = Broken { sources, diagnostics };
        // Of the same texts and files there is an edition already, with all that was planned over it.
        let is_new = |project: &Project| changed || project.state() != self.present().project.state();
        if let Some(project) = project.filter(is_new) {
            let mut present = self.present.write().unwrap_or_else(PoisonError::into_inner);
            let number = present.number + 1;
            *present = Arc::new(Edition { number, project: Arc::new(project), opened, seen: Mutex::default() });
        }
        // Who hears of it can rely on it.
        if told {
            watch(&Event::Read { served, diagnostics: &shown });
        }
    }
}

/// The project as it is now, right or not. Each edition has listings of its own; only files that are new are looked into.
async fn read(
    folder: &Path,
    pool: &Arc<dyn MemoryPool>,
    before: Option<&SessionContext>,
) -> Result<(SourceSet, Project, SessionContext)> {
    let ctx = Engine::session_within(pool)?;
    if let Some(before) = before {
        store::share(before, &ctx);
    }
    let sources = SourceSet::load(folder)?;
    let project = Project::of(SourceSet::clone(&sources), &ctx).await;
    Ok((sources, project, ctx))
}

/// What tells one state of the texts from another: names, times, lengths.
#[derive(PartialEq)]
struct Stamp(Vec<(PathBuf, SystemTime, u64)>);

impl Stamp {
    fn of(folder: &Path) -> Stamp {
        let files = SourceSet::paths(folder).unwrap_or_default();
        let told = files.into_iter().filter_map(|path| {
            let known = std::fs::metadata(&path).ok()?;
            Some((path, known.modified().ok()?, known.len()))
        });
        Stamp(told.collect())
    }
}
