//! `MEASURE`: the marker that an indicator is asked for, in plans from SQL, the DataFrame API and Bell requests alike.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, internal_err, not_impl_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, TypeSignature, Volatility,
};

use super::view::{KIND_INDICATOR, KIND_KEY};
use crate::diagnostic::{Diagnostic, codes};

/// The marker function: `MEASURE(gmv)`, also `AGG` and `AGGREGATE`. It never runs: [`super::rules::ExpandMeasures`]
/// replaces it by the indicator's plan.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Measure {
    signature: Signature,
    aliases: Vec<String>,
}

static MEASURE: LazyLock<Arc<AggregateUDF>> = LazyLock::new(|| {
    Arc::new(AggregateUDF::new_from_impl(Measure {
        signature: Signature::variadic_any(Volatility::Immutable),
        aliases: vec!["agg".to_string(), "aggregate".to_string()],
    }))
});

/// The marker as a function to register or to call.
pub fn measure_udaf() -> Arc<AggregateUDF> {
    Arc::clone(&MEASURE)
}

/// `MEASURE(indicator)` for the DataFrame API; the argument is a column of an indicator view.
///
/// ```
/// use datafusion::prelude::col;
/// let call = bellwether::plan::measure(col("gmv"));
/// assert_eq!(call.to_string(), "measure(gmv)");
/// ```
pub fn measure(indicator: Expr) -> Expr {
    MEASURE.call(vec![indicator])
}

/// `MEASURE(indicator)` in another context: the modifiers are calls of [`modifier_functions`], and act from left to right.
pub fn measure_at(indicator: Expr, modifiers: Vec<Expr>) -> Expr {
    MEASURE.call([vec![indicator], modifiers].concat())
}

/// What is asked of an indicator besides its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Aspect {
    /// `TARGET(gmv)`: the target of the row's period and slice.
    Target,
    /// `ATTAINMENT(gmv)`: how much of it is attained.
    Attainment,
    /// `STATUS(gmv)`: in which band that is.
    Status,
}

impl Aspect {
    /// All of them.
    pub const ALL: [Aspect; 3] = [Aspect::Target, Aspect::Attainment, Aspect::Status];

    /// The name of its function, and of its column in an indicator's own view.
    pub fn name(self) -> &'static str {
        match self {
            Aspect::Target => "target",
            Aspect::Attainment => "attainment",
            Aspect::Status => "status",
        }
    }

    /// The type of its value.
    pub(crate) fn data_type(self) -> DataType {
        match self {
            Aspect::Target | Aspect::Attainment => DataType::Float64,
            Aspect::Status => DataType::Utf8,
        }
    }
}

/// The marker that a target, an attainment or a status is asked for. It never runs either.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Judged {
    aspect: Aspect,
    signature: Signature,
}

/// The functions to register beside the marker: `TARGET`, `ATTAINMENT`, `STATUS`.
pub fn aspect_functions() -> Vec<AggregateUDF> {
    let function = |aspect| {
        let signature = Signature::any(1, Volatility::Stable);
        AggregateUDF::new_from_impl(Judged { aspect, signature })
    };
    Aspect::ALL.map(function).into()
}

/// `TARGET(indicator)` and the like for the DataFrame API.
pub fn measure_aspect(aspect: Aspect, indicator: Expr) -> Expr {
    let signature = Signature::any(1, Volatility::Stable);
    AggregateUDF::new_from_impl(Judged { aspect, signature }).call(vec![indicator])
}

/// What a function asks for besides the value, if it is one of these.
pub(crate) fn aspect_of(function: &AggregateUDF) -> Option<Aspect> {
    function.inner().downcast_ref::<Judged>().map(|judged| judged.aspect)
}

impl AggregateUDFImpl for Judged {
    fn name(&self) -> &str {
        self.aspect.name()
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        Ok(self.aspect.data_type())
    }

    /// Refuses what is not an indicator.
    fn return_field(&self, arg_fields: &[FieldRef]) -> Result<FieldRef> {
        let [field] = arg_fields else { return internal_err!("{} takes an indicator", self.name()) };
        if field.metadata().get(KIND_KEY).map(String::as_str) == Some(KIND_INDICATOR) {
            return Ok(Arc::new(Field::new(self.name(), self.aspect.data_type(), true)));
        }
        Err(not_an_indicator(field.name()).into())
    }

