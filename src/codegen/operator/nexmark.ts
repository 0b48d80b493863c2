/**
 * The Nexmark generator's vertex: for each event the columns that the query reads, by calls into `runtime/nexmark.ts`.
 * Columns of the two event kinds that an event is not are NULL.
 */

import { must } from "../../core/assert.ts";
import { userError } from "../../core/errors.ts";
import { isVariable } from "../../data/data-type.ts";
import type { ShapeField } from "../../data/schema.ts";
import type { SourceOperator } from "../../program/operator.ts";
import { Printer } from "../printer.ts";
import type { EmitContext, VertexModule } from "../vertex.ts";
import { emitGeneratorBuffers, emitGeneratorEnd, eventIntervalNs } from "./generator-parts.ts";

/**
 * Bytes that a text column may need for one batch. The longest texts are `extra` of persons and auctions with 100 − 8 + 15 = 107
 * bytes (descriptions 79, URLs 24 + 3 × 6 + 16 + 12 + 4 = 74), and no writer goes more than 16 bytes beyond its end.
 */
const TEXT_AREA = 8192 * 160;

/** Call per field: a number, or text written at `t` when it begins with "write". `i` is the event, `at` its time. */
const FIELDS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  person: {
    id: "personId(i)",
    name: "writePersonName(t, i)",
    email_address: "writePersonEmail(t, i)",
    credit_card: "writeCreditCard(t, i)",
    city: "writePersonCity(t, i)",
    state: "writePersonState(t, i)",
    datetime: "at",
    extra: "writeExtra(t, i, 100)",
  },
  auction: {
    id: "auctionId(i)",
    item_name: "writeItemName(t, i)",
    description: "writeItemDescription(t, i)",
    initial_bid: "auctionInitialBid(i)",
    reserve: "auctionReserve(i)",
    datetime: "at",
    expires: "auctionExpires(i, at, INTERVAL)",
    seller: "auctionSeller(i)",
    category: "auctionCategory(i)",
    extra: "writeExtra(t, i, 100)",
  },
  bid: {
    auction: "bidAuction(i)",
    bidder: "bidBidder(i)",
    price: "bidPrice(i)",
    channel: "writeBidChannel(t, i)",
    url: "writeBidUrl(t, i)",
    datetime: "at",
    extra: "writeExtra(t, i, 40)",
  },
};

/** Condition of each kind. */
const KINDS: Readonly<Record<string, string>> = { person: "isPerson", auction: "isAuction", bid: "" };

/** Emits a Nexmark source. */
export function emitNexmark(context: EmitContext, operator: SourceOperator): VertexModule {
  const p = new Printer();
  const { columns } = context.vertex.output;
  const interval = eventIntervalNs(operator);
  const texts = columns.flatMap((c, i) => (isVariable(c.type) ? [i] : []));
  p.declare(`const INTERVAL: i64 = ${interval};`);
  emitGeneratorBuffers(p, columns, TEXT_AREA);
  p.block("export function generate(first: i64, stride: i32, count: i32, baseNs: i64): i32", () => {
    for (const c of texts) p.line(`let u${c}: usize = 0;\nstore<u32>(V${c}, 0);`);
    p.block("for (let r: usize = 0; r < <usize>count; r++)", () => {
      p.line("const i = first + <i64>r * <i64>stride;\nconst at = baseNs + i * INTERVAL;");
      p.line("store<i64>(TIME + (r << 3), at);");
      p.line(`const person = ${p.use("nexmark", "isPerson")}(i);\nconst auction = ${p.use("nexmark", "isAuction")}(i);`);
      for (const struct of operator.shape) emitKind(p, struct);
      for (const c of texts) p.line(`store<u32>(V${c} + (r << 2), <u32>u${c}, 4);`);
    });
    emitGeneratorEnd(p, context.vertex.id);
  });
  return { source: p.text(), expands: false, flushes: false, stateful: false };
}

function emitKind(p: Printer, struct: ShapeField): void {
  const fields = FIELDS[struct.name];
  if (fields === undefined || KINDS[struct.name] === undefined)
    throw userError("unsupported", `nexmark has no events of kind "${struct.name}"`);
  const condition = struct.name === "bid" ? "!person && !auction" : struct.name;
  const children = (struct.fields ?? []).map((f) => ({
    column: must(f.column, "column"),
    call: must(fields[f.name], `nexmark field ${f.name}`),
    name: f.name,
  }));
  p.branch(
    condition,
    () => {
      if (struct.marker !== undefined) p.line(`store<u8>(V${struct.marker} + r, 1);`);
      for (const child of children) emitField(p, child.column, child.call);
    },
    () => {
      if (struct.marker !== undefined) p.line(`store<u8>(V${struct.marker} + r, 0);`);
      for (const child of children) p.line(`store<u8>(N${child.column} + r, 0);`);
    },
  );
}

function emitField(p: Printer, column: number, call: string): void {
  const name = /^\w+/.exec(call)?.[0] ?? call;
  if (call.includes("(")) p.use("nexmark", name);
  p.line(`store<u8>(N${column} + r, 1);`);
  if (name.startsWith("write")) p.line(`u${column} = ${call.replace("(t,", `(B${column} + u${column},`)} - B${column};`);
  else p.line(`store<i64>(V${column} + (r << 3), ${call});`);
}
