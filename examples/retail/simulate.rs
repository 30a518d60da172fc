//! Two years of an omni-channel retailer, invented: the same rows on every run and machine.
//!
//! What is hidden in the rows, for questions to find:
//! - from 2025-09-10 to 2025-10-31 the app's payment step fails in 华南, so online conversion falls there;
//! - o2o (ordered online, brought by a store) grows from almost nothing to a fifth of the visits;
//! - waiting times double in November, and satisfaction falls with them;
//! - orders without a customer (cash), without a store (online), of unknown cities and customers, and test orders.

use crate::dice::Dice;

/// The first day, 2024-01-01, counted from 1970-01-01.
pub const FIRST_DAY: i32 = 19_723;
/// Days simulated: all of 2024 and 2025.
pub const DAYS: i32 = 731;
const DAY_SECONDS: i64 = 86_400;
const END: i64 = (FIRST_DAY + DAYS) as i64 * DAY_SECONDS;

/// Name, province, region, share of customers.
pub const CITIES: [(&str, &str, &str, u32); 17] = [
    ("上海", "上海", "华东", 12),
    ("杭州", "浙江", "华东", 8),
    ("南京", "江苏", "华东", 7),
    ("苏州", "江苏", "华东", 6),
    ("北京", "北京", "华北", 11),
    ("天津", "天津", "华北", 4),
    ("石家庄", "河北", "华北", 3),
    ("广州", "广东", "华南", 9),
    ("深圳", "广东", "华南", 10),
    ("南宁", "广西", "华南", 3),
    ("海口", "海南", "华南", 2),
    ("武汉", "湖北", "华中", 6),
    ("长沙", "湖南", "华中", 5),
    ("郑州", "河南", "华中", 4),
    ("成都", "四川", "西南", 7),
    ("重庆", "重庆", "西南", 5),
    ("昆明", "云南", "西南", 3),
];
/// Name, department, price of its cheapest product in fen.
pub const CATEGORIES: [(&str, &str, i32); 12] = [
    ("零食", "食品", 900),
    ("饮料", "食品", 500),
    ("生鲜", "食品", 1900),
    ("家纺", "家居", 6900),
    ("厨具", "家居", 4900),
    ("女装", "服饰", 9900),
    ("男装", "服饰", 8900),
    ("鞋靴", "服饰", 12900),
    ("手机配件", "数码", 2900),
    ("小家电", "数码", 15900),
    ("护肤", "美妆", 7900),
    ("彩妆", "美妆", 5900),
];
/// Products in each category.
pub const PRODUCTS_PER_CATEGORY: usize = 10;
/// Store formats, the largest first.
pub const FORMATS: [&str; 3] = ["旗舰店", "标准店", "社区店"];
/// Customer levels with their shares.
pub const LEVELS: [(&str, u32); 4] = [("普通", 60), ("银卡", 25), ("金卡", 11), ("钻石", 4)];

const CUSTOMERS: i32 = 8_000;
const FIRST_CUSTOMER: i32 = 10_001;
const FIRST_ANONYMOUS: i32 = 5_000_001;
const UNKNOWN_CITY: i32 = 99;
const MONTHS: [u32; 12] = [112, 80, 90, 94, 100, 118, 94, 95, 104, 108, 140, 118];
const WEEKDAYS: [u32; 7] = [92, 90, 93, 96, 104, 116, 110];
const HOURS: [u32; 24] = [3, 2, 1, 1, 1, 2, 4, 7, 10, 14, 17, 18, 19, 16, 15, 15, 16, 18, 21, 25, 28, 26, 18, 9];

/// A member; `city` is unknown for a few.
pub struct Customer {
    pub id: i32,
    pub city: Option<i32>,
    pub level: usize,
    pub registered: i32,
}

/// A shop in a city (both counted from 1).
pub struct Store {
    pub id: i32,
    pub city: i32,
    pub format: usize,
    pub opened: i32,
}

