/** The oracle's JSON reader against lossless-json, on random documents and on broken ones. */
import { expect } from "chai";
import { LosslessNumber, parse } from "lossless-json";
import { Prng } from "../../src/core/prng.ts";
import { decodeString, type JsonNode, numberText, parseJsonLine, splitLines, wordValue } from "../support/ndjson.ts";
import { randomInputs, randomTable } from "../support/random-program.ts";

/** A node as lossless-json would give it; scalars that are not spelled as JSON demands throw. */
function value(node: JsonNode): unknown {
  switch (node.kind) {
    case "object":
      // Keys that are no valid strings are kept apart by the reader; nobody asks for them.
      if ([...node.members.keys()].some((key) => key.startsWith("\0invalid"))) throw new SyntaxError("key");
      return Object.fromEntries([...node.members].map(([key, member]) => [key, value(member)]));
    case "array":
      return node.items.map(value);
    case "string":
      return decodeString(node.raw);
    case "number": {
      const text = numberText(node.raw);
      if (text === undefined) throw new SyntaxError("number");
      return new LosslessNumber(text);
    }
    case "word": {
      const word = wordValue(node.raw);
      if (word === undefined) throw new SyntaxError("word");
      return word;
    }
  }
}

const attempt = (read: () => unknown): unknown => {
  try {
    return read();
  } catch {
    return "refused";
  }
};

describe("oracle JSON reader", () => {
  it("reads what lossless-json reads and refuses what it refuses", () => {
    let refused = 0;
    let lines = 0;
    for (let seed = 1; seed <= 40; seed++) {
      const prng = new Prng(seed);
      const { t = new Uint8Array() } = randomInputs(prng, [randomTable(prng, "t")], { rows: 50 });
      for (const line of splitLines(t)) {
        const broken = Buffer.from(line);
        if (prng.chance(1, 2)) broken[prng.below(broken.length)] = prng.pick([...Buffer.from('{}[]",:\\ 0e-.tn')]);
        const text = broken.toString("utf8");
        // A byte that broke a character is another matter: `decodeString` refuses it, toString mends it.
        if (text.includes("\ufffd")) continue;
        const expected = attempt(() => parse(text, undefined, { onDuplicateKey: ({ newValue }) => newValue }));
        const actual = attempt(() => value(parseJsonLine(broken)));
        lines++;
        if (expected === "refused") refused++;
        expect(actual, text).to.deep.equal(expected);
      }
    }
    expect(lines).to.be.greaterThan(1500);
    expect(refused).to.be.greaterThan(200);
  });

  it("does not judge the spelling of values that nobody asks for", () => {
    const node = parseJsonLine(Buffer.from('{"a":01,"c":"\\x","d":1}'));
    expect(node.kind).to.equal("object");
  });

  it("refuses what is unbalanced, unterminated or followed by something", () => {
    for (const text of ["{", '{"a":1', '"a', '{"a":1}}', '{"a":1} x', "[1,]", '{"a"}', "{1:2}", ""]) {
      expect(() => parseJsonLine(Buffer.from(text)), text).to.throw("malformed JSON");
    }
  });

  it("splits lines at newlines only, and a last line needs none", () => {
    expect(splitLines(Buffer.from("a\n\n \r\nb")).map((line) => Buffer.from(line).toString())).to.deep.equal(["a", "b"]);
  });
});