    fn accumulator(&self, _args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        not_impl_err!("{} was not expanded: register Bellwether into this session", self.name())
    }

    fn state_fields(&self, _args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        not_impl_err!("{} was not expanded: register Bellwether into this session", self.name())
    }
}

/// A modifier inside a marker: `bell_all(region)`, `bell_set(channel, 'online')`, `bell_previous('year')`. It never runs.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct ModifierFunction {
    name: &'static str,
    signature: Signature,
}

/// The names of the functions that stand for modifiers.
const MODIFIERS: [&str; 16] = [
    "bell_all",
    "bell_set",
    "bell_current",
    "bell_where",
    "bell_visible",
    "bell_shift",
    "bell_previous",
    "bell_trailing",
    "bell_to_date",
    "bell_cumulative",
    "bell_first",
    "bell_last",
    "bell_each",
    "bell_start_of",
    "bell_overall",
    "bell_duration",
];

/// The functions to register beside the marker, so that modifiers can be written in its arguments.
pub fn modifier_functions() -> Vec<ScalarUDF> {
    MODIFIERS
        .into_iter()
        .map(|name| {
            let one_of = vec![TypeSignature::Nullary, TypeSignature::VariadicAny];
            let signature = Signature::one_of(one_of, Volatility::Immutable);
            ScalarUDF::new_from_impl(ModifierFunction { name, signature })
        })
        .collect()
}

/// The modifier that a scalar function stands for: its name, if it is one.
pub(crate) fn modifier_name(function: &ScalarUDF) -> Option<&'static str> {
    function.inner().downcast_ref::<ModifierFunction>().map(|modifier| modifier.name)
}

impl ScalarUDFImpl for ModifierFunction {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    /// `current d` is a value of d; the others are no values at all.
    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        match (self.name, arg_types) {
            ("bell_current", [only]) => Ok(only.clone()),
            _ => Ok(DataType::Boolean),
        }
    }

    fn invoke_with_args(&self, _args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Err(Diagnostic::new(
            codes::NOT_AN_INDICATOR,
            format!("`{}` is a modifier, and stands only in the arguments of MEASURE", self.name),
        )
        .help(format!("write `MEASURE(gmv, {}(…))`", self.name))
        .into())
    }
}

/// Whether an aggregate function is the marker.
pub(crate) fn is_measure(function: &AggregateUDF) -> bool {
    function.inner().is::<Measure>()
}

impl AggregateUDFImpl for Measure {
    fn name(&self) -> &str {
        "measure"
    }

    fn aliases(&self) -> &[String] {
        &self.aliases
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arg_types: &[DataType]) -> Result<DataType> {
        internal_err!("the type of MEASURE comes from its argument's field")
    }

    /// The field of the indicator itself, so that what is known of it survives. Refuses what is not an indicator.
    fn return_field(&self, arg_fields: &[FieldRef]) -> Result<FieldRef> {
        let [field, ..] = arg_fields else { return internal_err!("MEASURE takes an indicator") };
        if field.metadata().get(KIND_KEY).map(String::as_str) == Some(KIND_INDICATOR) {
            return Ok(Arc::new(field.as_ref().clone().with_nullable(true)));
        }
        Err(not_an_indicator(field.name()).into())
    }

    fn accumulator(&self, _args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        not_impl_err!("MEASURE was not expanded: register Bellwether into this session (bellwether::register)")
    }

    fn state_fields(&self, _args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        not_impl_err!("MEASURE was not expanded: register Bellwether into this session (bellwether::register)")
    }
}

/// "MEASURE takes an indicator".
pub(crate) fn not_an_indicator(name: &str) -> Diagnostic {
    // The field of a calculation is named by the whole of it.
    if name.contains(['(', ' ']) {
        return Diagnostic::new(codes::NOT_AN_INDICATOR, "MEASURE takes one indicator, not an expression")
            .help("calculate outside: `MEASURE(gmv) / 2`");
    }
    Diagnostic::new(codes::NOT_AN_INDICATOR, format!("MEASURE takes an indicator, and `{name}` is none"))
        .help("use a plain column or dimension without MEASURE; `SHOW INDICATORS` lists the indicators")
}
