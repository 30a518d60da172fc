//! The context of a leaf among the groups of another context: what the modifiers around it make of a [`Frame`].

use datafusion::arrow::datatypes::DataType;
use datafusion::logical_expr::Expr;

use super::axis::{Axis, Mentions};
use super::dated::{self, Redating};
use super::frame::{
    Condition, ConditionKind, Frame, FrameEdge, Key, Origin, Role, StandsFor, Window, no_bounds, outer_key,
};
use super::instant::TimeOp;
use super::range::{Range, RangeOp, end_of};
use crate::catalog::calendar::{Grain, TimePart};
use crate::catalog::expr::{Expression, Input, input_column};
use crate::catalog::modifier::{Among, End, Modifier, TimeSpan};
use crate::catalog::reach::{append, replace_inputs};
use crate::catalog::time::earlier;
use crate::diagnostic::{Diagnostic, codes};

/// Which group of the inner frame belongs to a group of the outer one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Link {
    /// Over the outer keys, as [`outer_key`]s.
    pub(crate) outer: Expr,
    /// The inner key that equals it.
    pub(crate) key: usize,
    /// Whether NULL belongs to NULL.
    pub(crate) nulls: Nulls,
    /// By how much a period is moved on the way.
    pub(crate) back: Vec<TimeSpan>,
}

impl Link {
    /// The group with the same value of a key.
    fn of_key(position: usize, key: usize) -> Link {
        Link { outer: outer_key(position), key, nulls: Nulls::Match, back: vec![] }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nulls {
    Match,
    Never,
}

/// Which groups a leaf shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shows {
    /// Those where it has rows.
    All,
    /// Those whose window has rows, between the first and the last period with data.
    Running,
    /// None: it is looked up.
    Nothing,
}

/// A frame in its place among the groups of another one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Situation {
    pub(crate) frame: Frame,
    pub(crate) links: Vec<Link>,
    pub(crate) shows: Shows,
}

impl Situation {
    /// A frame as its own situation.
    pub(crate) fn of(frame: &Frame) -> Self {
        // Groups have values of the keys in use only.
        let kept = frame.kept().into_iter().enumerate();
        let links: Vec<Link> = kept.map(|(position, at)| Link::of_key(position, at)).collect();
        let mut frame = Frame { ..frame.clone() };
        frame.edges.iter_mut().for_each(|edge| edge.origin = Origin::Frame);
        Situation { links, shows: Shows::All, frame }
    }

    /// A frame after modifiers, for a leaf with that time axis.
    ///
    /// # Errors
    /// A diagnostic for a modifier that has no meaning there.
    pub(crate) fn after(
        frame: &Frame,
        modifiers: &[Modifier],
        visible: &[Expression],
        axis: &Axis<'_>,
    ) -> Result<Self, Diagnostic> {
        let mut situation = Situation::of(frame);
        for (at, modifier) in modifiers.iter().enumerate() {
            match modifier {
                // On the days of a calendar the first one is the first that has rows.
                Modifier::FirstOf(_) if modifiers[at..].iter().any(|later| matches!(later, Modifier::Each(_))) => {
                    situation.frame.edges.push(first_day());
                }
                modifier => situation.apply(modifier, visible, axis)?,
            }
        }
        situation.settle(axis);
        Ok(situation)
    }

