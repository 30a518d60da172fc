//! First pass: which names are there, and is any there twice?

use std::collections::HashSet;

use super::Checker;
use super::event_views::EventTree;
use crate::catalog::Item;
use crate::catalog::names::Names;
use crate::diagnostic::{Diagnostic, codes, nearest};
use crate::source::Span;
use crate::syntax::ast::{self, ItemKind, Labels, Name, Path};
use crate::syntax::{goals, outputs, policies};

/// The package of files that declare none.
pub const DEFAULT_PACKAGE: &str = "public";

/// The name of the shared time axis.
pub const METRIC_TIME: &str = "metric_time";

/// The declarations of all files, in order, with an index by package and name.
#[derive(Default)]
pub(crate) struct Declarations<'a> {
    pub(crate) sources: Vec<Declared<'a, &'a ast::Source>>,
    pub(crate) members: Vec<Declared<'a, MemberTree<'a>>>,
    pub(crate) views: Vec<Declared<'a, &'a ast::View>>,
    pub(crate) events: Vec<Declared<'a, EventTree<'a>>>,
    pub(crate) processes: Vec<Declared<'a, &'a ast::Process>>,
    pub(crate) trees: Vec<Declared<'a, &'a ast::Tree>>,
    pub(crate) targets: Vec<Declared<'a, &'a goals::Target>>,
    pub(crate) bands: Vec<Declared<'a, &'a goals::Bands>>,
    pub(crate) scorecards: Vec<Declared<'a, &'a goals::Scorecard>>,
    pub(crate) alerts: Vec<Declared<'a, &'a goals::Alert>>,
    pub(crate) publications: Vec<Declared<'a, &'a outputs::Publication>>,
    /// Rollups, in order of appearance.
    pub(crate) rollups: Vec<Declared<'a, &'a outputs::Rollup>>,
    pub(crate) expectations: Vec<Declared<'a, &'a outputs::Expectation>>,
    pub(crate) policies: Vec<Declared<'a, &'a policies::Policy>>,
    pub(crate) scenarios: Vec<Declared<'a, &'a goals::Scenario>>,
    pub(crate) hierarchies: Vec<Declared<'a, &'a ast::Hierarchy>>,
    member_index: Names<usize>,
    source_index: Names<usize>,
    process_index: Names<usize>,
    /// `use finance.cost` in package `retail`: (`retail`, `cost`) is (`finance`, `cost`).
    uses: Names<(String, String)>,
    /// The places of `use`, to be checked when all names are known.
    used: Vec<&'a Path>,
    /// Names of items that could not be read: what depends on them is silent.
    broken: HashSet<(String, String)>,
    /// Where each name of a SQL schema is taken: by sources, indicators, views.
    relations: Names<Span>,
}

/// A declaration with its surroundings.
#[derive(Clone, Copy)]
pub(crate) struct Declared<'a, T> {
    pub(crate) package: &'a str,
    pub(crate) item: &'a ast::Item,
    pub(crate) tree: T,
}

