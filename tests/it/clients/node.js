// What a Node program asks of a server, over `pg`. It prints what it is told.

const { Client, types } = require('pg');
// As texts, so that nothing depends on where this runs.
for (const time of [1082, 1114, 1184]) types.setTypeParser(time, (text) => text);

async function main(port) {
  const client = new Client({ host: '127.0.0.1', port, user: 'ann', database: 'shop' });
  await client.connect();
  console.log('driver', require('pg/package.json').version);
  const all = await client.query({ text: 'SELECT order_id, channel, day, ordered_at, amount, weight, paid, note FROM orders ORDER BY order_id', rowMode: 'array' });
  console.log('types', all.fields.map((field) => `${field.name}:${field.dataTypeID}`).join(' '));
  for (const row of all.rows) console.log('row', row.map(String).join('|'));
  const asked = await client.query(
    'SELECT count(*) AS n FROM orders WHERE order_id >= $1 AND channel <> $2 AND day >= $3 AND amount > $4 AND paid = $5',
    [1, '线下', '2026-01-01', '0.005', true]);
  console.log('asked', asked.rows[0].n);
  const measure = await client.query({ name: 'gmv', text: 'SELECT MEASURE(gmv) AS gmv FROM indicators WHERE region = $1', values: ['华东'] });
  console.log('measure', measure.rows[0].gmv);
  const wide = await client.query({ text: "SELECT CAST('12345678901234567890123456789012345678' AS DECIMAL(38, 0)) AS a, $1::int AS b", values: [7] });
  console.log('wide', wide.rows[0].a, wide.rows[0].b);
  const bytes = await client.query({ text: "SELECT order_id, paid, weight, note, channel FROM orders ORDER BY order_id", binary: true, rowMode: 'array' });
  for (const row of bytes.rows) console.log('binary', row.map(String).join('|'));
  try {
    await client.query('SELECT regon FROM indicators WHERE region = $1', ['华东']);
  } catch (error) {
    console.log('wrong', error.code, error.position, error.hint);
  }
  await client.query('BEGIN');
  await client.query('DECLARE c CURSOR FOR SELECT value FROM generate_series(1, 10)');
  console.log('cursor', (await client.query('FETCH 3 FROM c')).rows.map((row) => row.value).join(' '));
  await client.query('CLOSE c');
  await client.query('COMMIT');
  await client.end();
}

main(process.argv[2]).catch((error) => { console.error(error); process.exit(1); });