    fn apply(&mut self, modifier: &Modifier, visible: &[Expression], axis: &Axis<'_>) -> Result<(), Diagnostic> {
        if self.on_days(modifier, axis)? {
            return Ok(());
        }
        match modifier {
            Modifier::All(targets) => {
                self.shows = Shows::Nothing;
                for target in targets {
                    self.drop("all", target, axis)?;
                }
            }
            Modifier::Everything => {
                self.shows = Shows::Nothing;
                self.frame.keys.iter_mut().for_each(|key| key.kept = false);
                self.links.clear();
                self.frame.conditions.clear();
            }
            Modifier::Set(target, value) => {
                self.shows = Shows::Nothing;
                self.set(target, value, axis)?;
            }
            Modifier::Where(condition) => {
                self.shows = Shows::Nothing;
                self.replace_conditions(std::slice::from_ref(condition));
            }
            Modifier::Visible => {
                self.shows = Shows::Nothing;
                self.replace_conditions(visible);
            }
            Modifier::Shift(span) => self.time(TimeOp::Shift(*span), axis)?,
            Modifier::PreviousPeriod => match self.finest(axis).and_then(|at| self.grain_of(at, axis)) {
                Some(TimePart::Grain(grain)) => self.time(TimeOp::Shift(grain.span()), axis)?,
                Some(_) => return Err(no_step()),
                None if self.frame.asks_table(axis) => return Err(of_table("`previous period`")),
                None => self.move_by_length(axis)?,
            },
            Modifier::Trailing(span) => self.time(TimeOp::Trailing(*span), axis)?,
            Modifier::ToDate(grain) => self.time(TimeOp::ToDate(*grain), axis)?,
            Modifier::ToDateOf(_) if !self.frame.dated.is_empty() => return Err(no_point_of_table()),
            Modifier::ToDateOf(id) => self.time(TimeOp::ToDateOf(*id), axis)?,
            Modifier::Cumulative => self.time(TimeOp::Cumulative, axis)?,
            Modifier::FirstOf(own) => match self.finest(axis).and_then(|at| self.grain_of(at, axis)) {
                Some(TimePart::Grain(grain)) if grain > *own => self.time(TimeOp::FirstOf(*own), axis)?,
                _ => {}
            },
            Modifier::Each(_) => {}
            Modifier::StartOf(_) | Modifier::ShiftPeriods(..) => return Err(without_days(modifier)),
            Modifier::Edge(edge) => {
                // What is not at the end of all groups is not there at all.
                let origin = if edge.among == Among::Period { Origin::Frame } else { Origin::Leaf };
                self.frame.edges.push(FrameEdge { edge: edge.clone(), group: None, origin });
            }
        }
        Ok(())
    }

    /// After `each`, modifiers of time say on which days rows count; where nothing is asked by time, they act as usual.
    fn on_days(&mut self, modifier: &Modifier, axis: &Axis<'_>) -> Result<bool, Diagnostic> {
        if let Modifier::Each(grain) = modifier {
            let timed = |at: &usize| self.frame.keys[*at].expr.inputs.iter().any(|input| axis.is_time(input));
            if self.frame.kept().iter().any(timed) {
                axis.require()?;
                self.frame.dated.push(Redating { grain: *grain, modifiers: vec![] });
            }
            return Ok(true);
        }
        let step = match modifier {
            Modifier::PreviousPeriod => match self.finest(axis).and_then(|at| self.grain_of(at, axis)) {
                Some(TimePart::Grain(grain)) => Modifier::Shift(grain.span()),
                _ if !self.frame.dated.is_empty() => return Err(no_step()),
                _ => return Ok(false),
            },
            modifier => modifier.clone(),
        };
        let Some(on) = self.frame.dated.last_mut().filter(|_| dated::is_of_time(&step)) else { return Ok(false) };
        on.modifiers.push(step);
        Ok(true)
    }

    fn replace_conditions(&mut self, asked: &[Expression]) {
        self.frame.conditions.retain(|condition| condition.is_of_interval());
        for at in self.frame.kept() {
            if self.frame.keys[at].stands_for == StandsFor::Condition {
                self.frame.keys[at].kept = false;
                self.links.retain(|link| link.key != at);
            }
        }
        self.frame.conditions.extend(Condition::all_of(asked));
    }