/// Somebody came: to the site, to the app, through a shop's door.
pub struct Visit {
    pub at: i64,
    pub visitor: i32,
    pub channel: &'static str,
    pub platform: Option<&'static str>,
    pub store: Option<i32>,
    pub city: Option<i32>,
    /// The last step: `view`, `cart`, `checkout`, `pay`.
    pub reached: &'static str,
}

/// An order; amounts in fen, times in seconds of wall-clock time.
pub struct Order {
    pub id: i32,
    pub customer: Option<i32>,
    pub channel: &'static str,
    pub store: Option<i32>,
    pub city: Option<i32>,
    pub ship_city: Option<i32>,
    pub ordered: i64,
    pub shipped: Option<i64>,
    pub delivered: Option<i64>,
    pub status: &'static str,
    pub is_test: bool,
    pub amount: i32,
    pub discount: i32,
    pub lines: Vec<Line>,
}

/// A line of an order; the price in fen.
pub struct Line {
    pub product: i32,
    pub quantity: i32,
    pub price: i32,
}

/// Goods that came back.
pub struct Return {
    pub order: i32,
    pub line: i32,
    pub quantity: i32,
    pub amount: i32,
    pub reason: &'static str,
    pub at: i64,
}

/// A call for help; the score is NULL when nobody answered the survey.
pub struct Ticket {
    pub customer: Option<i32>,
    pub city: Option<i32>,
    pub channel: &'static str,
    pub topic: &'static str,
    pub opened: i64,
    pub wait: i32,
    pub score: Option<i32>,
}

/// What was in the warehouse at the end of a day.
pub struct Stock {
    pub product: i32,
    pub day: i32,
    pub quantity: i32,
}

/// Everything that is written out.
pub struct World {
    pub customers: Vec<Customer>,
    pub stores: Vec<Store>,
    pub visits: Vec<Visit>,
    pub orders: Vec<Order>,
    pub returns: Vec<Return>,
    pub tickets: Vec<Ticket>,
    pub stock: Vec<Stock>,
    anonymous: i32,
}

/// Simulates the two years.
pub fn simulate() -> World {
    let mut dice = Dice(2024);
    let customers = (0..CUSTOMERS).map(|n| customer(n, &mut dice)).collect();
    let stores = stores(&mut dice);
    let (visits, orders, returns) = (vec![], vec![], vec![]);
    let mut world = World {
        customers,
        stores,
        visits,
        orders,
        returns,
        tickets: vec![],
        stock: vec![],
        anonymous: FIRST_ANONYMOUS,
    };
    for day in 0..DAYS {
        world.visit_all_day(day, &mut dice);
    }
    world.number_orders();
    world.send_back(&mut dice);
    world.call_service(&mut dice);
    world.count_stock(&mut dice);
    world
}

/// The list price of a product (counted from 1) in fen.
pub fn list_price(product: i32) -> i32 {
    let (category, rank) = ((product - 1) / PRODUCTS_PER_CATEGORY as i32, (product - 1) % PRODUCTS_PER_CATEGORY as i32);
    CATEGORIES[category as usize].2 * (10 + rank * rank / 2) / 10 / 10 * 10 + 90
}

fn city_of(dice: &mut Dice) -> i32 {
    dice.weighted(CITIES.iter().map(|city| city.3)) as i32 + 1
}

fn customer(n: i32, dice: &mut Dice) -> Customer {
    let old = CUSTOMERS / 2;
    let registered = if n < old { -730 + n * 730 / old } else { (n - old) * DAYS / (CUSTOMERS - old) };
    let city = (!dice.per_mille(8)).then(|| city_of(dice));
    let level = dice.weighted(LEVELS.iter().map(|level| level.1));
    Customer { id: FIRST_CUSTOMER + n, city, level, registered: FIRST_DAY + registered }
}

fn stores(dice: &mut Dice) -> Vec<Store> {
    let in_city = |city: usize| (CITIES[city].3 / 4 + 1) as usize;
    let places = (0..CITIES.len()).flat_map(|city| (0..in_city(city)).map(move |nth| (city, nth)));
    places
        .enumerate()
        .map(|(n, (city, nth))| {
            let opened = FIRST_DAY - 2000 + dice.below(1800);
            Store { id: n as i32 + 1, city: city as i32 + 1, format: nth.min(FORMATS.len() - 1), opened }
        })
        .collect()
}