/// Dimensions, segments and indicators share the columns of a package.
#[derive(Clone, Copy)]
pub(crate) enum MemberTree<'a> {
    Dimension(&'a ast::Dimension),
    Segment(&'a ast::Segment),
    Indicator(&'a ast::Indicator),
}

impl<'a> MemberTree<'a> {
    pub(crate) fn name(self) -> &'a Name {
        match self {
            MemberTree::Dimension(tree) => &tree.name,
            MemberTree::Segment(tree) => &tree.name,
            MemberTree::Indicator(tree) => &tree.name,
        }
    }
}

impl<'a> Declarations<'a> {
    /// The position of the member that `name` means in `package`, through `use` if need be.
    pub(crate) fn member(&self, package: &str, name: &str) -> Option<usize> {
        self.find(&self.member_index, package, name)
    }

    /// The position of the source that `name` means in `package`.
    pub(crate) fn source(&self, package: &str, name: &str) -> Option<usize> {
        self.find(&self.source_index, package, name)
    }

    /// The position of the process that `name` means in `package`.
    pub(crate) fn process(&self, package: &str, name: &str) -> Option<usize> {
        self.find(&self.process_index, package, name)
    }

    fn find(&self, index: &Names<usize>, package: &str, name: &str) -> Option<usize> {
        let used = || self.uses.get(package, name).and_then(|(package, name)| index.get(package, name));
        index.get(package, name).or_else(used).copied()
    }

    /// Whether a path begins with the name of an item that could not be read, so that it is no mistake of its own.
    pub(crate) fn is_broken(&self, package: &str, path: &[&str]) -> bool {
        let known = |package: &str, name: &str| self.broken.contains(&(package.to_string(), name.to_string()));
        // `ordered_at__month` is a grain of `ordered_at`.
        let broken = |package: &str, name: &str| {
            known(package, name) || name.split_once("__").is_some_and(|(base, _)| known(package, base))
        };
        match path {
            [first, second, ..] => broken(package, first) || broken(first, second),
            [name] => broken(package, name),
            [] => false,
        }
    }

    /// The names of all members that a package sees, for suggestions.
    pub(crate) fn member_names(&self, package: &str) -> Vec<&'a str> {
        self.members.iter().filter(|m| m.package == package).map(|m| m.tree.name().text.as_str()).collect()
    }

    /// The names of all sources that a package sees, for suggestions.
    pub(crate) fn source_names(&self, package: &str) -> Vec<&'a str> {
        self.sources.iter().filter(|s| s.package == package).map(|s| s.tree.name.text.as_str()).collect()
    }
}

impl<'a> Checker<'a> {
    /// Registers every declared name; the first of two equal ones wins, the second is reported.
    pub(crate) fn declare(&mut self, files: &'a [ast::File]) {
        for file in files {
            let package = file.package.as_ref().map_or(DEFAULT_PACKAGE, |package| package.name.text.as_str());
            if let Some(declared) = &file.package {
                self.declare_package(declared);
            }
            let broken = file.broken.iter().map(|name| (package.to_string(), name.text.clone()));
            self.declared.broken.extend(broken);
            for item in &file.items {
                self.declare_item(package, item);
            }
        }
        self.declare_nodes();
        self.check_uses();
    }

    fn declare_package(&mut self, declared: &ast::Package) {
        if declared.name.text == "bell" || declared.name.text == "information_schema" {
            self.report(
                Diagnostic::new(codes::RESERVED_NAME, format!("a package cannot be named `{}`", declared.name.text))
                    .at(declared.name.span)
                    .help("that SQL schema holds the catalog itself; choose another name"),
            );
        }
        let package = self.package(&declared.name.text);
        if package.label.is_none() {
            package.label = declared.labels.default.as_ref().map(|label| label.text.clone());
        }
    }

    fn declare_item(&mut self, package: &'a str, item: &'a ast::Item) {
        match &item.kind {
            ItemKind::Source(tree) => self.declare_source(Declared { package, item, tree }),
            ItemKind::Dimension(tree) => self.declare_member(package, item, MemberTree::Dimension(tree)),
            ItemKind::Segment(tree) => self.declare_member(package, item, MemberTree::Segment(tree)),
            ItemKind::Indicator(tree) => {
                if self.take_relation(package, &tree.name) {
                    self.declare_member(package, item, MemberTree::Indicator(tree));
                }
            }
            ItemKind::View(tree) => {
                if self.take_relation(package, &tree.name) {
                    self.declared.views.push(Declared { package, item, tree });
                }
            }
            ItemKind::Funnel(tree) => self.declare_event(package, item, &tree.name, EventTree::Funnel(tree)),
            ItemKind::Cohort(tree) => self.declare_event(package, item, &tree.name, EventTree::Cohort(tree)),
            ItemKind::Process(tree) => self.declare_process(Declared { package, item, tree }),
            ItemKind::Tree(tree) => self.declare_tree(Declared { package, item, tree }),
            ItemKind::Target(tree) => self.declare_target(Declared { package, item, tree }),
            ItemKind::Bands(tree) => self.declare_bands(Declared { package, item, tree }),
            ItemKind::Scorecard(tree) => self.declare_scorecard(Declared { package, item, tree }),
            ItemKind::Alert(tree) => self.declare_alert(Declared { package, item, tree }),
            ItemKind::Publication(tree) => self.declare_publication(Declared { package, item, tree }),
            ItemKind::Rollup(tree) => self.declare_rollup(Declared { package, item, tree }),
            ItemKind::Expectation(tree) => self.declare_expectation(Declared { package, item, tree }),
            ItemKind::Policy(tree) => self.declare_policy(Declared { package, item, tree }),
            ItemKind::Scenario(tree) => self.declare_scenario(Declared { package, item, tree }),
            ItemKind::Hierarchy(tree) => self.declared.hierarchies.push(Declared { package, item, tree }),
            ItemKind::Use(tree) => self.declare_use(package, &tree.path),
            ItemKind::Calendar(_) => {}
            ItemKind::Later(later) => {
                let names = later.declares.iter().map(|name| (package.to_string(), name.text.clone()));
                self.declared.broken.extend(names);
                self.report(not_yet(&later.keyword));
            }
        }
    }