    /// Drops the keys and the conditions that are about one thing alone; ranges stay.
    fn drop(&mut self, modifier: &str, target: &Input, axis: &Axis<'_>) -> Result<(), Diagnostic> {
        for at in self.frame.kept() {
            let key = &self.frame.keys[at];
            match axis.mentions(&key.expr, target) {
                Mentions::Only => {
                    self.frame.keys[at].kept = false;
                    self.links.retain(|link| link.key != at);
                }
                Mentions::Mixed => return Err(mixed_grouping(modifier, target, axis)),
                Mentions::Not => {}
            }
        }
        let mut conditions = Vec::new();
        for condition in std::mem::take(&mut self.frame.conditions) {
            match axis.mentions(&condition.expr, target) {
                Mentions::Only if axis.range(&condition.expr).is_none() && !axis.is_range_of_table(&condition.expr) => {
                }
                Mentions::Mixed => return Err(mixed_condition(modifier, target, axis)),
                _ => conditions.push(condition),
            }
        }
        self.frame.conditions = conditions;
        Ok(())
    }

    fn set(&mut self, target: &Input, value: &Expression, axis: &Axis<'_>) -> Result<(), Diagnostic> {
        let current = self.current_values(value, axis)?;
        self.drop("set", &axis.whole(target), axis)?;
        match current {
            Some(outer) => {
                let key = self.frame.keys.len();
                let equal = Key::equal(Expression::input(target.clone()));
                self.frame.keys.push(Key { stands_for: StandsFor::Condition, ..equal });
                self.links.push(Link { outer, key, nulls: Nulls::Never, back: vec![] });
            }
            None => {
                let mut inputs = vec![target.clone()];
                let value = append(&mut inputs, value.clone());
                let equal = Expr::Column(input_column(0)).eq(value);
                self.frame.conditions.push(Condition::asked(Expression { expr: equal, inputs }));
            }
        }
        Ok(())
    }

    /// The value over the outer keys, if it has `current d`.
    fn current_values(&self, value: &Expression, axis: &Axis<'_>) -> Result<Option<Expr>, Diagnostic> {
        if !value.inputs.iter().any(|input| matches!(input, Input::Current(_))) {
            return Ok(None);
        }
        let values = value.inputs.iter().map(|input| match input {
            Input::Current(wanted) => {
                let of_row = |link: &&Link| {
                    let key = &self.frame.keys[link.key];
                    key.stands_for == StandsFor::Group && axis.same_key(&key.expr, wanted)
                };
                let link = self.links.iter().find(of_row);
                link.map(|link| link.outer.clone()).ok_or_else(|| self.no_current(wanted, axis))
            }
            // `check` admits `current` only without other inputs beside it.
            other => Err(self.no_current(other, axis)),
        });
        Ok(Some(replace_inputs(value.expr.clone(), &values.collect::<Result<Vec<_>, _>>()?)))
    }

    fn no_current(&self, wanted: &Input, axis: &Axis<'_>) -> Diagnostic {
        let name = axis.name(wanted);
        if self.frame.keys.iter().any(|key| axis.same_key(&key.expr, wanted)) {
            let problem = format!("`current {name}` comes after a modifier that has dropped the grouping by `{name}`");
            let help = format!("modifiers act from left to right: put the one with `current {name}` first");
            return Diagnostic::new(codes::CONTEXT, problem).help(help);
        }
        Diagnostic::new(codes::CONTEXT, format!("`current {name}` needs a question that is grouped by `{name}`"))
            .help(format!("group by `{name}`, or set a constant"))
    }

