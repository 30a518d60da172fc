//! Aggregates in two steps with something stored in between: the state of one, and the value that states give.
//!
//! DataFusion already computes every aggregate in such steps, on each core and then over all. [`state_of`] ends after the
//! first one, so that its states can be kept, and [`merged`] goes on from kept states. So what is put together from kept
//! states is what DataFusion would have put together itself: distinct counts from the values that were seen, averages from
//! sums and counts, estimates from their sketches.

use std::fmt::{Debug, Formatter};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, StructArray, new_null_array};
use datafusion::arrow::compute::{SortOptions, cast, interleave};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema};
use datafusion::common::{DFSchema, Result, ScalarValue, internal_err};
use datafusion::logical_expr::expr::{AggregateFunction, AggregateFunctionParams, NullTreatment, Sort};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, Expr, ExprSchemable, GroupsAccumulator, Signature, Volatility,
};
use datafusion::physical_expr::expressions::{Column, Literal};
use datafusion::physical_expr::{PhysicalExpr, PhysicalSortExpr};

/// What a state is of: the arguments of its aggregate, and what that orders by.
fn arguments_of(call: &AggregateFunction) -> Vec<Expr> {
    let order = call.params.order_by.iter().map(|sort| sort.expr.clone());
    call.params.args.iter().cloned().chain(order).collect()
}

/// The state of an aggregate over its arguments: one structure.
pub(crate) fn state_of(call: &AggregateFunction) -> Expr {
    let args = arguments_of(call);
    let inner = Inner::of(call);
    let signature = Signature::any(args.len(), Volatility::Immutable);
    let name = format!("bell_state_of_{}", inner.name());
    let func = Arc::new(AggregateUDF::from(StateOf { name, inner, signature }));
    let filter = call.params.filter.clone();
    let params = AggregateFunctionParams { args, filter, distinct: false, order_by: vec![], null_treatment: None };
    Expr::AggregateFunction(AggregateFunction { func, params })
}

/// The value of an aggregate, whose arguments are of the schema, from states of it.
pub(crate) fn merged(call: &AggregateFunction, schema: &DFSchema, state: Expr) -> Result<Expr> {
    let arguments = arguments_of(call).into_iter().map(|argument| {
        let kind = argument.get_type(schema)?;
        let constant = match argument {
            Expr::Literal(value, _) => Some(value),
            _ => None,
        };
        Ok((kind, constant))
    });
    let (inner, arguments) = (Inner::of(call), arguments.collect::<Result<_>>()?);
    let name = format!("bell_merge_of_{}", inner.name());
    let signature = Signature::any(1, Volatility::Immutable);
    Ok(AggregateUDF::from(MergeOf { name, inner, arguments, signature }).call(vec![state]))
}

/// Whether a function gives states of this aggregate as it is: neither of distinct values nor of ordered ones.
pub(crate) fn is_state_of(func: &AggregateUDF, function: &AggregateUDF) -> bool {
    let state = func.inner().downcast_ref::<StateOf>();
    state.is_some_and(|StateOf { inner: Inner { function: own, distinct, order, ignore_nulls }, .. }| {
        **own == *function && !distinct && order.is_empty() && !ignore_nulls
    })
}

/// The aggregate whose states these are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Inner {
    function: Arc<AggregateUDF>,
    distinct: bool,
    /// How it orders by the last of what its states are of.
    order: Vec<SortOptions>,
    ignore_nulls: bool,
}

impl Inner {
    fn of(call: &AggregateFunction) -> Inner {
        let AggregateFunctionParams { distinct, order_by, null_treatment, .. } = &call.params;
        let options = |sort: &Sort| SortOptions { descending: !sort.asc, nulls_first: sort.nulls_first };
        Inner {
            function: Arc::clone(&call.func),
            distinct: *distinct,
            order: order_by.iter().map(options).collect(),
            ignore_nulls: *null_treatment == Some(NullTreatment::IgnoreNulls),
        }
    }

    fn name(&self) -> String {
        if self.distinct { format!("{}_distinct", self.function.name()) } else { self.function.name().to_string() }
    }

    /// How many of what its states are of are arguments; by the others it orders.
    fn own(&self, all: usize) -> usize {
        all.saturating_sub(self.order.len())
    }

