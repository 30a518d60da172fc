//! Processes: whose rows are steps, in what order, and the columns that they get.

use std::sync::Arc;

use datafusion::sql::sqlparser::ast as sql;

use super::declare::{Declared, item_of};
use super::resolve::{Named, Resolver};
use super::{Checker, Failure};
use crate::catalog::calendar::is_time;
use crate::catalog::event::{Event, EventColumn, EventValue};
use crate::catalog::expr::Input;
use crate::catalog::process::{DeclaredProcess, Process, Typed};
use crate::catalog::reach::{Standpoint, definition_for, flatten};
use crate::catalog::unit::time_scale;
use crate::catalog::{DimensionId, SourceId, View};
use crate::diagnostic::{Diagnostic, codes};
use crate::syntax::ast;

/// The columns that a process gives its rows, in the order in which they are listed.
const COLUMNS: [EventColumn; 5] =
    [EventColumn::Stay, EventColumn::Working, EventColumn::Waiting, EventColumn::Visit, EventColumn::Next];

impl<'a> Checker<'a> {
    /// Processes of all packages: each becomes a view of its indicators.
    pub(crate) fn check_processes(&mut self) {
        for at in 0..self.declared.processes.len() {
            let process = self.process_at(at);
            let Some(process) = self.keep(process) else { continue };
            let declared = self.declared.processes[at];
            let whole = self.whole_process(declared, process);
            let Some(whole) = self.keep(whole) else { continue };
            let mut dimensions = vec![whole.steps];
            dimensions.extend(self.slices(whole.process.source, &whole.item.package, whole.steps));
            let view = View { item: whole.item.clone(), indicators: whole.indicators.clone(), dimensions };
            self.catalog.to_mut().views.push(view);
            self.catalog.to_mut().processes.push(whole);
        }
    }

    fn whole_process(
        &mut self,
        declared: Declared<'a, &'a ast::Process>,
        process: Arc<Process>,
    ) -> Result<DeclaredProcess, Failure> {
        let (package, tree) = (declared.package, declared.tree);
        let Some(Named::Dimension(steps, _)) = self.member_named(package, &tree.steps.name.text)? else {
            return Err(Failure::Silent);
        };
        let mut indicators = Vec::new();
        for indicator in &tree.indicators {
            match self.member_named(package, &indicator.name.text)? {
                Some(Named::Indicator(id)) => indicators.push(id),
                _ => return Err(Failure::Silent),
            }
        }
        let mut item = item_of(package, declared.item, &tree.name, &tree.labels);
        item.owner = tree.owner.as_ref().map(|owner| owner.text.clone());
        let columns = [&tree.case, &tree.step, &tree.time].into_iter().chain(&tree.until);
        let columns: Vec<&str> = columns.map(|column| self.files.text(column.span)).collect();
        let mut definition_text = format!("from {}({})", self.files.text(tree.source.span), columns.join(", "));
        if !process.waits.is_empty() {
            let waits: Vec<String> = process.waits.iter().map(|step| format!("'{step}'")).collect();
            definition_text += &format!(" waits {}", waits.join(", "));
        }
        Ok(DeclaredProcess { item, process, definition_text, steps, indicators })
    }

    /// The dimensions of a package that slice a source without repeating its rows.
    fn slices(&self, source: SourceId, package: &str, but: DimensionId) -> Vec<DimensionId> {
        let serves = |id: &DimensionId| {
            let definition = definition_for(&self.catalog, source, *id).ok();
            let flat = definition.map(|it| flatten(&self.catalog, Standpoint { source, axis: None }, it));
            flat.and_then(Result::ok).is_some_and(|flat| !flat.fans_out())
        };
        let all = self.catalog.package(package).map(|package| package.dimensions.clone()).unwrap_or_default();
        all.into_iter().filter(|id| *id != but && serves(id)).collect()
    }

    /// A declared process; what is wrong with it is told to whoever asks first.
    fn process_at(&mut self, at: usize) -> Result<Arc<Process>, Failure> {
        if let Some(known) = self.processes.get(&at) {
            return known.clone().ok_or(Failure::Silent);
        }
        self.processes.insert(at, None);
        let process = self.process(self.declared.processes[at])?;
        self.processes.insert(at, Some(Arc::clone(&process)));
        Ok(process)
    }

    /// What a broken process declares is broken with it.
    pub(super) fn require_whole_process(&mut self, item: &ast::Item) -> Result<(), Failure> {
        let ast::ItemKind::Process(tree) = &item.kind else { return Ok(()) };
        match self.declared.processes.iter().position(|it| std::ptr::eq(it.tree, tree.as_ref())) {
            Some(at) => self.process_at(at).map(drop),
            None => Err(Failure::Silent),
        }
    }