    /// Moves the rows in time, or reads more of them.
    fn time(&mut self, op: TimeOp, axis: &Axis<'_>) -> Result<(), Diagnostic> {
        axis.require()?;
        if op.is_running() && self.frame.asks_table(axis) {
            return Err(of_table("a window in time"));
        }
        let finest = self.finest(axis);
        if matches!(op, TimeOp::ToDateOf(_)) && finest.is_none() {
            return Err(no_point_of_table());
        }
        self.check_range(&op, finest, axis)?;
        let end = end_of(&self.frame.all_ranges(axis)?);
        if let TimeOp::Shift(span) = &op {
            self.shows = Shows::Nothing;
            self.move_parts(*span, axis);
            self.move_ranges_of_tables(*span, axis);
        } else if self.shows == Shows::All {
            self.shows = if finest.is_some() { Shows::Running } else { Shows::Nothing };
        }
        if finest.is_none() && op.is_running() && op != TimeOp::Cumulative && end.is_none() {
            return Err(no_point());
        }
        let (asked, interval) = match &op {
            TimeOp::Shift(span) if self.has_windowed_interval() => (RangeOp::Move(*span), RangeOp::MoveWindow(*span)),
            TimeOp::Shift(span) => (RangeOp::Move(*span), RangeOp::Move(*span)),
            TimeOp::Cumulative => (RangeOp::Open, RangeOp::Open),
            op => (RangeOp::Open, RangeOp::Window(op.clone())),
        };
        if finest.is_none() {
            self.keep_interval(axis);
        }
        self.change_ranges(axis, asked, interval);
        match finest {
            Some(at) => self.window(at, op, end, axis),
            None => Ok(()),
        }
    }

    fn change_ranges(&mut self, axis: &Axis<'_>, asked: RangeOp, interval: RangeOp) {
        for condition in &mut self.frame.conditions {
            if axis.range(&condition.expr).is_some() {
                let change = if condition.kind == ConditionKind::Asked { &asked } else { &interval };
                condition.ops.push(change.clone());
            }
        }
    }

    /// The same without a period: the range before the range.
    fn move_by_length(&mut self, axis: &Axis<'_>) -> Result<(), Diagnostic> {
        axis.require()?;
        self.shows = Shows::Nothing;
        let mut keys = self.frame.kept().into_iter().map(|at| &self.frame.keys[at].expr);
        if keys.any(|key| key.inputs.iter().any(|input| axis.is_time(input))) {
            return Err(no_such_part());
        }
        let ranges = self.frame.all_ranges(axis)?;
        let [Range { stretches }] = ranges.as_slice() else { return Err(no_bounds()) };
        if !matches!(stretches.as_slice(), [only] if only.from.is_some() && only.to.is_some()) {
            return Err(no_bounds());
        }
        self.keep_interval(axis);
        self.change_ranges(axis, RangeOp::MoveByLength, RangeOp::MoveByLength);
        Ok(())
    }

    /// The grain of a key's periods. An instant is the finest period there is.
    fn period_of(&self, at: usize, axis: &Axis<'_>) -> Grain {
        match self.grain_of(at, axis) {
            Some(TimePart::Grain(grain)) => grain,
            _ if axis.instants().data_type == DataType::Date32 => Grain::Day,
            _ => Grain::Microsecond,
        }
    }

    /// Puts a modifier on the windows of a key's periods; coarser keys follow from it.
    fn window(&mut self, at: usize, op: TimeOp, end: Option<Expr>, axis: &Axis<'_>) -> Result<(), Diagnostic> {
        let grain = self.period_of(at, axis);
        let instant = !matches!(self.grain_of(at, axis), Some(TimePart::Grain(_)));
        if instant && axis.instants().data_type != DataType::Date32 && op.is_running() {
            return Err(raw_time());
        }
        for other in self.frame.kept() {
            let coarser = match self.grain_of(other, axis) {
                Some(TimePart::Grain(coarser)) if other != at => coarser,
                _ => continue,
            };
            // The periods of an outer question are not those of this key's rows any more.
            if matches!(self.frame.keys[other].role, Role::Window(_)) {
                if self.shows == Shows::Running {
                    return Err(window_in_window());
                }
                self.frame.keys[other].kept = false;
                self.links.retain(|link| link.key != other);
                continue;
            }
            if !grain.nests_in(coarser) {
                return Err(crossing(grain, coarser));
            }
            self.frame.keys[other].role = Role::Follows(at);
        }
        let ranges = self.asked_ranges(axis);
        let key = &mut self.frame.keys[at];
        match &mut key.role {
            Role::Window(window) => window.ops.push(op),
            role => *role = Role::Window(Window { grain, end, ranges, ops: vec![op], periods: None }),
        }
        Ok(())
    }

