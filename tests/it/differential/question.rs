//! [`Question`]: what is asked, and its text as SQL and as a [`Request`].

use bellwether::Request;

use super::expr::{Ex, Grain, Op};
use super::model::Model;
use super::value::{Value, date_text, days};
use super::write::{Writer, quoted};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// SQL over `package.indicators`; the word around indicators, empty for bare ones.
    Sql(&'static str),
    /// The same, in a subquery with an outer query around it.
    Wrapped,
    Request,
    /// The dimensions' distinct values on the rows of that source, as a request.
    Distinct(usize),
    /// `select value from package.indicator`.
    View(usize),
}

/// How the keys are grouped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sets {
    Plain,
    /// The keys from this position on are rolled up.
    Rollup(usize),
    Cube,
    Listed(Vec<Vec<usize>>),
}

#[derive(Debug, Clone)]
pub struct Question {
    pub form: Form,
    pub keys: Vec<Ex>,
    pub sets: Sets,
    /// The columns shown.
    pub items: Vec<Ex>,
    pub conditions: Vec<Ex>,
    pub from: Option<Period>,
    pub to: Option<Period>,
    /// Over keys and items.
    pub having: Option<Ex>,
    pub order: Vec<Order>,
    pub limit: Option<usize>,
}

/// By which item, and how. A request puts NULLs last, and SQL says where.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    pub item: usize,
    pub descending: bool,
    pub nulls_first: bool,
}

/// A period literal: its text, its first day and the first day after it.
#[derive(Debug, Clone)]
pub struct Period {
    pub text: String,
    first: i64,
    after: i64,
}

impl Period {
    pub fn year(year: i64) -> Period {
        Period { text: format!("{year}"), first: days(year, 1, 1), after: days(year + 1, 1, 1) }
    }

    pub fn quarter(year: i64, quarter: i64) -> Period {
        let first = days(year, quarter * 3 - 2, 1);
        let after = if quarter == 4 { days(year + 1, 1, 1) } else { days(year, quarter * 3 + 1, 1) };
        Period { text: format!("{year}-Q{quarter}"), first, after }
    }

    pub fn month(year: i64, month: i64) -> Period {
        let after = if month == 12 { days(year + 1, 1, 1) } else { days(year, month + 1, 1) };
        Period { text: format!("{year}-{month:02}"), first: days(year, month, 1), after }
    }

    pub fn day(day: i64) -> Period {
        Period { text: date_text(day), first: day, after: day + 1 }
    }
}

impl Question {
    /// A question without conditions and order.
    pub fn of(form: Form, keys: Vec<Ex>, items: Vec<Ex>, sets: Sets) -> Question {
        let (from, to) = (None, None);
        Question { form, keys, sets, items, conditions: vec![], from, to, having: None, order: vec![], limit: None }
    }

    /// Whether the range ends before it begins, which is refused.
    pub fn range_is_reversed(&self) -> bool {
        matches!((&self.from, &self.to), (Some(from), Some(to)) if to.after <= from.first)
    }

    /// The conditions, with the range as conditions on `metric_time`.
    pub fn all_conditions(&self) -> Vec<Ex> {
        let bound = |op, day| Ex::bin(op, Ex::MetricTime(Grain::Raw), Ex::Lit(Value::Date(day)));
        let mut all = self.conditions.clone();
        all.extend(self.from.iter().map(|p| bound(Op::Ge, p.first)));
        all.extend(self.to.iter().map(|p| bound(Op::Lt, p.after)));
        all
    }

    /// Which keys each grouping set has.
    pub fn grouping_sets(&self) -> Vec<Vec<bool>> {
        let count = self.keys.len();
        let first = |n: usize| (0..count).map(|k| k < n).collect();
        match &self.sets {
            Sets::Plain => vec![vec![true; count]],
            Sets::Rollup(from) => (*from..=count).map(first).collect(),
            Sets::Cube => (0..1 << count).map(|mask| (0..count).map(|k| mask >> k & 1 == 1).collect()).collect(),
            Sets::Listed(sets) => sets.iter().map(|set| (0..count).map(|k| set.contains(&k)).collect()).collect(),
        }
    }

    /// Every expression of it.
    pub fn expressions(&self) -> Vec<&Ex> {
        self.keys.iter().chain(&self.items).chain(&self.conditions).chain(&self.having).collect()
    }

    /// The SQL, if it is asked in SQL.
    pub fn sql(&self, model: &Model) -> Option<String> {
        match self.form {
            Form::Sql(measure) => Some(self.select(model, measure)),
            Form::Wrapped => Some(self.wrapped(model)),
            Form::View(at) => {
                Some(format!("SELECT value FROM {}.{}", model.package, quoted(&model.indicators[at].name)))
            }
            Form::Request | Form::Distinct(_) => None,
        }
    }

    fn wrapped(&self, model: &Model) -> String {
        let names: Vec<String> = (0..self.items.len()).map(|at| format!("c{at}")).collect();
        format!("WITH q AS ({}) SELECT {} FROM q", self.select(model, "MEASURE"), names.join(", "))
    }