/// The month, from 0, of a day counted from 2024-01-01.
fn month(day: i32) -> usize {
    const LENGTHS: [i32; 12] = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut left = if day >= 366 { day - 366 } else { day };
    let leap = i32::from(day < 366);
    for (month, length) in LENGTHS.into_iter().enumerate() {
        let length = if month == 1 { length + leap } else { length };
        if left < length {
            return month;
        }
        left -= length;
    }
    11
}

/// The campaigns: 618, double 11, double 12; in percent of an ordinary day.
fn campaign(day: i32) -> u32 {
    let of_year = if day >= 366 { day - 366 + i32::from(day - 366 >= 59) } else { day };
    match of_year {
        167..=169 => 180,
        305..=307 => 150,
        314..=315 => 280,
        346 => 170,
        _ => 100,
    }
}

/// 2025-09-10 to 2025-10-31, in days from 2024-01-01.
fn payment_is_broken(day: i32) -> bool {
    (618..=669).contains(&day)
}

impl World {
    fn visit_all_day(&mut self, day: i32, dice: &mut Dice) {
        let growth = 100 + 15 * day as u32 / 365;
        let busy = MONTHS[month(day)] * WEEKDAYS[day as usize % 7] / 100 * campaign(day) / 100 * growth / 100;
        let mut moments: Vec<i64> = (0..busy * 24 / 10).map(|_| moment(day, dice)).collect();
        moments.sort_unstable();
        for at in moments {
            self.visit(day, at, dice);
        }
    }

    fn visit(&mut self, day: i32, at: i64, dice: &mut Dice) {
        let o2o = 2 + 18 * day as u32 / DAYS as u32;
        let channel = ["online", "store", "o2o"][dice.weighted([78 - o2o, 22, o2o].into_iter())];
        let member = dice.percent(match channel {
            "online" => 46,
            "store" => 45,
            _ => 85,
        });
        let (customer, home) = if member { self.some_customer(day, dice) } else { (None, None) };
        let city = if dice.percent(6) { None } else { home }.unwrap_or_else(|| city_of(dice));
        let platform = (channel != "store").then(|| ["app", "web", "mini"][dice.weighted([55, 25, 20].into_iter())]);
        let store = (channel != "online").then(|| self.some_store(city, dice));
        let broken = payment_is_broken(day) && CITIES[city as usize - 1].2 == "华南" && platform == Some("app");
        let reached = reached(channel, member, broken, dice);
        let visitor = customer.unwrap_or_else(|| self.stranger(dice));
        let known = channel != "online" || !dice.per_mille(12);
        self.visits.push(Visit { at, visitor, channel, platform, store, city: known.then_some(city), reached });
        if reached == "pay" {
            let order = order(at, channel, (customer, store, city), campaign(day) > 100, dice);
            self.orders.push(order);
        }
    }

    /// A member who had registered by then; some come far more often than others.
    fn some_customer(&self, day: i32, dice: &mut Dice) -> (Option<i32>, Option<i32>) {
        let registered = self.customers.partition_point(|customer| customer.registered <= FIRST_DAY + day) as i32;
        let picked = dice.below(registered).min(dice.below(registered + registered / 4));
        let customer = &self.customers[(i64::from(picked) * 7919 % i64::from(registered)) as usize];
        (Some(customer.id), customer.city)
    }

    fn some_store(&self, city: i32, dice: &mut Dice) -> i32 {
        let first = self.stores.partition_point(|store| store.city < city) as i32;
        let after = self.stores.partition_point(|store| store.city <= city) as i32;
        first + dice.below(after - first) + 1
    }

