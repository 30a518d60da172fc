//! Sources over the folders of publications of the same project, before these have run: each has the columns that its
//! publication will write, so that the project can be opened, checked and run.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, Schema};

use crate::catalog::Catalog;
use crate::catalog::publication::Publication;
use crate::check::place;
use crate::plan::Request;
use crate::plan::request::plan_request;
use crate::store::gather::Missing;
use crate::store::unpublished::Awaited;

/// What sources without files await, by package and name.
pub(super) type Await = HashMap<(String, String), Awaited>;

/// The same of those that were found missing, as far as publications that are right write to where they lie.
pub(super) fn awaited(missing: Vec<Missing>, catalog: &Catalog) -> Await {
    let mut found = Await::new();
    if missing.is_empty() || catalog.publications.is_empty() {
        return found;
    }
    let catalog = Arc::new(catalog.clone());
    for source in missing {
        let writes = |it: &&Publication| place(&it.to) == place(&source.location);
        let publication = catalog.publications.iter().find(writes);
        if let Some(awaited) = publication.and_then(|it| planned(&catalog, it)) {
            found.insert(source.name, awaited);
        }
    }
    found
}

/// The columns as the question of a publication has them.
fn planned(catalog: &Arc<Catalog>, publication: &Publication) -> Option<Awaited> {
    let (asked, resolved) = Request::of_publication(catalog, publication);
    let plan = plan_request(catalog, &asked, resolved).ok()?;
    let fields = plan.schema().fields().iter().zip(publication.columns());
    let fields: Vec<Field> = fields.map(|(field, name)| Field::new(name, field.data_type().clone(), true)).collect();
    Some(Awaited { publication: publication.qualified(), columns: Arc::new(Schema::new(fields)) })
}
