//! The tree of a file as text, for `explain --stage ast`: compact, indented, without places.

use std::fmt::{Display, Write};

use super::ast::*;
use super::goals::{Aim, Alert, Amount, Bands, Bound, Receiver, Scenario, Scorecard, Target, Telling};
use super::outputs::{Expectation, Publication, Rollup};
use super::policies::Policy;

/// The tree, one line for each item and clause; expressions as SQL, Bell's operators as the calls that they became.
pub fn show(file: &File) -> String {
    let mut out = Lines { text: String::new(), depth: 0 };
    if let Some(package) = &file.package {
        out.line(format!("package {}", package.name.text));
        out.labels(&package.labels);
    }
    for item in &file.items {
        for line in item.doc.iter().flat_map(|doc| doc.lines()) {
            out.line(format!("/// {line}"));
        }
        out.item(&item.kind);
    }
    out.text
}

struct Lines {
    text: String,
    depth: usize,
}

impl Lines {
    fn line(&mut self, text: impl Display) {
        let _ = writeln!(self.text, "{:indent$}{text}", "", indent = self.depth * 2);
    }

    fn inside(&mut self, write: impl FnOnce(&mut Self)) {
        self.depth += 1;
        write(self);
        self.depth -= 1;
    }

    fn head(&mut self, kind: &str, name: &Name, labels: &Labels) {
        self.line(format!("{kind} {}", name.text));
        self.labels(labels);
    }

    fn labels(&mut self, labels: &Labels) {
        self.inside(|out| {
            if let Some(label) = &labels.default {
                out.line(format!("label {:?}", label.text));
            }
            for (language, label) in &labels.by_language {
                out.line(format!("label {} {:?}", language.text, label.text));
            }
        });
    }

    fn item(&mut self, kind: &ItemKind) {
        match kind {
            ItemKind::Source(source) => self.source(source),
            ItemKind::Dimension(dimension) => self.dimension(dimension),
            ItemKind::Hierarchy(hierarchy) => self.hierarchy(hierarchy),
            ItemKind::Segment(segment) => {
                self.head("segment", &segment.name, &segment.labels);
                self.inside(|out| out.exprs("=", &segment.definitions));
            }
            ItemKind::Calendar(calendar) => self.calendar(calendar),
            ItemKind::Indicator(indicator) => self.indicator(indicator),
            ItemKind::View(view) => self.view(view),
            ItemKind::Funnel(funnel) => self.funnel(funnel),
            ItemKind::Cohort(cohort) => self.cohort(cohort),
            ItemKind::Process(process) => self.process(process),
            ItemKind::Tree(tree) => self.tree(tree),
            ItemKind::Target(target) => self.target(target),
            ItemKind::Bands(bands) => self.bands(bands),
            ItemKind::Scorecard(scorecard) => self.scorecard(scorecard),
            ItemKind::Scenario(scenario) => self.scenario(scenario),
            ItemKind::Alert(alert) => self.alert(alert),
            ItemKind::Publication(publication) => self.publication(publication),
            ItemKind::Rollup(rollup) => self.rollup(rollup),
            ItemKind::Expectation(expectation) => self.expectation(expectation),
            ItemKind::Policy(policy) => self.policy(policy),
            ItemKind::Use(reached) => self.line(format!("use {}", path(&reached.path))),
            ItemKind::Later(later) => self.later(later),
        }
    }

    fn exprs(&mut self, word: &str, exprs: &[Expr]) {
        for expr in exprs {
            self.line(format!("{word} {}", expr.sql));
        }
    }

    fn expr(&mut self, word: &str, expr: &Option<Expr>) {
        self.exprs(word, expr.as_slice());
    }

    fn owner(&mut self, owner: &Option<Text>) {
        if let Some(owner) = owner {
            self.line(format!("owner {:?}", owner.text));
        }
    }