    fn return_field(&self, all: &[FieldRef]) -> Result<FieldRef> {
        self.function.return_field(&all[..self.own(all.len())])
    }

    fn state_fields(&self, all: &[FieldRef]) -> Result<Fields> {
        let (input_fields, ordering_fields) = all.split_at(self.own(all.len()));
        let return_field = self.return_field(all)?;
        let is_distinct = self.distinct;
        let args = StateFieldsArgs { name: "state", input_fields, return_field, ordering_fields, is_distinct };
        let fields = self.function.state_fields(args)?.into_iter().enumerate();
        // Names must not depend on how a call is written.
        Ok(fields.map(|(at, field)| Field::new(format!("s{at}"), field.data_type().clone(), true)).collect())
    }

    /// The accumulator of one group, over the arguments that the aggregate itself has. Some aggregates (`approx_distinct`)
    /// write states of groups in another form than those without groups, which only the former read: where there are
    /// accumulators of groups, they are used for one group, too.
    fn of_one(&self, args: &AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let nothing = self.with_args(args, |args| self.function.accumulator(args))?;
        match self.has_groups(args)? {
            true => {
                let groups = Mutex::new(self.groups(args)?);
                let none = self.state_of_nothing(args)?;
                let none = none.iter().map(|part| ScalarValue::try_from_array(part, 0)).collect::<Result<_>>()?;
                Ok(Box::new(OneGroup { groups, nothing, none, empty: true }))
            }
            false => Ok(nothing),
        }
    }

    fn has_groups(&self, args: &AccumulatorArgs<'_>) -> Result<bool> {
        self.with_args(args, |args| Ok(self.function.groups_accumulator_supported(args)))
    }

    fn groups(&self, args: &AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        self.with_args(args, |args| self.function.create_groups_accumulator(args))
    }

    /// The state of a group whose rows a filter leaves out. Without groups the same state may look otherwise (a count of 0
    /// that is there, which groups take for one of values).
    fn state_of_nothing(&self, args: &AccumulatorArgs<'_>) -> Result<Vec<ArrayRef>> {
        let row: Vec<ArrayRef> = args.expr_fields.iter().map(|field| new_null_array(field.data_type(), 1)).collect();
        let mut group = self.groups(args)?;
        group.update_batch(&row, &[0], Some(&BooleanArray::from(vec![false])), 1)?;
        group.state(EmitTo::All)
    }

    /// Does something with the arguments that the aggregate itself would have.
    fn with_args<T>(&self, all: &AccumulatorArgs<'_>, act: impl FnOnce(AccumulatorArgs<'_>) -> Result<T>) -> Result<T> {
        let own = self.own(all.exprs.len());
        let order = all.exprs[own..].iter().zip(&self.order);
        let order: Vec<_> = order.map(|(expr, options)| PhysicalSortExpr::new(Arc::clone(expr), *options)).collect();
        act(AccumulatorArgs {
            return_field: self.return_field(all.expr_fields)?,
            schema: all.schema,
            ignore_nulls: self.ignore_nulls,
            order_bys: &order,
            is_reversed: false,
            name: all.name,
            is_distinct: self.distinct,
            exprs: &all.exprs[..own],
            expr_fields: &all.expr_fields[..own],
        })
    }
}

fn fields_of(types: &[DataType]) -> Vec<FieldRef> {
    types.iter().enumerate().map(|(at, kind)| Arc::new(Field::new(format!("x{at}"), kind.clone(), true))).collect()
}

/// An accumulator of groups with one group.
struct OneGroup {
    groups: Mutex<Box<dyn GroupsAccumulator>>,
    /// What has seen no rows.
    nothing: Box<dyn Accumulator>,
    /// Its state, as groups write it.
    none: Vec<ScalarValue>,
    /// Whether there were no rows.
    empty: bool,
}

impl Debug for OneGroup {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str("OneGroup")
    }
}

impl OneGroup {
    /// The accumulator with the groups of these rows, if there are any.
    fn of(&mut self, rows: &[ArrayRef]) -> Option<(&mut dyn GroupsAccumulator, Vec<usize>)> {
        let groups = vec![0; rows.first().map_or(0, |rows| rows.len())];
        self.empty &= groups.is_empty();
        (!groups.is_empty()).then(|| (self.groups(), groups))
    }

