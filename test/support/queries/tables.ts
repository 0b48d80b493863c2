/**
 * The input tables of the query set: seeded generators of NDJSON with everything that a reader can stumble over, and the columns as
 * DuckDB must be told them. Event time runs 25 ms a row from 2023-03-01 and is out of order by up to 1.5 s, well inside the queries'
 * watermark delay of 5 s.
 */
import { Prng } from "../../../src/core/prng.ts";
import { daysFromCivil, formatTimestamp, NS_PER_DAY, NS_PER_MS, NS_PER_US } from "../../../src/core/time.ts";

/** A table of the query set. */
export interface QueryTable {
  readonly name: "orders" | "payments";
  /** Column names and types for DuckDB's read_json. */
  readonly duckdbColumns: Readonly<Record<string, string>>;
  /** `rows` lines of NDJSON, the same for the same seed. */
  generate(seed: number, rows: number): Uint8Array;
}

/** A field's JSON text, or `undefined` to leave the key out. */
type Fields = readonly (readonly [name: string, json: string | undefined])[];

const START_NS = BigInt(daysFromCivil(2023, 3, 1)) * NS_PER_DAY;
const CUSTOMERS = [
  "",
  "anna",
  "Anna",
  "Åsa",
  "bob",
  "Zoë",
  "Łukasz",
  "мария",
  "李雷",
  "🌍 co",
  "O'Neil",
  'quo"te',
  "back\\slash",
  "tab\there",
  "%_like",
];
const REGIONS = ["north", "south", "east", "west", "zentral-süd"];
const NOTES = [
  "",
  " padded  ",
  "plain ASCII text of some length that does not fit into a register",
  "Grüße aus Köln",
  "naïve café",
  "日本語のテキスト",
  "emoji 🎉🎊 and more",
  "line\nbreak\tand tab",
  'quotes " and \\ slashes /',
  "a,b,,c",
  "100%",
  "under_score",
  "\u0001\u001f control",
];
const CODES = ["0", "7", "-12", " 42 ", "abc", "", "999999999999", "true", "1e3", "12x"];
const CITIES = ["Köln", "Paris", "東京", "New York", ""];
const I64_MAX = 2n ** 63n - 1n;
const BIGS = [
  I64_MAX,
  I64_MAX - 1n,
  -I64_MAX - 1n,
  -I64_MAX,
  2n ** 53n,
  2n ** 53n + 1n,
  -(2n ** 53n) - 1n,
  0n,
  -1n,
  1n,
  2n ** 31n,
  -(2n ** 31n) - 1n,
];

/** `json` in most rows, else `null` or no key at all. */
function sometimesNull(prng: Prng, percent: number, json: () => string): string | undefined {
  if (!prng.chance(percent, 100)) return json();
  return prng.chance(1, 2) ? "null" : undefined;
}

