/** The Nexmark generator: the same events whoever makes them, of the benchmark's shape, within the buffers. */
import { expect } from "chai";
import { nexmarkSpec } from "../../../src/connectors/nexmark/options.ts";
import { must } from "../../../src/core/assert.ts";
import { formatTimestamp, parseTimestamp } from "../../../src/core/time.ts";
import type { Field } from "../../../src/data/data-type.ts";
import { flatten } from "../../../src/data/schema.ts";
import type { SourceOperator } from "../../../src/program/operator.ts";
import type { Program } from "../../../src/program/program.ts";
import { expectGoldenBytes } from "../../support/golden-bytes.ts";
import { type CompiledProgram, compileProgram, instantiate } from "../../support/module-runner.ts";
import { JSON_FORMAT } from "../../support/oracle-programs.ts";
import { Collector, scanProgram } from "../../support/scan-runner.ts";

const BASE_NS = 1_436_918_400_000_000_000n;
const EVENTS = 100_000;

type Person = Readonly<Record<"id" | "name" | "email_address" | "credit_card" | "city" | "state" | "datetime" | "extra", string | number>>;
type Auction = Readonly<Record<"id" | "initial_bid" | "reserve" | "seller" | "category", number>> &
  Readonly<Record<"item_name" | "description" | "datetime" | "expires" | "extra", string>>;
type Bid = Readonly<Record<"auction" | "bidder" | "price", number>> & Readonly<Record<"channel" | "url" | "datetime" | "extra", string>>;
interface Event {
  readonly person: Person | null;
  readonly auction: Auction | null;
  readonly bid: Bid | null;
}

/** A table over `fields` of the events, written as JSON. */
function nexmarkProgram(fields: readonly Field[]): Program {
  const program = scanProgram({ ...flatten(fields), declared: [] }, JSON_FORMAT, JSON_FORMAT);
  const source = must(program.vertices[0], "source");
  const { format: _format, ...operator } = source.operator as SourceOperator;
  const nexmark: SourceOperator = { ...operator, connector: "nexmark", options: { event_rate: 10_000 } };
  return { ...program, vertices: [{ ...source, operator: nexmark }, ...program.vertices.slice(1)] };
}

/** Events first, first + stride, … of `compiled` as JSON lines. */
function generate(compiled: CompiledProgram, first: number, stride: number, count: number): readonly string[] {
  const exports = instantiate(compiled, 8192);
  const collector = new Collector(exports);
  for (let made = 0; made < count; made += 8192) {
    const now = Math.min(8192, count - made);
    exports.generate(0, BigInt(first + made * stride), stride, now, BASE_NS);
    collector.drain(exports.scanRows());
  }
  expect(collector.rows).to.equal(count);
  return collector.lines;
}