    fn groups(&mut self) -> &mut dyn GroupsAccumulator {
        self.groups.get_mut().unwrap_or_else(PoisonError::into_inner).as_mut()
    }
}

impl Accumulator for OneGroup {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let Some((inner, groups)) = self.of(values) else { return Ok(()) };
        inner.update_batch(values, &groups, None, 1)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        match self.empty {
            true => self.nothing.evaluate(),
            false => ScalarValue::try_from_array(&self.groups().evaluate(EmitTo::All)?, 0),
        }
    }

    fn size(&self) -> usize {
        self.groups.lock().unwrap_or_else(PoisonError::into_inner).size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        match self.empty {
            true => Ok(self.none.clone()),
            false => {
                let parts = self.groups().state(EmitTo::All)?;
                parts.iter().map(|part| ScalarValue::try_from_array(part, 0)).collect()
            }
        }
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let Some((inner, groups)) = self.of(states) else { return Ok(()) };
        inner.merge_batch(states, &groups, 1)
    }
}

/// `bell_state_of_…`.
#[derive(Debug, PartialEq, Eq, Hash)]
struct StateOf {
    name: String,
    inner: Inner,
    signature: Signature,
}

impl AggregateUDFImpl for StateOf {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(self.inner.state_fields(&fields_of(arguments))?))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(self.inner.state_fields(args.input_fields)?.to_vec())
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let fields = self.inner.state_fields(args.expr_fields)?;
        let inner = self.inner.of_one(&args)?;
        Ok(Box::new(OneState { fields, inner }))
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        self.inner.has_groups(&args).unwrap_or(false)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        let fields = self.inner.state_fields(args.expr_fields)?;
        let inner = self.inner.groups(&args)?;
        Ok(Box::new(GroupStates { fields, inner }))
    }
}

/// Parts of a state as one structure of the declared type.
fn structure(fields: &Fields, parts: Vec<ArrayRef>) -> Result<StructArray> {
    let typed = parts.into_iter().zip(fields).map(|(part, field)| match part.data_type() == field.data_type() {
        true => Ok(part),
        // Lists differ in the names of their items only.
        false => Ok(cast(&part, field.data_type())?),
    });
    Ok(StructArray::try_new(fields.clone(), typed.collect::<Result<Vec<_>>>()?, None)?)
}

#[derive(Debug)]
struct OneState {
    fields: Fields,
    inner: Box<dyn Accumulator>,
}

impl Accumulator for OneState {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.update_batch(values)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let parts = self.inner.state()?.iter().map(ScalarValue::to_array).collect::<Result<Vec<_>>>()?;
        Ok(ScalarValue::Struct(Arc::new(structure(&self.fields, parts)?)))
    }

    fn size(&self) -> usize {
        self.inner.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.inner.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.inner.merge_batch(states)
    }
}

struct GroupStates {
    fields: Fields,
    inner: Box<dyn GroupsAccumulator>,
}

impl GroupsAccumulator for GroupStates {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.inner.update_batch(values, groups, filter, total)
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        Ok(Arc::new(structure(&self.fields, self.inner.state(emit)?)?))
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        self.inner.state(emit)
    }

    fn merge_batch(&mut self, values: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.inner.merge_batch(values, groups, total)
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        self.inner.convert_to_state(values, filter)
    }

    fn size(&self) -> usize {
        self.inner.size()
    }
}

/// `bell_merge_of_…`.
#[derive(Debug, PartialEq, Eq, Hash)]
struct MergeOf {
    name: String,
    inner: Inner,
    arguments: Vec<(DataType, Option<ScalarValue>)>,
    signature: Signature,
}

