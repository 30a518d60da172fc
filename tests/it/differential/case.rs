//! [`Case`]: a model, its data and its questions, all from one seed; asked of both sides.

use std::path::Path as FilePath;

use bellwether::Engine;

use super::compare::{difference, rows, text};
use super::dice::Dice;
use super::expr::Ex;
use super::files::Files;
use super::model::{Kept, Model, Table};
use super::naive::{Naive, Rows};
use super::question::{Form, Question};
use super::reach::Why;
use super::{data, draw_items, draw_questions, draw_sources, draw_star, draw_star_questions, files};

/// Everything that a seed gives.
#[derive(Clone)]
pub struct Case {
    pub seed: u64,
    pub model: Model,
    pub data: Vec<Table>,
    pub questions: Vec<Question>,
}

/// How a question went.
#[derive(Debug, Clone)]
pub enum Outcome {
    Equal,
    /// Both sides refuse; the engine with this code.
    Refused(String),
    /// The page does not say what the answer is.
    Unspecified,
    /// The engine alone refuses, because of a context, with this code; the page would have an answer.
    Declined(String),
    /// The sides disagree: how.
    Different(String),
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Outcome::Different(how) => write!(f, "different: {how}"),
            other => write!(f, "{other:?}"),
        }
    }
}

/// What one side said.
type Said = Result<Rows, String>;

impl Case {
    /// The case of a seed.
    pub fn draw(seed: u64) -> Case {
        let mut dice = Dice::new(seed);
        // Half of the cases are about contexts.
        if seed.is_multiple_of(2) {
            let mut model = draw_star::draw(&mut dice);
            let questions = draw_star_questions::draw(&mut dice, &mut model);
            let mut data = data::draw(&mut dice, &model);
            draw_star::settle(&mut dice, &model, &mut data);
            return Case { seed, model, data, questions };
        }
        let mut model = draw_sources::draw(&mut dice);
        draw_items::draw(&mut dice, &mut model);
        let data = data::draw(&mut dice, &model);
        let mut questions = vec![];
        if !model.indicators.is_empty() {
            let count = dice.between(3, 8);
            questions.extend((0..count).filter_map(|_| draw_questions::draw(&mut dice, &model)));
        }
        Case { seed, model, data, questions }
    }