describe("nexmark generator", function () {
  this.timeout(60_000);
  let compiled: CompiledProgram;
  let lines: readonly string[] = [];
  let events: readonly Event[] = [];

  before(async () => {
    compiled = await compileProgram(nexmarkProgram(must(nexmarkSpec.fixedSchema, "schema")));
    lines = generate(compiled, 0, 1, EVENTS);
    events = lines.map((line) => JSON.parse(line) as Event);
  });

  const times = (event: Event): string => String(event.person?.datetime ?? event.auction?.datetime ?? event.bid?.datetime);

  it("makes the events that it has always made", () => {
    expectGoldenBytes("nexmark.ndjson", Buffer.from(`${lines.slice(0, 100).join("\n")}\n`));
  });

  it("makes the same events at parallelism 1 and 3", () => {
    const third = [0, 1, 2].map((s) => generate(compiled, s, 3, 3000));
    for (let i = 0; i < 9000; i++) expect(third[i % 3]?.[Math.floor(i / 3)]).to.equal(lines[i]);
  });

  it("makes one person, three auctions and 46 bids of 50 events, in that order", () => {
    for (const [i, event] of events.entries()) {
      const kind = i % 50 === 0 ? "person" : i % 50 < 4 ? "auction" : "bid";
      const kinds = Object.entries(event).flatMap(([name, value]) => (value === null ? [] : [name]));
      expect(kinds, `event ${i}`).to.deep.equal([kind]);
    }
  });

  it("spaces event time by the rate", () => {
    for (const i of [0, 1, 49, 12_345]) expect(times(must(events[i], "event"))).to.equal(formatTimestamp(BASE_NS + BigInt(i) * 100_000n));
  });

  it("numbers persons and auctions from 1000 on, and refers only to those that exist", () => {
    let people = 1000;
    let auctions = 1000;
    for (const [i, { person, auction, bid }] of events.entries()) {
      if (person !== null) expect(person.id).to.equal(people++);
      if (auction !== null) {
        expect(auction.id).to.equal(auctions++);
        expect(auction.seller, `event ${i}`).to.be.within(1000, people - 1);
      }
      if (bid !== null) {
        expect(bid.auction, `event ${i}`).to.be.within(1000, auctions - 1);
        expect(bid.bidder, `event ${i}`).to.be.within(1000, people - 1);
      }
    }
    expect([people, auctions]).to.deep.equal([1000 + EVENTS / 50, 1000 + (3 * EVENTS) / 50]);
  });

  it("keeps prices, categories and expiries within their ranges, and uses all of them", () => {
    const prices = events.flatMap((e) => (e.bid === null ? [] : [e.bid.price]));
    expect(Math.min(...prices.slice(0, 60_000))).to.be.within(100, 110);
    expect(Math.max(...prices.slice(0, 60_000))).to.be.within(90_000_000, 100_000_000);
    const sold = events.flatMap((e) => (e.auction === null ? [] : [e.auction]));
    expect([...new Set(sold.map((a) => a.category))].sort()).to.deep.equal([10, 11, 12, 13, 14]);
    for (const auction of sold) {
      expect(auction.reserve).to.be.at.least(auction.initial_bid);
      expect(must(parseTimestamp(auction.expires), "time") > must(parseTimestamp(auction.datetime), "time")).to.equal(true);
    }
  });

  it("has hot auctions, bidders, sellers and channels as often as the benchmark says", () => {
    const bids = events.flatMap((e) => (e.bid === null ? [] : [e.bid]));
    const share = (test: (bid: Bid) => boolean): number => bids.filter(test).length / bids.length;
    expect(share((b) => (b.auction - 1000) % 100 === 0)).to.be.within(0.48, 0.53);
    expect(share((b) => (b.bidder - 1000) % 100 === 1)).to.be.within(0.72, 0.77);
    expect(share((b) => ["Google", "Facebook", "Baidu", "Apple"].includes(b.channel))).to.be.within(0.48, 0.52);
    expect(new Set(bids.map((b) => b.channel)).size).to.be.greaterThan(9000);
    const sellers = events.flatMap((e) => (e.auction === null ? [] : [e.auction.seller]));
    expect(sellers.filter((s) => (s - 1000) % 100 === 0).length / sellers.length).to.be.within(0.7, 0.8);
  });

  it("writes texts of ASCII, no longer than the buffers allow for", () => {
    let longest = 0;
    for (const event of events) {
      for (const value of Object.values(event.person ?? event.auction ?? event.bid ?? {})) {
        if (typeof value !== "string") continue;
        longest = Math.max(longest, value.length);
        if (!/^[ -~]*$/.test(value)) expect.fail(value);
      }
    }
    expect(longest).to.equal(107);
    const bid = must(events.find((e) => e.bid?.channel.startsWith("channel-"))?.bid, "bid");
    expect(bid.url).to.match(/^https:\/\/www\.nexmark\.com\/[a-z]{5}\/[a-z]{5}\/[a-z]{5}\/item\.htm\?query=1&channel_id=\d+$/);
    const person = must(events[0]?.person, "person");
    expect(person.credit_card).to.match(/^\d{4} \d{4} \d{4} \d{4}$/);
    expect(person.email_address).to.match(/^[a-z]+@[a-z]+\.com$/);
    expect(person.name).to.match(/^[A-Z][a-z]+ [A-Z][a-z]+$/);
  });

  it("makes the same values when only some are read", async () => {
    const bid = must(must(nexmarkSpec.fixedSchema, "schema")[2], "bid");
    const fields = bid.type.kind === "struct" ? bid.type.fields.filter((f) => ["auction", "price", "url"].includes(f.name)) : [];
    const part = generate(await compileProgram(nexmarkProgram([{ ...bid, type: { kind: "struct", fields } }])), 0, 1, 5000);
    for (const [i, line] of part.entries()) {
      const whole = events[i]?.bid;
      const { auction, price, url } = whole ?? {};
      expect(line).to.equal(JSON.stringify({ bid: whole === null ? null : { auction, price, url } }));
    }
  });
});