    fn process(&mut self, declared: Declared<'a, &'a ast::Process>) -> Result<Arc<Process>, Failure> {
        let (package, tree) = (declared.package, declared.tree);
        let source = self.joined_source(package, &tree.source)?;
        let case = self.column_of_process(package, &tree.case, source)?;
        let step = self.column_of_process(package, &tree.step, source)?;
        let time = self.column_of_process(package, &tree.time, source)?;
        if !is_time(&time.data_type) {
            return Err(no_time(&tree.time, format!("steps go by dates or timestamps, this is {}", time.data_type)));
        }
        let mut until = None;
        if let Some(tree) = &tree.until {
            let end = self.column_of_process(package, tree, source)?;
            if end.data_type != time.data_type {
                let message = format!("a step begins by {} and ends by {}", time.data_type, end.data_type);
                return Err(no_time(tree, message));
            }
            until = Some(end.value);
        }
        if self.catalog.source(source).keys.is_empty() {
            let name = &self.catalog.source(source).item.name;
            return Err(Diagnostic::new(codes::NEEDS_KEY, format!("`{name}` needs a `key` to be a process"))
                .at(tree.source.span)
                .note("steps at the same instant follow one another in the order of the key, always the same")
                .help(format!("declare `key …` in source `{name}`"))
                .into());
        }
        Ok(Arc::new(Process {
            name: tree.name.text.clone(),
            source,
            case,
            step,
            time,
            until,
            waits: tree.waits.iter().map(|step| step.text.clone()).collect(),
            nanoseconds: nanoseconds(tree.unit.as_ref())?,
        }))
    }

    fn column_of_process(&mut self, package: &str, tree: &ast::Expr, source: SourceId) -> Result<Typed, Failure> {
        let mut keys = self.keys_of(package, &tree.sql, &[source], tree.span)?;
        let (value, data_type) = keys.pop().ok_or(Failure::Silent)?;
        Ok(Typed { value, data_type })
    }

    fn process_named(&mut self, package: &str, name: &str) -> Result<Option<Arc<Process>>, Failure> {
        match self.declared.process(package, name) {
            Some(at) => self.process_at(at).map(Some),
            // Nothing is declared where a checked catalog is asked.
            None => Ok(self.catalog.process_named(package, name).map(|it| Arc::clone(&it.process))),
        }
    }

    /// The source of the process that a path begins with.
    pub(super) fn source_of_process(&self, package: &str, name: &str) -> Option<SourceId> {
        match self.declared.process(package, name) {
            Some(at) => {
                let declared = self.declared.processes[at];
                self.joined_source(declared.package, &declared.tree.source).ok()
            }
            None => self.catalog.process_named(package, name).map(|it| it.process.source),
        }
    }
}

impl Resolver<'_, '_> {
    /// `approval.stay`, `lending.approval.stay`: a column of a process.
    pub(super) fn column_of_process(&mut self, parts: &[sql::Ident]) -> Result<Option<sql::Expr>, Failure> {
        let package = self.scope.package.clone();
        let (package, name, column) = match parts {
            [name, column] => (package.as_str(), name, column),
            [package, name, column] => (package.value.as_str(), name, column),
            _ => return Ok(None),
        };
        let Some(process) = self.checker.process_named(package, &name.value)? else { return Ok(None) };
        let Some(found) = COLUMNS.into_iter().find(|known| known.name() == column.value) else {
            // All other names are those of the source.
            let source = self.checker.catalog.source(process.source);
            let own = source.column(&column.value).is_some() || source.joins.iter().any(|it| it.name == column.value);
            return if own { Ok(None) } else { Err(self.no_such_column(&process, column)) };
        };
        if matches!(found, EventColumn::Working | EventColumn::Waiting) && !process.tells_waiting() {
            return Err(Diagnostic::new(
                codes::BAD_PROCESS,
                format!("process `{}` does not tell waiting from working", process.name),
            )
            .at(self.name_place(column))
            .help(
                "name the column in which the work on a step ends, or the steps in which cases wait: `waits 'queued'`",
            )
            .into());
        }
        let value = EventValue { event: Event::Process(process), column: found };
        let data_type = value.data_type();
        Ok(Some(self.input(Input::Event(Box::new(value)), data_type)))
    }

    fn no_such_column(&self, process: &Process, column: &sql::Ident) -> Failure {
        let known = COLUMNS.into_iter().map(EventColumn::name);
        let listed: Vec<String> = known.clone().map(|name| format!("`{name}`")).collect();
        let diagnostic = Diagnostic::new(
            codes::UNKNOWN_COLUMN,
            format!("process `{}` gives its rows no column `{}`", process.name, column.value),
        )
        .at(self.name_place(column));
        match crate::diagnostic::nearest(&column.value, known) {
            Some(near) => diagnostic.help(format!("did you mean `{near}`?")).into(),
            None => {
                let source = &self.checker.catalog.source(process.source).item.name;
                diagnostic
                    .help(format!("it gives {}; its other columns are those of `{source}`", listed.join(", ")))
                    .into()
            }
        }
    }
}

/// The length of the unit in which times are told; hours, if the process says none.
fn nanoseconds(unit: Option<&ast::Name>) -> Result<u64, Failure> {
    let Some(unit) = unit else { return Ok(3_600_000_000_000) };
    match time_scale(&unit.text) {
        Some(seconds) => Ok((seconds * 1e9).round() as u64),
        None => Err(Diagnostic::new(codes::BAD_PROCESS, format!("`{}` is no unit of time", unit.text))
            .at(unit.span)
            .help("times of a process are told in `seconds`, `minutes`, `hours`, `days` or `weeks`")
            .into()),
    }
}

fn no_time(tree: &ast::Expr, message: String) -> Failure {
    Diagnostic::new(codes::TIME_TYPE, message)
        .at(tree.span)
        .help("give the columns a type in `columns { … }` of the source, or compute them there")
        .into()
}