    fn source(&mut self, source: &Source) {
        self.head("source", &source.name, &source.labels);
        self.inside(|out| {
            out.from(&source.from);
            for column in &source.partitions {
                out.line(format!("partition {}{}", column.name.text, data_type(&column.data_type)));
            }
            for key in &source.keys {
                out.line(format!("key {}", names(key)));
            }
            out.expr("time", &source.time);
            out.expr("where", &source.filter);
            source.joins.iter().for_each(|join| out.join(join));
            source.columns.iter().for_each(|column| out.column(column));
            out.owner(&source.owner);
        });
    }

    fn from(&mut self, from: &Option<From>) {
        match from {
            None => {}
            Some(From::Table(table)) => self.line(format!("from table {}", path(table))),
            Some(From::Query { query, .. }) => self.line(format!("from query {query}")),
            Some(From::Files { format, locations, options }) => {
                let places: Vec<String> = locations.iter().map(|text| format!("{:?}", text.text)).collect();
                self.line(format!("from {} {}", format.text, places.join(", ")));
                self.inside(|out| options.iter().for_each(|(name, value)| out.option(name, value)));
            }
        }
    }

    fn option(&mut self, name: &Name, value: &OptionValue) {
        let value = match value {
            OptionValue::Text(text) => format!("{:?}", text.text),
            OptionValue::Word(word) => word.text.clone(),
            OptionValue::Bool(value, _) => value.to_string(),
            OptionValue::Number(digits, _) => digits.clone(),
        };
        self.line(format!("{} {value}", name.text));
    }

    fn join(&mut self, join: &Join) {
        let on = match &join.on {
            JoinOn::Columns(columns) => format!("({})", names(columns)),
            JoinOn::Equation(equation) => equation.sql.to_string(),
        };
        self.line(format!("join {} = {} on {on}", join.name.text, path(&join.to)));
        if let Some((from, to)) = &join.valid {
            self.inside(|out| out.line(format!("valid from {} to {}", from.sql, to.sql)));
        }
    }

    fn column(&mut self, column: &ColumnSpec) {
        let hidden = if column.hidden { " hidden" } else { "" };
        self.line(format!("column {}{}{hidden}", column.name.text, data_type(&column.data_type)));
        self.labels(&column.labels);
        self.inside(|out| out.expr("=", &column.computed));
    }

    fn dimension(&mut self, dimension: &Dimension) {
        self.head("dimension", &dimension.name, &dimension.labels);
        self.inside(|out| {
            out.exprs("=", &dimension.definitions);
            out.owner(&dimension.owner);
        });
    }

    fn hierarchy(&mut self, hierarchy: &Hierarchy) {
        self.head("hierarchy", &hierarchy.name, &hierarchy.labels);
        let levels: Vec<String> = hierarchy.levels.iter().map(path).collect();
        self.inside(|out| out.line(format!("= {}", levels.join(" > "))));
    }

    fn calendar(&mut self, calendar: &Calendar) {
        match &calendar.name {
            Some(name) => self.head("calendar", name, &calendar.labels),
            None => self.line("calendar"),
        }
        let settings = [("week starts", &calendar.week_starts), ("fiscal year starts", &calendar.fiscal_year_starts)];
        self.inside(|out| {
            if let Some(from) = &calendar.from {
                out.line(format!("from {}", path(from)));
            }
            if let Some(zone) = &calendar.timezone {
                out.line(format!("timezone {:?}", zone.text));
            }
            for (word, value) in settings {
                out.word(word, value);
            }
            if !calendar.weekend.is_empty() {
                let days: Vec<&str> = calendar.weekend.iter().map(|day| day.text.as_str()).collect();
                out.line(format!("weekend {}", days.join(", ")));
            }
            for (word, days) in [("holidays", &calendar.holidays), ("workdays", &calendar.workdays)] {
                for days in days {
                    let to = days.to.as_ref().map_or(String::new(), |to| format!(" to {}", to.text));
                    out.line(format!("{word} {}{to}", days.from.text));
                }
            }
            for (grain, column) in &calendar.grains {
                out.line(format!("{} {}", grain.text, column.text));
            }
        });
    }

