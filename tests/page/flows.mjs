// What people do with the page, in Chromium: node flows.mjs NODE_MODULES_FOLDER CHROMIUM RETAIL FULFILMENT SCREENSHOTS
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';

const [, , modules, executablePath, retail, fulfilment, shots] = process.argv;
const { chromium } = createRequire(`${modules}/`)('playwright-core');
const quiet = ['--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', ...quiet] });

// A tab in which nothing may go wrong: no error, no violation of the policy, no request to others.
async function tab({ locale = 'en-GB', width = 1000, colorScheme = 'light' } = {}) {
  const context = await browser.newContext({ locale, colorScheme, viewport: { width, height: 800 } });
  const page = await context.newPage();
  const wrong = [];
  page.on('console', message => ['error', 'warning'].includes(message.type()) && wrong.push(message.text()));
  page.on('pageerror', error => wrong.push(String(error)));
  page.on('request', request => {
    const own = [retail, fulfilment].some(base => request.url().startsWith(base));
    own || request.url().startsWith('data:') || wrong.push(`a request to ${request.url()}`);
  });
  return { page, end: async () => { assert.deepEqual(wrong, []); await context.close(); } };
}

const shot = (page, name) => page.screenshot({ path: `${shots}/${name}.png`, fullPage: true });
const heading = page => page.locator('h1').innerText();

// The rows of the values' table are those of the SQL that is shown, asked by a program.
async function tableIsTheSql(page, base) {
  const statement = await page.locator('details pre code').first().textContent();
  const answer = await page.request.get(`${base}/v1/sql`, { params: { q: statement } });
  const rows = (await answer.json()).map(row => Object.values(row));
  const table = await page.locator('details .wide tbody tr').evaluateAll(
    all => all.map(row => [...row.querySelectorAll('td')].map(cell => cell.textContent)));
  assert.ok(rows.length > 0, 'the SQL has rows');
  assert.equal(table.length, rows.length);
  const same = (shown, value) => shown === String(value ?? 'NULL') || (value !== null && Number(shown) === Number(value));
  table.forEach((row, at) => row.forEach((shown, column) =>
    assert.ok(same(shown, rows[at][column]), `row ${at}: ${shown} is not ${rows[at][column]}`)));
}