    /// A stranger is new, or came lately.
    fn stranger(&mut self, dice: &mut Dice) -> i32 {
        if self.anonymous > FIRST_ANONYMOUS + 300 && dice.percent(35) {
            return self.anonymous - 1 - dice.below(300);
        }
        self.anonymous += 1;
        self.anonymous - 1
    }

    fn number_orders(&mut self) {
        self.orders.sort_by_key(|order| order.ordered);
        for (n, order) in self.orders.iter_mut().enumerate() {
            order.id = 100_001 + n as i32;
        }
    }

    fn send_back(&mut self, dice: &mut Dice) {
        let arrived = self.orders.iter().filter_map(|order| order.delivered.map(|at| (order, at)));
        for (order, at) in arrived {
            for (n, line) in order.lines.iter().enumerate() {
                let clothes = (51..=80).contains(&line.product);
                if dice.per_mille(if clothes { 95 } else { 22 }) {
                    self.returns.push(returned(order.id, n as i32 + 1, line, at, dice));
                }
            }
        }
        self.returns.retain(|returned| returned.at < END);
        self.returns.sort_by_key(|returned| returned.at);
        for orphan in self.returns.iter_mut().step_by(400) {
            orphan.line = 9;
        }
    }

    fn call_service(&mut self, dice: &mut Dice) {
        for order in &self.orders {
            let day = (order.ordered / DAY_SECONDS) as i32 - FIRST_DAY;
            let south = order.city.is_some_and(|city| (8..=11).contains(&city));
            let troubled = payment_is_broken(day) && south && order.channel != "store";
            if dice.percent(if troubled { 30 } else { 10 }) {
                self.tickets.push(ticket(order, day, troubled, dice));
            }
        }
        self.tickets.retain(|ticket| ticket.opened < END);
        self.tickets.sort_by_key(|ticket| ticket.opened);
    }

    /// Twelve products, the dearest of each category, counted every evening and refilled when nearly out.
    fn count_stock(&mut self, dice: &mut Dice) {
        for product in (1..=CATEGORIES.len() as i32).map(|category| category * PRODUCTS_PER_CATEGORY as i32) {
            let mut quantity = dice.between(80, 240);
            for day in 0..DAYS {
                let sold = dice.below(9) * campaign(day) as i32 / 100;
                quantity = (quantity - sold).max(0);
                self.stock.push(Stock { product, day: FIRST_DAY + day, quantity });
                if quantity < 12 && dice.percent(40) {
                    quantity += dice.between(120, 260);
                }
            }
        }
    }
}

fn moment(day: i32, dice: &mut Dice) -> i64 {
    let hour = dice.weighted(HOURS.into_iter()) as i64;
    i64::from(FIRST_DAY + day) * DAY_SECONDS + hour * 3600 + i64::from(dice.below(3600))
}

fn reached(channel: &str, member: bool, broken: bool, dice: &mut Dice) -> &'static str {
    let steps = match (channel, member) {
        ("store", _) => [36, 100, 100],
        ("online", true) => [63, 76, if broken { 12 } else { 78 }],
        ("o2o", true) => [66, 84, if broken { 12 } else { 84 }],
        _ => [24, 12, 0],
    };
    let passed = steps.into_iter().take_while(|chance| dice.percent(*chance)).count();
    ["view", "cart", "checkout", "pay"][passed]
}

/// Who, through which store, in which city.
type Party = (Option<i32>, Option<i32>, i32);