    fn declare_event(&mut self, package: &'a str, item: &'a ast::Item, name: &Name, tree: EventTree<'a>) {
        if self.take_relation(package, name) {
            self.declared.events.push(Declared { package, item, tree });
        }
    }

    /// A process is a view, and the dimension and the indicators in it are like any others.
    fn declare_process(&mut self, declared: Declared<'a, &'a ast::Process>) {
        let (package, tree) = (declared.package, declared.tree);
        if !self.take_relation(package, &tree.name) {
            return;
        }
        let at = self.declared.processes.len();
        self.declared.process_index.insert(package, &tree.name.text, at);
        self.declared.processes.push(declared);
        self.declare_member(package, declared.item, MemberTree::Dimension(&tree.steps));
        for indicator in &tree.indicators {
            if self.take_relation(package, &indicator.name) {
                self.declare_member(package, declared.item, MemberTree::Indicator(indicator));
            }
        }
    }

    fn declare_tree(&mut self, declared: Declared<'a, &'a ast::Tree>) {
        let name = &declared.tree.root.name;
        let same = |other: &&Declared<'a, &'a ast::Tree>| {
            other.package == declared.package && other.tree.root.name.text == name.text
        };
        match self.declared.trees.iter().find(same) {
            Some(first) => self.report(
                Diagnostic::new(codes::DUPLICATE_NAME, format!("`{}` has two trees", name.text))
                    .labelled(name.span, "broken down again here")
                    .also(first.tree.root.name.span, "first broken down here")
                    .help("keep one of them; a part may break down further in braces, or in a tree of its own"),
            ),
            None => self.declared.trees.push(declared),
        }
    }

    /// The amounts of a target from a table are an indicator under the target's name, the first ones another.
    fn declare_target(&mut self, declared: Declared<'a, &'a goals::Target>) {
        let of = declared.tree.of.iter();
        for rows in of.flat_map(|of| of.rows.iter().chain(&of.original)) {
            if !self.take_relation(declared.package, &rows.name) {
                return;
            }
            self.declare_member(declared.package, declared.item, MemberTree::Indicator(rows));
        }
        self.declared.targets.push(declared);
    }

    fn declare_bands(&mut self, declared: Declared<'a, &'a goals::Bands>) {
        match self.declared.bands.iter().find(|other| other.package == declared.package) {
            Some(first) => self.report(
                Diagnostic::new(codes::TWICE, "the bands of a package are given twice")
                    .labelled(declared.tree.span, "again here")
                    .also(first.tree.span, "first here")
                    .help("keep one of them; targets and indicators may have bands of their own"),
            ),
            None => self.declared.bands.push(declared),
        }
    }

    fn declare_scorecard(&mut self, declared: Declared<'a, &'a goals::Scorecard>) {
        match same_name(&self.declared.scorecards, &declared, |tree| &tree.name) {
            Some(first) => self.report(duplicate(&declared.tree.name, first)),
            None => self.declared.scorecards.push(declared),
        }
    }