    fn word(&mut self, word: &str, value: &Option<Name>) {
        if let Some(value) = value {
            self.line(format!("{word} {}", value.text));
        }
    }

    fn indicator(&mut self, indicator: &Indicator) {
        self.head("indicator", &indicator.name, &indicator.labels);
        self.inside(|out| {
            out.line(format!("= {}", indicator.definition.sql));
            out.exprs("where", &indicator.conditions);
            out.word("unit", &indicator.unit);
            out.word("good", &indicator.good);
            out.owner(&indicator.owner);
            if let Some(grain) = &indicator.grain {
                let time = grain.time.as_ref().map_or("", |time| &time.text);
                out.line(format!("grain {time} by {}", paths(&grain.by)));
            }
            out.expr("fill", &indicator.fill);
            out.word("fill unit", &indicator.fill_unit);
            out.word("fill each", &indicator.fill_each);
            out.expr("empty", &indicator.empty);
            out.word("within", &indicator.within);
            out.expr("time", &indicator.time);
            if let Some(format) = &indicator.format {
                out.line(format!("format {:?}", format.text));
            }
            indicator.later.iter().for_each(|clause| out.line(format!("later {}", clause.text)));
        });
    }

    fn view(&mut self, view: &View) {
        self.head("view", &view.name, &view.labels);
        self.inside(|out| {
            out.line(format!("indicators {}", paths(&view.indicators)));
            out.line(format!("dimensions {}", paths(&view.dimensions)));
        });
    }

    fn funnel(&mut self, funnel: &Funnel) {
        self.head("funnel", &funnel.name, &funnel.labels);
        self.inside(|out| {
            if let Some(by) = &funnel.by {
                out.line(format!("by {} within {}", by.entity.sql, by.within.sql));
            }
            for step in &funnel.steps {
                let label = step.label.as_ref().map_or(String::new(), |label| format!(" {:?}", label.text));
                out.rows(&format!("step {}{label} =", step.name.text), Some(&step.rows));
            }
            out.owner(&funnel.owner);
        });
    }

    fn cohort(&mut self, cohort: &Cohort) {
        self.head("cohort", &cohort.name, &cohort.labels);
        self.inside(|out| {
            out.expr("entity", &cohort.entity);
            out.rows("starts", cohort.starts.as_ref());
            out.rows("returns", cohort.returns.as_ref());
            if let Some(every) = &cohort.every {
                let ages = every.ages.as_ref().map_or(String::new(), |ages| format!(" for {}", ages.text));
                out.line(format!("every {}{ages}", every.grain.text));
            }
            out.owner(&cohort.owner);
        });
    }

    fn process(&mut self, process: &Process) {
        self.head("process", &process.name, &process.labels);
        self.inside(|out| {
            out.line(format!("from {}", path(&process.source)));
            let columns = [("case", &process.case), ("step", &process.step), ("time", &process.time)];
            columns.into_iter().for_each(|(word, column)| out.line(format!("{word} {}", column.sql)));
            out.expr("until", &process.until);
            process.waits.iter().for_each(|step| out.line(format!("waits {:?}", step.text)));
            out.word("unit", &process.unit);
            out.owner(&process.owner);
        });
    }

    fn tree(&mut self, tree: &Tree) {
        self.head("tree", &tree.root.name, &tree.root.labels);
        self.inside(|out| {
            out.line(format!("= {}", tree.root.definition.sql));
            for branch in &tree.branches {
                let label = branch.labels.default.as_ref().map_or(String::new(), |label| format!(" {:?}", label.text));
                out.line(format!("{}{label} = {}", branch.name.text, branch.definition.sql));
            }
        });
    }