    /// Keys that are made of time, but are no period, see moved rows where they are moved to.
    fn move_parts(&mut self, span: TimeSpan, axis: &Axis<'_>) {
        for key in self.frame.keys.iter_mut().filter(|key| key.kept) {
            let period = key.expr.as_input().and_then(|input| axis.part(input));
            if matches!(period, Some(TimePart::Grain(_) | TimePart::Whole)) {
                continue;
            }
            for input in &mut key.expr.inputs {
                if axis.is_time(input) {
                    *input = Input::Moved(Box::new(input.clone()), span);
                }
            }
        }
    }

    /// Ranges over periods of a table see moved rows where they are moved to.
    fn move_ranges_of_tables(&mut self, span: TimeSpan, axis: &Axis<'_>) {
        for condition in self.frame.conditions.iter_mut().filter(|c| axis.is_range_of_table(&c.expr)) {
            for input in &mut condition.expr.inputs {
                *input = Input::Moved(Box::new(input.clone()), span);
            }
        }
    }

    /// The key with the shortest periods; those of an outer question's windows only if there is no other.
    fn finest(&self, axis: &Axis<'_>) -> Option<usize> {
        let timed = self.frame.kept().into_iter().filter_map(|at| {
            let key = &self.frame.keys[at];
            if matches!(key.role, Role::Follows(_)) {
                return None;
            }
            let grain = match self.grain_of(at, axis)? {
                TimePart::Whole => None,
                TimePart::Grain(grain) => Some(grain),
                TimePart::Period(_) | TimePart::Extract(_) => return None,
            };
            Some((matches!(&key.role, Role::Window(window) if window.periods.is_some()), grain, at))
        });
        timed.min().map(|(_, _, at)| at)
    }

    fn grain_of(&self, at: usize, axis: &Axis<'_>) -> Option<TimePart> {
        axis.part(self.frame.keys[at].expr.as_input()?)
    }

    /// What can be said only when all modifiers have acted: which windows are just periods elsewhere, and the groups in
    /// which an edge is looked for.
    fn settle(&mut self, axis: &Axis<'_>) {
        if let Some((at, window)) = self.frame.window()
            && window.periods.is_none()
            && let Some(spans) = lands(window)
        {
            let key_type = axis.key_type(&self.frame.keys[at].expr);
            for link in self.links.iter_mut().filter(|link| link.key == at) {
                for span in &spans {
                    link.outer = earlier(link.outer.clone(), &key_type, *span);
                }
                link.back.extend(&spans);
                // Rows without a time have no earlier ones.
                link.nulls = Nulls::Never;
            }
            self.frame.keys[at].role = Role::Equal;
            for other in 0..self.frame.keys.len() {
                if self.frame.keys[other].role == Role::Follows(at) {
                    self.frame.keys[other] = Key { role: Role::Equal, kept: false, ..self.frame.keys[other].clone() };
                    self.links.retain(|link| link.key != other);
                }
            }
        }
        let group = self.frame.kept();
        let of_time = |at: &usize| self.frame.keys[*at].expr.inputs.iter().all(|input| axis.is_time(input));
        let periods: Vec<usize> = group.iter().copied().filter(of_time).collect();
        for edge in &mut self.frame.edges {
            let among = if edge.edge.among == Among::Period { &periods } else { &group };
            edge.group.get_or_insert_with(|| among.clone());
        }
    }
}

/// The lengths by which whole periods are moved, if that is all that happens to a window.
fn lands(window: &Window) -> Option<Vec<TimeSpan>> {
    let spans = window.ops.iter().map(|op| match op {
        TimeOp::Shift(span) if window.grain.lands_on(*span) => Some(*span),
        _ => None,
    });
    spans.collect()
}