    fn declare_scenario(&mut self, declared: Declared<'a, &'a goals::Scenario>) {
        match same_name(&self.declared.scenarios, &declared, |tree| &tree.name) {
            Some(first) => self.report(duplicate(&declared.tree.name, first)),
            None => self.declared.scenarios.push(declared),
        }
    }

    fn declare_alert(&mut self, declared: Declared<'a, &'a goals::Alert>) {
        match same_name(&self.declared.alerts, &declared, |tree| &tree.name) {
            Some(first) => self.report(duplicate(&declared.tree.name, first)),
            None => self.declared.alerts.push(declared),
        }
    }

    fn declare_publication(&mut self, declared: Declared<'a, &'a outputs::Publication>) {
        match same_name(&self.declared.publications, &declared, |tree| &tree.name) {
            Some(first) => self.report(duplicate(&declared.tree.name, first)),
            None => self.declared.publications.push(declared),
        }
    }

    fn declare_rollup(&mut self, declared: Declared<'a, &'a outputs::Rollup>) {
        match same_name(&self.declared.rollups, &declared, |tree| &tree.name) {
            Some(first) => self.report(duplicate(&declared.tree.name, first)),
            None => self.declared.rollups.push(declared),
        }
    }

    fn declare_policy(&mut self, declared: Declared<'a, &'a policies::Policy>) {
        match same_name(&self.declared.policies, &declared, |tree| &tree.name) {
            Some(first) => self.report(duplicate(&declared.tree.name, first)),
            None => self.declared.policies.push(declared),
        }
    }

    fn declare_expectation(&mut self, declared: Declared<'a, &'a outputs::Expectation>) {
        match same_name(&self.declared.expectations, &declared, |tree| &tree.said) {
            Some(first) => self.report(
                Diagnostic::new(codes::DUPLICATE_NAME, format!("`{}` is expected twice", declared.tree.said.text))
                    .labelled(declared.tree.said.span, "expected again here")
                    .also(first, "first expected here")
                    .help("keep one of them"),
            ),
            None => self.declared.expectations.push(declared),
        }
    }

    /// Roots and branches of trees that are no indicators yet become ones. This comes last, since a declaration of their
    /// name may stand anywhere.
    fn declare_nodes(&mut self) {
        for declared in self.declared.trees.clone() {
            let package = declared.package;
            for node in std::iter::once(&declared.tree.root).chain(&declared.tree.branches) {
                let known = self.declared.member(package, &node.name.text).is_some();
                if known || self.declared.is_broken(package, &[&node.name.text]) {
                    continue;
                }
                if self.take_relation(package, &node.name) {
                    self.declare_member(package, declared.item, MemberTree::Indicator(node));
                } else {
                    self.declared.broken.insert((package.to_string(), node.name.text.clone()));
                }
            }
        }
    }

    fn declare_source(&mut self, declared: Declared<'a, &'a ast::Source>) {
        let name = &declared.tree.name;
        if self.take_relation(declared.package, name) {
            let at = self.declared.sources.len();
            self.declared.source_index.insert(declared.package, &name.text, at);
            self.declared.sources.push(declared);
        }
    }

    fn declare_member(&mut self, package: &'a str, item: &'a ast::Item, tree: MemberTree<'a>) {
        let name = tree.name();
        if let Some(first) = self.declared.member_index.get(package, &name.text) {
            let first = self.declared.members[*first].tree.name().span;
            return self.report(duplicate(name, first));
        }
        if name.text.split("__").next() == Some(METRIC_TIME) {
            return self.report(reserved(name, "it is the shared time axis of all indicators"));
        }
        self.declared.member_index.insert(package, &name.text, self.declared.members.len());
        self.declared.members.push(Declared { package, item, tree });
    }

    /// Claims a name in the package's SQL schema.
    fn take_relation(&mut self, package: &str, name: &Name) -> bool {
        if name.text == "indicators" {
            self.report(reserved(name, "it is the view of all indicators of a package"));
            return false;
        }
        if let Some(first) = self.declared.relations.get(package, &name.text).copied() {
            self.report(duplicate(name, first));
            return false;
        }
        self.declared.relations.insert(package, &name.text, name.span);
        true
    }