/** A string literal, now and then with every character beyond ASCII escaped. */
function jsonText(prng: Prng, text: string): string {
  const json = JSON.stringify(text);
  if (!prng.chance(1, 8)) return json;
  return json.replace(/[^ -~]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Event time of row `index`: now and then to the microsecond. */
function eventTime(prng: Prng, index: number): string {
  const jitter = BigInt(prng.between(-1_500, 1_500)) * NS_PER_MS + (prng.chance(1, 10) ? BigInt(prng.below(1_000)) * NS_PER_US : 0n);
  const text = formatTimestamp(START_NS + BigInt(index) * 25n * NS_PER_MS + jitter);
  return `"${prng.chance(1, 5) ? `${text}Z` : text}"`;
}

function jsonDouble(prng: Prng): string {
  switch (prng.below(12)) {
    case 0:
      return String(prng.between(-50, 50));
    case 1:
      return `${prng.between(1, 9)}.${prng.below(1000)}e${prng.between(-3, 4)}`;
    case 2:
      return String((prng.nextU32() - 2 ** 31) / 2 ** 20);
    default:
      return (prng.between(-5_000, 200_000) / 100).toFixed(2);
  }
}

function orderFields(prng: Prng, index: number): Fields {
  const text = (percent: number, choices: readonly string[]): string | undefined =>
    sometimesNull(prng, percent, () => jsonText(prng, prng.pick(choices)));
  const customer = (): string => (prng.chance(3, 4) ? `customer-${prng.below(30)}` : prng.pick(CUSTOMERS));
  const geo = (): string => `{"lat":${prng.between(-900, 900) / 10},"lon":${prng.between(-1_800, 1_800) / 10}}`;
  const shipping = (): string => {
    const members = [`"city":${jsonText(prng, prng.pick(CITIES))}`, `"geo":${prng.chance(1, 6) ? "null" : geo()}`];
    if (prng.chance(1, 10)) members.splice(prng.below(3), 0, '"floor":{"level":[1,{"deep":"}"}],"x":null}');
    return `{${members.join(",")}}`;
  };
  return [
    ["id", String(index)],
    ["ts", eventTime(prng, index)],
    ["customer", sometimesNull(prng, 6, () => jsonText(prng, customer()))],
    ["region", text(5, REGIONS)],
    ["quantity", sometimesNull(prng, 5, () => String(prng.between(-5, 100)))],
    ["amount", sometimesNull(prng, 4, () => String(prng.between(-10_000, 1_000_000)))],
    ["price", sometimesNull(prng, 4, () => jsonDouble(prng))],
    ["big", sometimesNull(prng, 5, () => String(prng.chance(2, 3) ? prng.pick(BIGS) : BigInt.asIntN(64, prng.nextU64())))],
    ["active", sometimesNull(prng, 10, () => String(prng.chance(1, 2)))],
    ["note", text(6, NOTES)],
    ["code", text(4, CODES)],
    ["shipping", sometimesNull(prng, 8, shipping)],
  ];
}

function paymentFields(prng: Prng, index: number): Fields {
  const customer = (): string => (prng.chance(3, 4) ? `customer-${prng.below(40)}` : prng.pick(CUSTOMERS));
  return [
    ["id", String(index)],
    ["ts", eventTime(prng, index)],
    ["customer", sometimesNull(prng, 6, () => jsonText(prng, customer()))],
    ["method", sometimesNull(prng, 5, () => jsonText(prng, prng.pick(["card", "cash", "überweisung", ""])))],
    ["cents", sometimesNull(prng, 4, () => String(prng.between(-500, 99_999)))],
  ];
}

const UNKNOWN = ['"extra":{"a":[1,2,{"b":"]}"}],"c":{}}', '"trace":[[],[[]],"\\"",-1.5e+3]', '"comment":"ignored \\u00fc"', '"flag":false'];

/** One line: mostly as a program would write it, sometimes with other key order, white space or unknown fields. */
function line(prng: Prng, fields: Fields): string {
  const spaced = prng.chance(1, 10);
  const members = fields.flatMap(([name, json]) => (json === undefined ? [] : [`"${name}"${spaced ? " :  " : ":"}${json}`]));
  if (prng.chance(1, 12)) members.splice(prng.below(members.length + 1), 0, prng.pick(UNKNOWN));
  const ordered = prng.chance(1, 8) ? prng.shuffle(members) : members;
  return spaced ? ` { ${ordered.join(" ,\t")} } ` : `{${ordered.join(",")}}`;
}

function generate(fields: (prng: Prng, index: number) => Fields): (seed: number, rows: number) => Uint8Array {
  return (seed, rows) => {
    const prng = new Prng(seed);
    const chunks: Buffer[] = [];
    for (let i = 0; i < rows; i++) chunks.push(Buffer.from(`${line(prng, fields(prng, i))}\n`));
    return Buffer.concat(chunks);
  };
}

/** Every scalar family, a nested struct, near-limit integers. */
export const ORDERS: QueryTable = {
  name: "orders",
  duckdbColumns: {
    id: "BIGINT",
    ts: "TIMESTAMP",
    customer: "VARCHAR",
    region: "VARCHAR",
    quantity: "INTEGER",
    amount: "BIGINT",
    price: "DOUBLE",
    big: "BIGINT",
    active: "BOOLEAN",
    note: "VARCHAR",
    code: "VARCHAR",
    shipping: "STRUCT(city VARCHAR, geo STRUCT(lat DOUBLE, lon DOUBLE))",
  },
  generate: generate(orderFields),
};

/** A second source with the customers of the first and some others. */
export const PAYMENTS: QueryTable = {
  name: "payments",
  duckdbColumns: { id: "BIGINT", ts: "TIMESTAMP", customer: "VARCHAR", method: "VARCHAR", cents: "BIGINT" },
  generate: generate(paymentFields),
};