    fn select(&self, model: &Model, measure: &str) -> String {
        let writer = Writer { measure: Some(measure), keys: &self.keys, ..Writer::bell(model) };
        let items = self.items.iter().enumerate().map(|(at, item)| format!("{} AS c{at}", writer.write(item)));
        let items: Vec<String> = items.collect();
        let mut sql = format!("SELECT {} FROM {}.indicators", items.join(", "), model.package);
        if !self.conditions.is_empty() {
            let conditions: Vec<String> = self.conditions.iter().map(|c| writer.write(c)).collect();
            sql += &format!(" WHERE {}", conditions.join(" AND "));
        }
        sql += &self.group_by(&writer);
        if let Some(having) = &self.having {
            sql += &format!(" HAVING {}", writer.write(having));
        }
        let order: Vec<String> = self.order.iter().map(Order::sql).collect();
        if !order.is_empty() {
            sql += &format!(" ORDER BY {}", order.join(", "));
        }
        self.limit.iter().for_each(|n| sql += &format!(" LIMIT {n}"));
        sql
    }

    fn group_by(&self, writer: &Writer<'_>) -> String {
        let keys: Vec<String> = self.keys.iter().map(|k| writer.write(k)).collect();
        let list = |keys: &[String]| keys.join(", ");
        match &self.sets {
            _ if keys.is_empty() => String::new(),
            Sets::Plain => format!(" GROUP BY {}", list(&keys)),
            Sets::Rollup(0) => format!(" GROUP BY ROLLUP ({})", list(&keys)),
            Sets::Rollup(n) => format!(" GROUP BY {}, ROLLUP ({})", list(&keys[..*n]), list(&keys[*n..])),
            Sets::Cube => format!(" GROUP BY CUBE ({})", list(&keys)),
            Sets::Listed(sets) => {
                let set = |set: &Vec<usize>| {
                    format!("({})", set.iter().map(|k| keys[*k].as_str()).collect::<Vec<_>>().join(", "))
                };
                format!(" GROUP BY GROUPING SETS ({})", sets.iter().map(set).collect::<Vec<_>>().join(", "))
            }
        }
    }

    /// The request, if it is asked as one.
    pub fn request(&self, model: &Model) -> Option<Request> {
        let distinct = match self.form {
            Form::Request => false,
            Form::Distinct(_) => true,
            _ => return None,
        };
        let writer = Writer { keys: &self.keys, ..Writer::bell(model) };
        let written = |list: &[Ex]| -> Vec<String> { list.iter().map(|ex| writer.write(ex)).collect() };
        let sign = |order: &Order| if order.descending { "-" } else { "" };
        Some(Request {
            indicators: written(&self.items[self.keys.len()..]),
            by: written(&self.keys),
            conditions: written(&self.conditions),
            from: self.from.as_ref().map(|p| p.text.clone()),
            to: self.to.as_ref().map(|p| p.text.clone()),
            order: self.order.iter().map(|o| sign(o).to_string() + &writer.write(&self.items[o.item])).collect(),
            limit: self.limit,
            distinct,
        })
    }

    /// The same question with one part less, for each part that it can do without.
    pub fn smaller(&self) -> Vec<Question> {
        let mut found = vec![];
        let mut with = |change: &dyn Fn(&mut Question)| {
            let mut smaller = self.clone();
            change(&mut smaller);
            found.push(smaller);
        };
        let indicators: Vec<usize> = (0..self.items.len()).filter(|i| !matches!(self.items[*i], Ex::Key(_))).collect();
        if !self.order.is_empty() {
            with(&|q| (q.order, q.limit) = (vec![], None));
        }
        for item in indicators.iter().filter(|_| indicators.len() > 1 && self.order.is_empty()) {
            with(&|q| drop(q.items.remove(*item)));
        }
        for at in 0..self.conditions.len() {
            with(&|q| drop(q.conditions.remove(at)));
            if let Ex::Bin(Op::And | Op::Or, a, b) = &self.conditions[at] {
                with(&|q| q.conditions[at] = a.as_ref().clone());
                with(&|q| q.conditions[at] = b.as_ref().clone());
            }
        }
        if self.having.is_some() {
            with(&|q| q.having = None);
        }
        if self.from.is_some() || self.to.is_some() {
            with(&|q| (q.from, q.to) = (None, None));
        }
        if self.sets != Sets::Plain {
            with(&|q| q.sets = Sets::Plain);
        }
        if self.keys.len() > 1 && self.order.is_empty() && self.sets == Sets::Plain {
            (0..self.keys.len()).for_each(|key| with(&|q| q.drop_key(key)));
        }
        found
    }

    fn drop_key(&mut self, key: usize) {
        self.keys.remove(key);
        self.items.retain(|item| *item != Ex::Key(key) && *item != Ex::Grouping(key));
        for item in &mut self.items {
            if let Ex::Key(at) | Ex::Grouping(at) = item
                && *at > key
            {
                *at -= 1;
            }
        }
    }

    /// As a reader would type it.
    pub fn text(&self, model: &Model) -> String {
        self.sql(model).unwrap_or_else(|| format!("{:?}", self.request(model)))
    }
}

impl Order {
    fn sql(&self) -> String {
        let way = if self.descending { "DESC" } else { "ASC" };
        let nulls = if self.nulls_first { "FIRST" } else { "LAST" };
        format!("{} {way} NULLS {nulls}", self.item + 1)
    }
}