    fn target(&mut self, target: &Target) {
        self.line(format!("target {}", path(&target.name)));
        self.labels(&target.labels);
        self.inside(|out| {
            if let Some(every) = &target.every {
                let bound = |word, text: &Option<Text>| text.as_ref().map(|text| format!(" {word} {}", text.text));
                let (from, to) = (bound("from", &every.from), bound("to", &every.to));
                out.line(format!("every {}{}{}", every.grain.text, from.unwrap_or_default(), to.unwrap_or_default()));
            }
            target.aims.iter().for_each(|aim| out.aim(aim));
            if let Some(of) = &target.of {
                let table = of.table.as_ref().map_or(String::new(), |table| format!(" from {}", path(table)));
                out.line(format!("of {} by {}{table}", path(&of.indicator), paths(&of.by)));
                out.expr("value", &of.rows.as_ref().map(|rows| rows.definition.clone()));
            }
            out.expr("attainment", &target.attainment);
            target.split.iter().for_each(|split| out.line(format!("split {}", path(&split.by))));
            for revision in &target.revisions {
                out.line(format!("revised {}", revision.date.text));
                out.inside(|out| revision.aims.iter().for_each(|aim| out.aim(aim)));
            }
            target.bands.iter().for_each(|bands| out.bands(bands));
            out.owner(&target.owner);
        });
    }

    fn aim(&mut self, aim: &Aim) {
        let level = aim.level.as_ref().map_or(String::new(), |level| format!("{} ", level.text));
        let amount = |amount: &Option<Amount>| amount.as_ref().map_or(String::new(), |it| format!(" {}", it.value));
        self.line(match &aim.bound {
            Bound::AtLeast(least) => format!("{level}at least{}", amount(least)),
            Bound::AtMost(most) => format!("{level}at most{}", amount(most)),
            Bound::Between(low, high) => format!("{level}between {} and {}", low.value, high.value),
        });
    }

    fn bands(&mut self, bands: &Bands) {
        let all: Vec<String> = bands.bands.iter().map(|(name, at)| format!("{} at {}", name.text, at.value)).collect();
        self.line(format!("bands {}", all.join(", ")));
    }

    fn scorecard(&mut self, scorecard: &Scorecard) {
        self.head("scorecard", &scorecard.name, &scorecard.labels);
        self.inside(|out| {
            for perspective in &scorecard.perspectives {
                out.line(format!("perspective {} {}", perspective.name.text, perspective.weight));
                out.inside(|out| {
                    perspective
                        .children
                        .iter()
                        .for_each(|(child, weight)| out.line(format!("{} {weight}", path(child))));
                });
            }
        });
    }

    fn scenario(&mut self, scenario: &Scenario) {
        self.head("scenario", &scenario.name, &scenario.labels);
        let texts = [("goal", &scenario.goals), ("pain", &scenario.pains), ("process", &scenario.processes)];
        self.inside(|out| {
            for (word, texts) in texts {
                texts.iter().for_each(|text| out.line(format!("{word} {:?}", text.text)));
            }
            for (telling, indicator) in &scenario.indicators {
                let word = match telling {
                    Telling::Something => "indicator",
                    Telling::Result => "result",
                    Telling::Efficiency => "efficiency",
                };
                out.line(format!("{word} {}", path(indicator)));
            }
            out.owner(&scenario.owner);
        });
    }

    fn alert(&mut self, alert: &Alert) {
        self.head("alert", &alert.name, &alert.labels);
        self.inside(|out| {
            if let Some(said) = &alert.said {
                out.line(format!("when {}", said.text));
            }
            out.word("every", &alert.every);
            if !alert.explain.is_empty() {
                out.line(format!("explain by {}", paths(&alert.explain)));
            }
            if let Some(base) = &alert.base {
                out.line(format!("base {}", base.text));
            }
            for receiver in &alert.notify {
                match receiver {
                    Receiver::Owner(_) => out.line("notify owner"),
                    Receiver::Person(person) => out.line(format!("notify {:?}", person.text)),
                    Receiver::Webhook(address) => out.line(format!("notify webhook {:?}", address.text)),
                }
            }
            out.word("severity", &alert.severity);
            out.owner(&alert.owner);
        });
    }

