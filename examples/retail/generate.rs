//! Writes `examples/retail/data`: two invented years of an omni-channel retailer, the same bytes on every run.
//!
//! ```text
//! cargo run --example retail_data [FOLDER]
//! ```
//!
//! The files are committed, so this is needed only after a change to [`simulate`].

#[allow(missing_docs)]
#[path = "../stories/dice.rs"]
mod dice;
#[allow(missing_docs)]
mod simulate;

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{Days, NaiveDate};
use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Int32Array, RecordBatch, StringArray,
    TimestampMillisecondArray,
};
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::{Compression, Encoding, ZstdLevel};
use datafusion::parquet::file::properties::{WriterProperties, WriterVersion};
use datafusion::parquet::schema::types::ColumnPath;

use simulate::{CATEGORIES, CITIES, FORMATS, LEVELS, Line, Order, PRODUCTS_PER_CATEGORY, World, list_price, simulate};

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;
type Columns = Vec<(&'static str, ArrayRef)>;

fn main() -> Result {
    let default = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/retail/data"));
    let folder = std::env::args_os().nth(1).map_or(default, PathBuf::from);
    fs::create_dir_all(&folder)?;
    let world = simulate();
    for (name, text) in texts(&world)? {
        fs::write(folder.join(name), text)?;
    }
    for (name, columns) in tables(&world)? {
        write_parquet(&folder.join(name), columns)?;
    }
    let lines: usize = world.orders.iter().map(|order| order.lines.len()).sum();
    println!("{} visits, {} orders, {lines} lines: {}", world.visits.len(), world.orders.len(), folder.display());
    Ok(())
}

/// The small tables, as CSV; no text in them needs quotes.
fn texts(world: &World) -> Result<[(&'static str, String); 5]> {
    Ok([
        ("cities.csv", cities()?),
        ("stores.csv", stores(world)?),
        ("customers.csv", customers(world)?),
        ("categories.csv", categories()?),
        ("products.csv", products()?),
    ])
}

fn cities() -> Result<String> {
    let mut csv = String::from("city_id,city_name,province,region\n");
    for (n, (city, province, region, _)) in CITIES.iter().enumerate() {
        writeln!(csv, "{},{city},{province},{region}", n + 1)?;
    }
    Ok(csv)
}

fn stores(world: &World) -> Result<String> {
    let mut csv = String::from("store_id,store_name,city_id,format,opened_on\n");
    for store in &world.stores {
        let (city, format) = (CITIES[store.city as usize - 1].0, FORMATS[store.format]);
        writeln!(csv, "{0},{city}{0}号店,{1},{format},{2}", store.id, store.city, date(store.opened)?)?;
    }
    Ok(csv)
}

fn customers(world: &World) -> Result<String> {
    let mut csv = String::from("customer_id,phone,city_id,level,registered_on\n");
    for customer in &world.customers {
        let city = customer.city.map(|city| city.to_string()).unwrap_or_default();
        let (level, registered) = (LEVELS[customer.level].0, date(customer.registered)?);
        writeln!(csv, "{0},199-{0:08},{city},{level},{registered}", customer.id)?;
    }
    Ok(csv)
}

fn categories() -> Result<String> {
    let mut csv = String::from("category_id,category_name,department\n");
    for (n, (category, department, _)) in CATEGORIES.iter().enumerate() {
        writeln!(csv, "{},{category},{department}", n + 1)?;
    }
    Ok(csv)
}

/// Two products have no category yet.
fn products() -> Result<String> {
    let mut csv = String::from("product_id,product_name,category_id,list_price\n");
    for product in 1..=(CATEGORIES.len() * PRODUCTS_PER_CATEGORY) {
        let (category, rank) = ((product - 1) / PRODUCTS_PER_CATEGORY, (product - 1) % PRODUCTS_PER_CATEGORY + 1);
        let id = if product % 59 == 0 { String::new() } else { (category + 1).to_string() };
        let price = list_price(product as i32);
        writeln!(csv, "{product},{}{rank}号,{id},{}.{:02}", CATEGORIES[category].0, price / 100, price % 100)?;
    }
    Ok(csv)
}

fn date(day: i32) -> Result<NaiveDate> {
    let epoch = NaiveDate::from_ymd_opt(1970, 1, 1).ok_or("no epoch")?;
    Ok(epoch.checked_add_days(Days::new(day as u64)).ok_or("a day out of range")?)
}

/// The large tables, as Parquet.
fn tables(world: &World) -> Result<[(&'static str, Columns); 6]> {
    Ok([
        ("orders.parquet", orders(&world.orders)?),
        ("order_items.parquet", items(&world.orders)?),
        ("visits.parquet", visits(world)),
        ("returns.parquet", returns(world)?),
        ("tickets.parquet", tickets(world)),
        ("daily_stock.parquet", stock(world)),
    ])
}

fn orders(rows: &[Order]) -> Result<Columns> {
    Ok(vec![
        ("order_id", ints(rows.iter().map(|order| Some(order.id)))),
        ("customer_id", ints(rows.iter().map(|order| order.customer))),
        ("channel", texts_of(rows.iter().map(|order| Some(order.channel)))),
        ("store_id", ints(rows.iter().map(|order| order.store))),
        ("city_id", ints(rows.iter().map(|order| order.city))),
        ("ship_city_id", ints(rows.iter().map(|order| order.ship_city))),
        ("ordered_at", times(rows.iter().map(|order| Some(order.ordered)))),
        ("shipped_at", times(rows.iter().map(|order| order.shipped))),
        ("delivered_at", times(rows.iter().map(|order| order.delivered))),
        ("status", texts_of(rows.iter().map(|order| Some(order.status)))),
        ("is_test", Arc::new(BooleanArray::from_iter(rows.iter().map(|order| Some(order.is_test)))) as ArrayRef),
        ("amount", money(rows.iter().map(|order| order.amount))?),
        ("discount", money(rows.iter().map(|order| order.discount))?),
    ])
}

fn items(orders: &[Order]) -> Result<Columns> {
    let rows: Vec<(i32, usize, &Line)> = orders
        .iter()
        .flat_map(|order| order.lines.iter().enumerate().map(|(n, line)| (order.id, n + 1, line)))
        .collect();
    Ok(vec![
        ("order_id", ints(rows.iter().map(|row| Some(row.0)))),
        ("line_no", ints(rows.iter().map(|row| Some(row.1 as i32)))),
        ("product_id", ints(rows.iter().map(|row| Some(row.2.product)))),
        ("quantity", ints(rows.iter().map(|row| Some(row.2.quantity)))),
        ("price", money(rows.iter().map(|row| row.2.price))?),
    ])
}

fn visits(world: &World) -> Columns {
    let rows = &world.visits;
    vec![
        ("visit_id", ints((1..=rows.len() as i32).map(Some))),
        ("visitor_id", ints(rows.iter().map(|visit| Some(visit.visitor)))),
        ("visited_at", times(rows.iter().map(|visit| Some(visit.at)))),
        ("channel", texts_of(rows.iter().map(|visit| Some(visit.channel)))),
        ("platform", texts_of(rows.iter().map(|visit| visit.platform))),
        ("store_id", ints(rows.iter().map(|visit| visit.store))),
        ("city_id", ints(rows.iter().map(|visit| visit.city))),
        ("reached", texts_of(rows.iter().map(|visit| Some(visit.reached)))),
    ]
}

fn returns(world: &World) -> Result<Columns> {
    let rows = &world.returns;
    Ok(vec![
        ("return_id", ints((1..=rows.len() as i32).map(Some))),
        ("order_id", ints(rows.iter().map(|row| Some(row.order)))),
        ("line_no", ints(rows.iter().map(|row| Some(row.line)))),
        ("quantity", ints(rows.iter().map(|row| Some(row.quantity)))),
        ("amount", money(rows.iter().map(|row| row.amount))?),
        ("reason", texts_of(rows.iter().map(|row| Some(row.reason)))),
        ("returned_at", times(rows.iter().map(|row| Some(row.at)))),
    ])
}

/// The service desk's system writes UTC; the others write the wall-clock time of Shanghai.
fn tickets(world: &World) -> Columns {
    const SHANGHAI_SECONDS: i64 = 8 * 3600;
    let rows = &world.tickets;
    let opened = rows.iter().map(|ticket| Some((ticket.opened - SHANGHAI_SECONDS) * 1000));
    vec![
        ("ticket_id", ints((1..=rows.len() as i32).map(Some))),
        ("customer_id", ints(rows.iter().map(|ticket| ticket.customer))),
        ("city_id", ints(rows.iter().map(|ticket| ticket.city))),
        ("channel", texts_of(rows.iter().map(|ticket| Some(ticket.channel)))),
        ("topic", texts_of(rows.iter().map(|ticket| Some(ticket.topic)))),
        ("opened_at", Arc::new(TimestampMillisecondArray::from_iter(opened).with_timezone("UTC")) as ArrayRef),
        ("wait_seconds", ints(rows.iter().map(|ticket| Some(ticket.wait)))),
        ("score", ints(rows.iter().map(|ticket| ticket.score))),
    ]
}

fn stock(world: &World) -> Columns {
    let rows = &world.stock;
    let days = Date32Array::from_iter_values(rows.iter().map(|row| row.day));
    vec![
        ("product_id", ints(rows.iter().map(|row| Some(row.product)))),
        ("day", Arc::new(days) as ArrayRef),
        ("quantity", ints(rows.iter().map(|row| Some(row.quantity)))),
    ]
}

fn ints(values: impl Iterator<Item = Option<i32>>) -> ArrayRef {
    Arc::new(Int32Array::from_iter(values))
}

fn texts_of(values: impl Iterator<Item = Option<&'static str>>) -> ArrayRef {
    Arc::new(StringArray::from_iter(values))
}

fn times(seconds: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(TimestampMillisecondArray::from_iter(seconds.map(|second| second.map(|s| s * 1000))))
}

fn money(fen: impl Iterator<Item = i32>) -> Result<ArrayRef> {
    let values = Decimal128Array::from_iter_values(fen.map(i128::from));
    Ok(Arc::new(values.with_precision_and_scale(9, 2)?))
}

/// Times and running numbers are stored as differences, everything else by dictionary, all of it compressed hard:
/// the files are committed.
fn write_parquet(path: &Path, columns: Columns) -> Result {
    const BY_DIFFERENCE: [&str; 8] =
        ["order_id", "visit_id", "return_id", "ticket_id", "ordered_at", "visited_at", "returned_at", "opened_at"];
    let mut properties = WriterProperties::builder()
        .set_writer_version(WriterVersion::PARQUET_2_0)
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(19)?));
    for column in BY_DIFFERENCE {
        properties = properties
            .set_column_dictionary_enabled(ColumnPath::from(column), false)
            .set_column_encoding(ColumnPath::from(column), Encoding::DELTA_BINARY_PACKED);
    }
    let batch = RecordBatch::try_from_iter(columns)?;
    let mut writer = ArrowWriter::try_new(fs::File::create(path)?, batch.schema(), Some(properties.build()))?;
    writer.write(&batch)?;
    writer.close()?;
    Ok(())
}
