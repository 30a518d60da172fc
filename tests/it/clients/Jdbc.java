// What a Java program asks of a server, over the JDBC driver of PostgreSQL. It prints what it is told.

import java.math.BigDecimal;
import java.sql.*;
import java.time.LocalDateTime;
import java.util.Properties;

public class Jdbc {
    static String rows(ResultSet rows) throws SQLException {
        StringBuilder told = new StringBuilder();
        int columns = rows.getMetaData().getColumnCount();
        while (rows.next()) {
            if (told.length() > 0) told.append(';');
            for (int at = 1; at <= columns; at++) told.append(at > 1 ? "|" : "").append(rows.getString(at));
        }
        return told.toString();
    }

    static String columns(ResultSet rows, String... names) throws SQLException {
        StringBuilder told = new StringBuilder();
        while (rows.next()) {
            if (told.length() > 0) told.append(';');
            for (int at = 0; at < names.length; at++) told.append(at > 0 ? "|" : "").append(rows.getString(names[at]));
        }
        return told.toString();
    }

    static void look(DatabaseMetaData data) throws SQLException {
        System.out.println("schemas " + columns(data.getSchemas(null, "shop"), "TABLE_SCHEM"));
        String[] kinds = {"TABLE", "VIEW"};
        System.out.println("tables " + columns(data.getTables(null, "shop", "o%", kinds), "TABLE_NAME", "TABLE_TYPE", "REMARKS"));
        System.out.println("columns " + columns(data.getColumns(null, "shop", "orders", "%"),
            "COLUMN_NAME", "TYPE_NAME", "DATA_TYPE", "COLUMN_SIZE", "DECIMAL_DIGITS"));
        System.out.println("columns " + columns(data.getColumns(null, "shop", "indicators", "aov"), "COLUMN_NAME", "TYPE_NAME", "REMARKS"));
        System.out.println("key " + columns(data.getPrimaryKeys(null, "shop", "lines"), "COLUMN_NAME", "KEY_SEQ", "PK_NAME"));
        System.out.println("points " + columns(data.getImportedKeys(null, "shop", "orders"),
            "PKTABLE_NAME", "PKCOLUMN_NAME", "FKCOLUMN_NAME", "KEY_SEQ"));
        System.out.println("indexes " + columns(data.getIndexInfo(null, "shop", "orders", true, true), "COLUMN_NAME", "NON_UNIQUE"));
        System.out.println("types " + (columns(data.getTypeInfo(), "TYPE_NAME").contains("numeric")));
        System.out.println("catalogs " + columns(data.getCatalogs(), "TABLE_CAT"));
    }

    static void ask(Connection connection) throws SQLException {
        String sql = "SELECT order_id, channel, ordered_at, amount, weight, paid, note FROM orders"
            + " WHERE order_id >= ? AND channel <> ? AND day >= ? AND amount > ? AND ordered_at < ? ORDER BY order_id";
        PreparedStatement asked = connection.prepareStatement(sql);
        // After five times the driver lets the server prepare, and reads binary.
        for (int time = 0; time < 7; time++) {
            asked.setInt(1, 1);
            asked.setString(2, "线下");
            asked.setDate(3, Date.valueOf("2026-01-01"));
            asked.setBigDecimal(4, new BigDecimal("0.005"));
            asked.setTimestamp(5, Timestamp.valueOf(LocalDateTime.of(2026, 3, 1, 0, 0)));
            ResultSet rows = asked.executeQuery();
            StringBuilder told = new StringBuilder();
            while (rows.next()) {
                told.append(rows.getInt(1)).append(' ').append(rows.getString(2)).append(' ')
                    .append(rows.getTimestamp(3).toLocalDateTime()).append(' ').append(rows.getBigDecimal(4)).append(' ')
                    .append(rows.getDouble(5)).append(' ').append(rows.getObject(6)).append(' ').append(rows.getObject(7)).append("; ");
            }
            if (time == 0 || time == 6) System.out.println("asked " + told);
        }
        PreparedStatement measure = connection.prepareStatement("SELECT region, MEASURE(gmv), MEASURE(aov) FROM indicators WHERE region = ? GROUP BY region");
        measure.setString(1, "华东");
        System.out.println("measure " + rows(measure.executeQuery()));
        ResultSet wide = connection.createStatement().executeQuery(
            "SELECT CAST('12345678901234567890123456789012345678' AS DECIMAL(38, 0)) AS a, CAST('-0.00000000000000000000000000000000000001' AS DECIMAL(38, 38)) AS b");
        wide.next();
        System.out.println("wide " + wide.getBigDecimal(1) + " " + wide.getBigDecimal(2).toPlainString());
    }

    static void pieces(Connection connection) throws SQLException {
        connection.setAutoCommit(false);
        Statement statement = connection.createStatement();
        statement.setFetchSize(100);
        ResultSet rows = statement.executeQuery("SELECT value FROM generate_series(1, 1050)");
        long count = 0, sum = 0;
        while (rows.next()) {
            count++;
            sum += rows.getLong(1);
        }
        System.out.println("pieces " + count + " " + sum);
        connection.commit();
        connection.setAutoCommit(true);
    }

    static void wrong(Connection connection) throws SQLException {
        try {
            connection.createStatement().executeQuery("SELECT regon FROM indicators");
        } catch (SQLException error) {
            System.out.println("wrong " + error.getSQLState() + " " + error.getMessage().replace('\n', ' '));
        }
        connection.setReadOnly(true);
        connection.setNetworkTimeout(Runnable::run, 10000);
        System.out.println("still " + connection.isValid(5));
    }

    public static void main(String[] arguments) throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("user", "ann");
        properties.setProperty("ApplicationName", "a test");
        if (arguments.length > 1) properties.setProperty("preferQueryMode", arguments[1]);
        String url = "jdbc:postgresql://127.0.0.1:" + arguments[0] + "/shop";
        try (Connection connection = DriverManager.getConnection(url, properties)) {
            System.out.println("driver " + connection.getMetaData().getDriverVersion());
            look(connection.getMetaData());
            ask(connection);
            pieces(connection);
            wrong(connection);
        }
    }
}