fn order(at: i64, channel: &'static str, (customer, store, city): Party, sale: bool, dice: &mut Dice) -> Order {
    let ordered = (at + i64::from(dice.between(40, 900))).min(END - 1);
    let lines = if dice.per_mille(6) { vec![] } else { lines(channel, sale, dice) };
    let goods: i32 = lines.iter().map(|line| line.quantity * line.price).sum();
    let amount = if lines.is_empty() { dice.between(1, 5) * 10_000 } else { goods };
    let discount = if amount >= 20_000 && dice.percent(30) { amount / 10_000 * 500 } else { 0 };
    let status = if channel == "store" {
        "paid"
    } else {
        ["paid", "created", "cancelled"][dice.weighted([93, 3, 4].into_iter())]
    };
    let (shipped, delivered) = if status == "paid" { delivery(channel, ordered, city, dice) } else { (None, None) };
    let ship_city = if channel == "online" && dice.percent(9) { city_of(dice) } else { city };
    Order {
        id: 0,
        customer: if dice.per_mille(1) { Some(FIRST_CUSTOMER + CUSTOMERS + dice.below(50)) } else { customer },
        channel,
        store,
        city: Some(if dice.per_mille(1) { UNKNOWN_CITY } else { city }),
        ship_city: (channel != "store").then_some(ship_city),
        ordered,
        shipped,
        delivered,
        status: if delivered.is_some() {
            "delivered"
        } else if shipped.is_some() {
            "shipped"
        } else {
            status
        },
        is_test: dice.per_mille(5),
        amount,
        discount,
        lines,
    }
}

fn lines(channel: &str, sale: bool, dice: &mut Dice) -> Vec<Line> {
    let count = dice.weighted(if channel == "store" { [45, 35, 20] } else { [62, 28, 10] }.into_iter()) + 1;
    (0..count).map(|_| line(sale, dice)).collect()
}

fn line(sale: bool, dice: &mut Dice) -> Line {
    let category = dice.weighted([14, 12, 10, 6, 7, 12, 8, 7, 8, 4, 7, 5].into_iter());
    let rank = dice.below(PRODUCTS_PER_CATEGORY as i32).min(dice.below(PRODUCTS_PER_CATEGORY as i32));
    let product = category as i32 * PRODUCTS_PER_CATEGORY as i32 + rank + 1;
    let price = list_price(product) * if sale { 8 } else { 10 } / 10;
    let quantity = dice.weighted([70, 20, 10].into_iter()) as i32 + 1;
    Line { product: if dice.per_mille(1) { 999 } else { product }, quantity, price }
}

/// Shipping and delivery, as far as they happened before the data ends; goods bought in a store are carried home.
fn delivery(channel: &str, ordered: i64, city: i32, dice: &mut Dice) -> (Option<i64>, Option<i64>) {
    let far = matches!(CITIES[city as usize - 1].2, "西南" | "华南");
    let (wait, way) = match channel {
        "store" => return (None, None),
        "o2o" => (dice.between(5, 40) * 60, dice.between(15, 110) * 60),
        _ => (dice.between(3, 42) * 3600, dice.between(18, if far { 120 } else { 72 }) * 3600),
    };
    let shipped = ordered + i64::from(wait + dice.below(3600));
    let delivered = shipped + i64::from(way + dice.below(3600));
    (Some(shipped).filter(|at| *at < END), Some(delivered).filter(|at| *at < END))
}

fn returned(order: i32, line_no: i32, line: &Line, delivered: i64, dice: &mut Dice) -> Return {
    let quantity = dice.between(1, line.quantity);
    let reason = ["尺码不合", "质量问题", "与描述不符", "不想要了"][dice.weighted([34, 20, 16, 30].into_iter())];
    let at = delivered + i64::from(dice.between(6, 14 * 24)) * 3600 + i64::from(dice.below(3600));
    Return { order, line: line_no, quantity, amount: quantity * line.price, reason, at }
}

fn ticket(order: &Order, day: i32, troubled: bool, dice: &mut Dice) -> Ticket {
    let slow = if month(day) == 10 { 2 } else { 1 };
    let wait = dice.below(240).min(dice.below(420)) * slow + dice.below(9);
    let topic = if troubled && dice.percent(70) { 0 } else { dice.weighted([8, 40, 30, 22].into_iter()) };
    let score = (5 - wait / 90 - dice.below(2) - i32::from(troubled)).clamp(1, 5);
    Ticket {
        customer: order.customer,
        city: order.city,
        channel: order.channel,
        topic: ["支付", "物流", "退换", "咨询"][topic],
        opened: order.ordered + i64::from(dice.below(5 * 24 * 3600)),
        wait,
        score: dice.percent(66).then_some(score),
    }
}
