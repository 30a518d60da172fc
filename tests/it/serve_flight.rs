//! `bell serve` over Arrow Flight SQL, by a client of others: ADBC's.

use std::path::PathBuf;
use std::process::Command;

use super::runs::write;
use super::serve::{Server, project, verifier};
use super::stores::servers::{installed, run};

/// Asks in every way that the client has, and says what came back.
const CLIENT: &str = r#"
import sys, warnings
warnings.simplefilter("ignore")
import adbc_driver_flightsql.dbapi as flight
from adbc_driver_flightsql import DatabaseOptions
port = sys.argv[1]
def connect(**options):
    return flight.connect(f"grpc://127.0.0.1:{port}", db_kwargs=options)
def ask(connection, sql, parameters=None):
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetch_arrow_table()
def fails(do):
    try:
        do()
    except Exception as error:
        return str(error)
    raise SystemExit("this should have failed")
ALL = "SELECT MEASURE(sales) AS sales FROM shop.indicators"
bob = connect(username="bob", password="secret")
print(ask(bob, "SELECT region, MEASURE(sales) AS sales FROM shop.indicators GROUP BY 1 ORDER BY 1").to_pylist())
print(ask(bob, "SELECT count(*) AS n FROM shop.o WHERE x > $1 AND region = $2", (1.495, "华东")).to_pylist())
print(ask(bob, "SELECT value FROM generate_series(1, 300000)").num_rows)
print([table["table_name"] for schema in bob.adbc_get_objects(depth="tables", db_schema_filter="shop").read_all().to_pylist()[0]["catalog_db_schemas"] for table in schema["db_schema_tables"]])
print(bob.adbc_get_table_schema("indicators", db_schema_filter="shop").names[:2])
print(bob.adbc_get_info()["vendor_name"])
ann = connect(username="ann", password="geheim")
print(ask(ann, ALL).to_pylist())
print(fails(lambda: ask(bob, "SELECT regon FROM shop.o")))
print(fails(lambda: ask(bob, "SELECT 1 / (value - 290000) FROM generate_series(1, 300000)")))
print(fails(lambda: ask(bob, "DROP TABLE shop.o")))
print(fails(lambda: ask(connect(username="ann", password="Geheim"), ALL)))
print(fails(lambda: ask(connect(), ALL)))
"#;

/// The environment with ADBC's driver; none is said to be skipped.
pub fn adbc() -> Option<PathBuf> {
    let client = installed("adbc", |folder| {
        run(Command::new("python3").args(["-m", "venv"]).arg(folder))?;
        run(Command::new(folder.join("bin/pip")).args(["install", "-q", "adbc-driver-flightsql==1.13.0", "pyarrow"]))
    });
    client.inspect_err(|reason| println!("skipped: there is no ADBC here, because {reason}")).ok()
}

#[test]
fn adbc_is_answered() {
    let Some(client) = adbc() else { return };
    let folder = project();
    let model = std::fs::read_to_string(folder.path().join("model.bell")).unwrap();
    write(folder.path(), "model.bell", &(model + "policy east on o to role east where region = '华东'\n"));
    write(folder.path(), "users", &format!("ann {} east\nbob {} *\n", verifier("geheim"), verifier("secret")));
    let server = Server::start(folder.path(), &["--users", folder.path().join("users").to_str().unwrap()]);
    let port = server.flight.to_string();
    let output = Command::new(client.join("bin/python")).args(["-c", CLIENT, &port]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    let lines: Vec<&str> = said.lines().collect();
    let wanted = [
        "[{'region': '华东', 'sales': Decimal('4.50')}, {'region': '华南', 'sales': Decimal('2.00')}]",
        "[{'n': 2}]",
        "300000",
        "'indicators'",
        "['region', ",
        "Bellwether",
        "[{'sales': Decimal('4.50')}]",
        "did you mean `region`?",
        "Divide by zero",
        "only answers questions",
        "wrong name, password or token",
        "say who you are",
    ];
    assert_eq!(lines.len(), wanted.len(), "{said}");
    for (line, wanted) in lines.iter().zip(wanted) {
        assert!(line.contains(wanted), "{line}: {wanted}");
    }
}