    /// Asks every question of both sides.
    pub async fn run(&self) -> Vec<Outcome> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        self.write(folder.path()).expect("files");
        let naive = Naive::new(&self.model, &self.data);
        if self.questions.is_empty() {
            return vec![];
        }
        let engine = match Engine::open(folder.path()).await {
            Ok(engine) => engine,
            Err(error) => {
                // One difference, not one for each question.
                let mut outcomes = vec![Outcome::Unspecified; self.questions.len()];
                outcomes[..1].fill(Outcome::Different(format!("the model is refused:\n{error}")));
                return outcomes;
            }
        };
        // Small data never has far fewer cells than rows: here they are added up all the same, in every second case.
        if self.seed % 2 == 1 {
            engine.sql("SET bell.reduce_factor = 0").await.expect("an option");
        }
        let mut outcomes = vec![];
        for question in &self.questions {
            outcomes.push(self.asked(&engine, &naive, question).await);
        }
        outcomes
    }

    /// Asks a question of both sides.
    pub async fn asked(&self, engine: &Engine, naive: &Naive<'_>, question: &Question) -> Outcome {
        let said = ask(engine, &self.model, question).await;
        judge(question, self.due(naive, question), said)
    }

    fn due(&self, naive: &Naive<'_>, question: &Question) -> Result<Rows, Why> {
        // A filtered one is written with MEASURE.
        let bare = |item: &Ex| !matches!(item, Ex::Filter(..));
        if question.form == Form::Sql("") && question.keys.is_empty() && question.items.iter().any(bare) {
            return Err(Why::Refused("a bare indicator without GROUP BY".into()));
        }
        naive.answer(question)
    }

    /// The case with one question and a text of only what it needs.
    pub fn only(&self, question: usize) -> Case {
        Case { questions: vec![self.questions[question].clone()], ..self.clone() }
    }

    fn kept(&self) -> Kept {
        let expressions: Vec<&Ex> = self.questions.iter().flat_map(Question::expressions).collect();
        self.model.needed(&expressions)
    }

    /// Writes the case as a project.
    pub fn write(&self, folder: &FilePath) -> std::io::Result<()> {
        files::write(folder, &self.model.bell(&self.kept()), &self.model, &self.data, Files::All)
    }

    /// The model, the rows and the questions, for a report.
    pub fn text(&self) -> String {
        let mut all = format!("seed {}\n\n{}\n", self.seed, self.model.bell(&self.kept()));
        for (source, rows) in self.model.sources.iter().zip(&self.data) {
            all += &files::shown(source, rows);
        }
        for question in &self.questions {
            all += &format!("\n{}\n", question.text(&self.model));
        }
        all
    }

    /// A smaller case in which the first question still differs: fewer rows, columns and conditions.
    pub async fn shrunk(self) -> Case {
        let mut best = self;
        loop {
            let mut smaller = None;
            for candidate in best.smaller() {
                if matches!(candidate.run().await.first(), Some(Outcome::Different(_))) {
                    smaller = Some(candidate);
                    break;
                }
            }
            match smaller {
                Some(case) => best = case,
                None => return best,
            }
        }
    }

    fn smaller(&self) -> Vec<Case> {
        let mut found: Vec<Case> = self.questions[0].smaller().into_iter().map(|q| self.asking(q)).collect();
        for (at, table) in self.data.iter().enumerate() {
            let mut part = table.len().div_ceil(2);
            while part > 0 {
                for start in (0..table.len()).step_by(part) {
                    let mut case = self.clone();
                    case.data[at].drain(start..(start + part).min(table.len()));
                    found.push(case);
                }
                part /= 2;
            }
        }
        found
    }

    fn asking(&self, question: Question) -> Case {
        Case { questions: vec![question], ..self.clone() }
    }
}

async fn ask(engine: &Engine, model: &Model, question: &Question) -> Said {
    let frame = match (question.sql(model), question.request(model)) {
        (Some(sql), _) => engine.sql(&sql).await,
        (None, Some(request)) => engine.query(&request).await,
        (None, None) => return Err("the harness has no text for it".into()),
    };
    let batches = frame.map_err(|e| e.to_string())?.collect().await;
    rows(&batches.map_err(|e| format!("while running: {e}"))?)
}

fn judge(question: &Question, due: Result<Rows, Why>, said: Said) -> Outcome {
    let nothing = vec![];
    match (due, said) {
        (Err(Why::Unspecified(_)), _) => Outcome::Unspecified,
        (Err(Why::Refused(_)), Err(reason)) if !reason.starts_with("while running") => Outcome::Refused(code(&reason)),
        (Err(Why::Refused(why)), Err(reason)) => Outcome::Different(format!("late refusal ({why}): {reason}")),
        (Err(Why::Refused(why)), Ok(rows)) => {
            Outcome::Different(format!("a refusal is due ({why}), came:\n{}", text(&rows)))
        }
        (Ok(_), Err(reason)) if reason.starts_with("B0503") => Outcome::Declined(code(&reason)),
        (Ok(due), Err(reason)) => Outcome::Different(format!("due:\n{}refused: {reason}", text(&due))),
        (Ok(due), Ok(came)) => match difference(&due, &came, !question.order.is_empty()) {
            None => Outcome::Equal,
            Some(how) => {
                let came = if came.is_empty() { &nothing } else { &came };
                Outcome::Different(format!("{how}\ndue:\n{}came:\n{}", text(&due), text(came)))
            }
        },
    }
}

/// The code that a refusal begins with.
fn code(reason: &str) -> String {
    reason.split(':').next().unwrap_or_default().to_string()
}