const flows = {
  async 'red is first, with its owner'() {
    const { page, end } = await tab();
    await page.goto(`${fulfilment}/`);
    const lights = await page.locator('.standing .light').evaluateAll(all => all.map(light => light.classList[1]));
    const order = ['red', 'amber', 'green', 'grey'];
    assert.equal(lights[0], 'red');
    assert.deepEqual(lights, [...lights].sort((a, b) => order.indexOf(a) - order.indexOf(b)));
    assert.match(await page.locator('.standing li').first().innerText(), /Late orders[\s\S]*logistics@example\.com/);
    assert.match(await page.locator('main').innerText(), /newest row/);
    await shot(page, 'home');
    await end();
  },

  async 'search in Chinese and in English'() {
    for (const [locale, word, label] of [['zh-CN', '延误', '订单延误率'], ['en-GB', 'late', 'Late orders']]) {
      const { page, end } = await tab({ locale });
      await page.goto(`${fulfilment}/`);
      await page.getByRole('searchbox').fill(word);
      await page.getByRole('searchbox').press('Enter');
      await shot(page, `search-${locale}`);
      await page.getByRole('link', { name: label, exact: true }).click();
      assert.match(await heading(page), new RegExp(label));
      assert.match(await page.title(), new RegExp(label));
      await shot(page, `found-${locale}`);
      await end();
    }
  },

  async 'grain and slice change the address, the chart and the table'() {
    const { page, end } = await tab();
    await page.goto(`${retail}/i/gmv`);
    const chart = () => page.locator('.chart .broad svg').first().innerHTML();
    const months = await chart();
    await tableIsTheSql(page, retail);
    await page.getByLabel('Grain').selectOption('quarter');
    await page.getByLabel('Slices by').selectOption('region');
    await page.getByRole('button', { name: 'Show' }).click();
    assert.match(page.url(), /grain=quarter&by=region/);
    const quarters = await chart();
    assert.notEqual(quarters, months);
    await tableIsTheSql(page, retail);
    await page.locator('.slices').getByRole('link', { name: '华东' }).click();
    assert.match(page.url(), /only=region%3A/);
    assert.notEqual(await chart(), quarters);
    assert.match(await page.locator('.now').innerText(), /Region = 华东/);
    await tableIsTheSql(page, retail);
    await shot(page, 'slice');
    await page.getByRole('link', { name: 'show all' }).click();
    assert.doesNotMatch(page.url(), /only=/);
    await end();
  },

  async 'why, and which slices are guilty'() {
    const { page, end } = await tab();
    await page.goto(`${fulfilment}/i/late_rate`);
    await page.getByRole('link', { name: 'Why did it change?' }).click();
    await page.getByLabel('Period').fill('2026-04');
    await page.getByLabel('compared with').fill('2026-03');
    await page.getByRole('button', { name: 'Find the guilty slices' }).click();
    const chart = await page.locator('.chart .broad svg').first().textContent();
    assert.match(chart, /before: 2026-03[\s\S]*Orders late[\s\S]*after: 2026-04/);
    const first = page.locator('.guilty li').first();
    assert.match(await first.innerText(), /武汉[\s\S]*速达/);
    await shot(page, 'why');
    await first.getByRole('link').click();
    assert.match(await page.locator('.now').innerText(), /武汉[\s\S]*速达/);
    await tableIsTheSql(page, fulfilment);
    await page.getByRole('link', { name: 'Why did it change?' }).click();
    assert.match(await page.locator('.pickers').innerText(), /武汉[\s\S]*速达/);
    await end();
  },

  async 'tree, scorecard and scenario'() {
    const { page, end } = await tab();
    await page.goto(`${retail}/i/gmv`);
    await page.getByRole('link', { name: 'Tree', exact: true }).click();
    assert.match(await page.locator('table').innerText(), /Gross merchandise value[\s\S]*off track[\s\S]*Conversion/);
    await shot(page, 'tree');
    await page.getByRole('link', { name: 'Bellwether' }).click();
    await page.getByRole('link', { name: 'Scorecard Balanced scorecard' }).click();
    assert.match(await page.locator('table').innerText(), /Satisfaction[\s\S]*at risk/);
    await shot(page, 'scorecard');
    await page.goto(`${fulfilment}/scenarios`);
    await page.getByRole('link', { name: 'On time' }).click();
    assert.match(await page.locator('.bottleneck').innerText(), /运输[\s\S]*bottleneck/);
    assert.equal(await page.locator('.bottleneck').count(), 1);
    await shot(page, 'scenario');
    await end();
  },

  async 'a wrong column is told with the right one'() {
    const { page, end } = await tab();
    await page.goto(`${retail}/sql`);
    await page.getByLabel('SQL').fill('SELECT regon, MEASURE(gmv) AS gmv FROM retail.indicators GROUP BY 1');
    await page.getByRole('button', { name: 'Ask' }).click();
    assert.match(await page.getByRole('alert').innerText(), /did you mean `region`[\s\S]*B0103/);
    await shot(page, 'sql-refused');
    await page.getByLabel('SQL').fill("SELECT region, MEASURE(gmv) AS gmv FROM retail.indicators WHERE region = '华东' GROUP BY 1");
    await page.getByRole('button', { name: 'Ask' }).click();
    const answer = await page.request.get(`${retail}/v1/sql`, { params: { q: await page.getByLabel('SQL').inputValue() } });
    assert.equal(Number(await page.locator('td.number').innerText()), Number((await answer.json())[0].gmv));
    await shot(page, 'sql');
    await end();
  },

  async 'by keyboard only'() {
    const { page, end } = await tab();
    await page.goto(`${fulfilment}/`);
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
    assert.ok((await page.locator('.skip').boundingBox()).x >= 0, 'the skip link is seen once it has the focus');
    const focused = () => page.evaluate(() => document.activeElement.name ?? '');
    for (let tabs = 0; (await focused()) !== 'q'; tabs += 1) {
      assert.ok(tabs < 10, 'the search is near the top');
      await page.keyboard.press('Tab');
    }
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    assert.equal(outline, 'solid', 'the focus is seen');
    await page.keyboard.type('late');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.waitForURL(/q=late/);
    await page.getByRole('link', { name: 'Late orders', exact: true }).focus();
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/i\//);
    await page.getByLabel('Slices by').focus();
    await page.keyboard.type('Warehouse');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.waitForURL(/by=warehouse/);
    await end();
  },

  async 'on a phone, in light and dark, in both languages'() {
    const places = [
      [retail, '/'], [retail, '/i/gmv?by=region'], [retail, '/i/discount_rate'], [retail, '/why/gmv?by=region&find=true'],
      [retail, '/tree/gmv'], [retail, '/scorecard/company'], [retail, '/scenario/growth'], [retail, '/sql?q=SELECT+*+FROM+bell.freshness'],
      [fulfilment, '/'], [fulfilment, '/why/late_rate?base=2026-03&current=2026-04&find=true'], [fulfilment, '/scenario/on_time'],
    ];
    for (const [locale, colorScheme] of [['zh-CN', 'dark'], ['en-GB', 'light']]) {
      const { page, end } = await tab({ locale, colorScheme, width: 380 });
      for (const [at, [base, place]] of places.entries()) {
        await page.goto(base + place);
        const width = await page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(width <= 380, `${place} is ${width} wide`);
        assert.equal(await page.locator('h1').count(), 1, `${place} has one heading`);
        for (const text of await page.locator('.chart text:visible').all()) {
          const size = await text.evaluate(text => parseFloat(text.getAttribute('font-size')) * text.getScreenCTM().a);
          assert.ok(size >= 11, `${place}: letters of ${size} px`);
        }
        await shot(page, `phone-${locale}-${at}`);
      }
      await end();
    }
  },
};

let failed = 0;
for (const [name, flow] of Object.entries(flows)) {
  try {
    await flow();
    console.log(`ok      ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}: ${error.stack}`);
  }
}
await browser.close();
process.exit(failed ? 1 : 0);