    fn publication(&mut self, publication: &Publication) {
        self.head("publish", &publication.name, &publication.labels);
        self.inside(|out| {
            let listed = [("indicators", &publication.indicators), ("by", &publication.by)];
            for (word, named) in listed.into_iter().chain([("partitioned by", &publication.partitions)]) {
                if !named.is_empty() {
                    out.line(format!("{word} {}", paths(named)));
                }
            }
            out.exprs("where", &publication.conditions);
            if let Some(to) = &publication.to {
                out.line(format!("to {:?}", to.text));
            }
            out.word("format", &publication.format);
            out.expr("lookback", &publication.lookback);
            out.expr("final after", &publication.final_after);
            out.owner(&publication.owner);
        });
    }

    fn expectation(&mut self, expectation: &Expectation) {
        self.line(format!("expect {}", expectation.said.text));
        self.inside(|out| {
            out.word("severity", &expectation.severity);
            out.owner(&expectation.owner);
        });
    }

    fn rollup(&mut self, rollup: &Rollup) {
        self.head("rollup", &rollup.name, &rollup.labels);
        self.inside(|out| {
            let listed = [("indicators", &rollup.indicators), ("by", &rollup.by), ("approximate", &rollup.approximate)];
            for (word, named) in listed.into_iter().filter(|(_, named)| !named.is_empty()) {
                out.line(format!("{word} {}", paths(named)));
            }
            out.expr("tolerance", &rollup.tolerance);
            if let Some(to) = &rollup.to {
                out.line(format!("to {:?}", to.text));
            }
            out.owner(&rollup.owner);
        });
    }

    fn policy(&mut self, policy: &Policy) {
        self.head("policy", &policy.name, &policy.labels);
        self.inside(|out| {
            out.line(format!("on {}", path(&policy.on)));
            let listed = [("to role", &policy.to), ("except role", &policy.except), ("mask", &policy.masks)];
            for (word, names) in listed.into_iter().filter(|(_, names)| !names.is_empty()) {
                let names: Vec<&str> = names.iter().map(|name| name.text.as_str()).collect();
                out.line(format!("{word} {}", names.join(", ")));
            }
            out.exprs("where", &policy.conditions);
        });
    }

    fn rows(&mut self, word: &str, rows: Option<&EventRows>) {
        let Some(rows) = rows else { return };
        let conditions: Vec<String> = rows.conditions.iter().map(|c| format!(" where {}", c.sql)).collect();
        self.line(format!("{word} {}{}", path(&rows.source), conditions.join("")));
    }

    fn later(&mut self, later: &Later) {
        let name = later.name.as_ref().map_or("", |name| &name.text);
        self.line(format!("later {} {name}", later.keyword.text).trim_end());
        self.inside(|out| out.later_clauses(&later.clauses));
    }

    fn later_clauses(&mut self, clauses: &[LaterClause]) {
        for clause in clauses {
            self.line(&clause.kind);
            self.inside(|out| out.later_clauses(&clause.clauses));
        }
    }
}

fn path(path: &Path) -> String {
    path.parts.iter().map(|part| part.text.as_str()).collect::<Vec<_>>().join(".")
}

fn paths(all: &[Path]) -> String {
    all.iter().map(path).collect::<Vec<_>>().join(", ")
}

fn names(all: &[Name]) -> String {
    all.iter().map(|name| name.text.as_str()).collect::<Vec<_>>().join(", ")
}

fn data_type(data_type: &Option<(datafusion::sql::sqlparser::ast::DataType, crate::source::Span)>) -> String {
    data_type.as_ref().map_or(String::new(), |(data_type, _)| format!(" {data_type}"))
}
