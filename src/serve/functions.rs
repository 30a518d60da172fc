//! Functions by which clients ask about a PostgreSQL server, where the answer is always the same here.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};

/// What clients are told of the server.
const VERSION: &str = concat!("PostgreSQL 16.0 (Bellwether ", env!("CARGO_PKG_VERSION"), ")");

/// All of them. Comments, definitions of views and such there are none, or the catalog tells them better.
pub(super) fn functions() -> impl Iterator<Item = ScalarUDF> {
    let text = || ScalarValue::Utf8(None);
    let told = [
        ("version", ScalarValue::from(VERSION)),
        ("col_description", text()),
        ("obj_description", text()),
        ("shobj_description", text()),
        ("pg_get_serial_sequence", text()),
        ("pg_get_viewdef", text()),
        ("pg_get_indexdef", text()),
        ("to_regtype", ScalarValue::Int32(None)),
        ("pg_is_in_recovery", ScalarValue::from(false)),
    ];
    told.into_iter().map(|(name, value)| {
        let any = vec![TypeSignature::Nullary, TypeSignature::VariadicAny];
        let signature = Signature::one_of(any, Volatility::Stable);
        ScalarUDF::from(Told { name, value, signature })
    })
}

/// A function that answers always the same.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Told {
    name: &'static str,
    value: ScalarValue,
    signature: Signature,
}

impl ScalarUDFImpl for Told {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.value.data_type())
    }

    fn invoke_with_args(&self, _: ScalarFunctionArgs) -> Result<ColumnarValue> {
        Ok(ColumnarValue::Scalar(self.value.clone()))
    }
}