    fn declare_use(&mut self, package: &str, path: &'a Path) {
        let [from, name] = path.parts.as_slice() else {
            let name = path.parts.last().map(|name| (package.to_string(), name.text.clone()));
            self.declared.broken.extend(name);
            return self.report(
                Diagnostic::new(codes::NOT_YET_ITEM, "only `use package.name` is supported so far").at(path.span),
            );
        };
        self.declared.uses.insert(package, &name.text, (from.text.clone(), name.text.clone()));
        self.declared.used.push(path);
    }

    /// `use` of something that no package declares; its name is then silent.
    fn check_uses(&mut self) {
        for path in std::mem::take(&mut self.declared.used) {
            let [from, name] = path.parts.as_slice() else { continue };
            let known = &self.declared;
            let indexes = [&known.member_index, &known.source_index, &known.process_index];
            if indexes.iter().any(|index| index.has(&from.text, &name.text)) {
                continue;
            }
            if !known.is_broken(&from.text, &[&name.text]) {
                let diagnostic =
                    Diagnostic::new(codes::UNKNOWN_NAME, format!("package `{}` has no `{}`", from.text, name.text));
                let names = known.member_names(&from.text).into_iter().chain(known.source_names(&from.text));
                let near = nearest(&name.text, names).map(|near| format!("did you mean `{near}`?"));
                let diagnostic = diagnostic.at(path.span);
                self.report(match near {
                    Some(near) => diagnostic.help(near),
                    None => diagnostic,
                });
            }
            let target = (from.text.clone(), name.text.clone());
            let users = self.declared.uses.iter().filter(|(_, _, used)| **used == target);
            let users: Vec<_> = users.map(|(package, name, _)| (package.to_string(), name.to_string())).collect();
            self.declared.broken.extend(users);
        }
    }
}

/// Where an item of the same kind and name stands already.
fn same_name<'a, T: Copy>(
    known: &[Declared<'a, T>],
    new: &Declared<'a, T>,
    name: impl Fn(T) -> &'a Name,
) -> Option<Span> {
    let same = |other: &&Declared<'a, T>| other.package == new.package && name(other.tree).text == name(new.tree).text;
    known.iter().find(same).map(|first| name(first.tree).span)
}

pub(super) fn duplicate(name: &Name, first: Span) -> Diagnostic {
    Diagnostic::new(codes::DUPLICATE_NAME, format!("`{}` is declared twice", name.text))
        .labelled(name.span, "declared again here")
        .also(first, "first declared here")
        .help("rename one of them, or move it to another package")
}

fn reserved(name: &Name, reason: &str) -> Diagnostic {
    Diagnostic::new(codes::RESERVED_NAME, format!("`{}` is a reserved name: {reason}", name.text))
        .at(name.span)
        .help("choose another name")
}

fn not_yet(keyword: &Name) -> Diagnostic {
    Diagnostic::new(codes::NOT_YET_ITEM, format!("`{}` is not yet supported", keyword.text))
        .labelled(keyword.span, "this item is left out; everything else works")
}

/// What the catalog keeps of every item.
pub(crate) fn item_of(package: &str, item: &ast::Item, name: &Name, labels: &Labels) -> Item {
    Item {
        package: package.to_string(),
        name: name.text.clone(),
        label: labels.default.as_ref().map(|text| text.text.clone()),
        labels: labels.by_language.iter().map(|(tag, text)| (tag.text.clone(), text.text.clone())).collect(),
        description: item.doc.clone().filter(|_| !is_part(item, name)),
        owner: None,
        span: name.span,
    }
}

/// Whether a name is that of a part of an item, such as a tree's branch, which the text before the item is not about.
fn is_part(item: &ast::Item, name: &Name) -> bool {
    match &item.kind {
        ItemKind::Tree(tree) => tree.root.name.span != name.span,
        ItemKind::Process(process) => process.name.text != name.text,
        _ => false,
    }
}