impl MergeOf {
    /// Does something with the arguments that the states are of.
    fn with_args<T>(
        &self,
        args: &AccumulatorArgs<'_>,
        act: impl FnOnce(&AccumulatorArgs<'_>) -> Result<T>,
    ) -> Result<T> {
        let fields = self.fields();
        let schema = Schema::new(fields.clone());
        let expr = |(at, (_, value)): (usize, &(DataType, Option<ScalarValue>))| -> Arc<dyn PhysicalExpr> {
            match value {
                Some(value) => Arc::new(Literal::new(value.clone())),
                None => Arc::new(Column::new(fields[at].name(), at)),
            }
        };
        let exprs: Vec<_> = self.arguments.iter().enumerate().map(expr).collect();
        act(&AccumulatorArgs {
            return_field: self.inner.return_field(&fields)?,
            schema: &schema,
            ignore_nulls: self.inner.ignore_nulls,
            order_bys: &[],
            is_reversed: false,
            name: args.name,
            is_distinct: self.inner.distinct,
            exprs: &exprs,
            expr_fields: &fields,
        })
    }

    fn fields(&self) -> Vec<FieldRef> {
        let types: Vec<DataType> = self.arguments.iter().map(|(kind, _)| kind.clone()).collect();
        fields_of(&types)
    }

    fn states(&self) -> Result<Fields> {
        self.inner.state_fields(&self.fields())
    }
}

impl AggregateUDFImpl for MergeOf {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(self.inner.return_field(&self.fields())?.data_type().clone())
    }

    fn state_fields(&self, _: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        Ok(self.states()?.to_vec())
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let inner = self.with_args(&args, |args| self.inner.of_one(args))?;
        Ok(Box::new(MergedState { fields: self.states()?, inner }))
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        self.with_args(&args, |args| self.inner.has_groups(args)).unwrap_or(false)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        let inner = self.with_args(&args, |args| self.inner.groups(args))?;
        let fields = self.states()?;
        let empty = self.with_args(&args, |args| self.inner.state_of_nothing(args))?;
        let empty = structure(&fields, empty)?.columns().to_vec();
        Ok(Box::new(MergedGroups { fields, inner, empty }))
    }
}

/// The parts of kept states, in the types of their aggregate.
fn parts(fields: &Fields, kept: &ArrayRef) -> Result<Vec<ArrayRef>> {
    let Some(kept) = kept.as_struct_opt() else { return internal_err!("a kept state is no structure") };
    let typed = kept.columns().iter().zip(fields).map(|(part, field)| match part.data_type() == field.data_type() {
        true => Ok(Arc::clone(part)),
        false => Ok(cast(part, field.data_type())?),
    });
    typed.collect()
}

#[derive(Debug)]
struct MergedState {
    fields: Fields,
    inner: Box<dyn Accumulator>,
}

impl Accumulator for MergedState {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.merge_batch(&parts(&self.fields, &values[0])?)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        self.inner.evaluate()
    }

    fn size(&self) -> usize {
        self.inner.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.inner.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.inner.merge_batch(states)
    }
}

struct MergedGroups {
    fields: Fields,
    inner: Box<dyn GroupsAccumulator>,
    /// The state of no rows.
    empty: Vec<ArrayRef>,
}

impl MergedGroups {
    /// The parts of states. Those that a filter leaves out become the state of no rows, so that every group has one:
    /// accumulators take a group without any for one with values.
    fn wanted(&self, values: &[ArrayRef], wanted: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let parts = parts(&self.fields, &values[0])?;
        let Some(wanted) = wanted else { return Ok(parts) };
        let source = |at: usize| if wanted.is_valid(at) && wanted.value(at) { (0, at) } else { (1, 0) };
        let sources: Vec<(usize, usize)> = (0..wanted.len()).map(source).collect();
        let parts = parts.iter().zip(&self.empty);
        parts.map(|(part, empty)| Ok(interleave(&[part.as_ref(), empty.as_ref()], &sources)?)).collect()
    }
}

impl GroupsAccumulator for MergedGroups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        wanted: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        let parts = self.wanted(values, wanted)?;
        self.inner.merge_batch(&parts, groups, total)
    }

    fn evaluate(&mut self, emit: EmitTo) -> Result<ArrayRef> {
        self.inner.evaluate(emit)
    }

    fn state(&mut self, emit: EmitTo) -> Result<Vec<ArrayRef>> {
        self.inner.state(emit)
    }

    fn merge_batch(&mut self, values: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.inner.merge_batch(values, groups, total)
    }

    fn convert_to_state(&self, values: &[ArrayRef], wanted: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        self.wanted(values, wanted)
    }

    fn size(&self) -> usize {
        self.inner.size()
    }
}