fn first_day() -> FrameEdge {
    FrameEdge { edge: dated::edge_of_days(End::First), group: None, origin: Origin::Leaf }
}

fn without_days(modifier: &Modifier) -> Diagnostic {
    let what = match modifier {
        Modifier::StartOf(grain) => format!("`start of {}`", grain.name()),
        _ => "`shift` by periods of a calendar from a table".to_string(),
    };
    Diagnostic::new(
        codes::CONTEXT,
        format!("{what} chooses among the days that `each` counts rows on, and there are none here"),
    )
    .help("write it after `each day` in one `at (…)`, in a question that is grouped by time")
}

fn mixed_grouping(modifier: &str, target: &Input, axis: &Axis<'_>) -> Diagnostic {
    let name = axis.name(target);
    let problem = format!("`{modifier} {name}` meets a grouping that mixes `{name}` with something else");
    Diagnostic::new(codes::CONTEXT, problem)
        .note("it can neither be kept whole nor dropped whole")
        .help(format!("group by `{name}` and the others one by one, and put them together outside"))
}

fn mixed_condition(modifier: &str, target: &Input, axis: &Axis<'_>) -> Diagnostic {
    let name = axis.name(target);
    let problem = format!("`{modifier} {name}` meets a condition that mixes `{name}` with something else");
    Diagnostic::new(codes::CONTEXT, problem)
        .note("it can neither be kept whole nor dropped whole")
        .help(format!("write conditions on `{name}` and on others with AND between them, or say what counts: `at (where …, {modifier} {name}…)`"))
}

fn no_step() -> Diagnostic {
    Diagnostic::new(codes::CONTEXT, "`previous period` needs a period: the question is grouped by single instants")
        .help("group by a grain such as `metric_time__day`")
}

fn no_such_part() -> Diagnostic {
    Diagnostic::new(
        codes::CONTEXT,
        "`previous period` without a grain is the range before the range, which has other parts of dates",
    )
    .note("the question is grouped by a part of the time, such as the month's number")
    .help("group by a grain such as `metric_time__month`, or write how far back: `shift 1 year`")
}

fn no_point() -> Diagnostic {
    Diagnostic::new(codes::CONTEXT, "a window in time needs a point that it ends at: the question has neither a grain of time nor a range with an end")
        .help("group by a grain such as `metric_time__day`, or ask up to some date")
}

fn no_point_of_table() -> Diagnostic {
    Diagnostic::new(codes::CONTEXT, "`to date` a period of a calendar from a table needs a grain of time")
        .note("where the period begins is looked up for each period that the question is grouped by")
        .help("group by a grain such as `metric_time__day`")
}

fn raw_time() -> Diagnostic {
    Diagnostic::new(codes::CONTEXT, "a window in time needs periods: the question is grouped by single instants")
        .help("group by a grain such as `metric_time__day`")
}

fn window_in_window() -> Diagnostic {
    Diagnostic::new(
        codes::CONTEXT,
        "a window in time around an aggregate of values that have windows in time themselves",
    )
    .note("which of the values inside belong to the window around them is not settled")
    .help("ask for the inner values by their own period, and aggregate them in SQL")
}

fn of_table(what: &str) -> Diagnostic {
    Diagnostic::new(
        codes::CONTEXT,
        format!("{what} needs bounds, and periods of a calendar from a table have none here"),
    )
    .note("the question groups by such periods, or has a range of them")
    .help("group by a grain such as `metric_time__day` and give a range of dates; `shift` works with any periods")
}

fn crossing(grain: Grain, other: Grain) -> Diagnostic {
    let (grain, other) = (grain.name(), other.name());
    Diagnostic::new(
        codes::CONTEXT,
        format!("modifiers of time are not clear where values are grouped by `{grain}` and by `{other}`"),
    )
    .note(format!("a {grain} does not lie within one {other}, so the two cut each other; a `per` groups, too"))
    .help("group by one of them")
}
