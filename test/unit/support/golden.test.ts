/** The golden driver itself: what it reads, what it writes back, when it refuses. */
import { expect } from "chai";
import { isUpdating, parseGolden } from "../../support/golden.ts";

const TEXT = `# adds up
# two numbers
add base=10 note="two words" strict
1

2
----
3

show
----
----
a

b
----
----

# no output
nothing
----
`;

describe("golden driver", () => {
  it("reads titles, directives, arguments, inputs and both forms of expected text", () => {
    const [add, show, nothing] = parseGolden(TEXT).cases;
    expect(add).to.deep.include({ title: "adds up two numbers", directive: "add", input: "1\n\n2", expected: "3", line: 3 });
    expect([...(add?.args ?? [])]).to.deep.equal([
      ["base", "10"],
      ["note", "two words"],
      ["strict", ""],
    ]);
    expect(show).to.deep.include({ title: "show", input: "", expected: "a\n\nb" });
    expect(nothing).to.deep.include({ title: "no output", expected: "" });
  });

  it("writes a file back byte for byte when nothing changed", () => {
    const file = parseGolden(TEXT);
    expect(file.render(file.cases.map((golden) => golden.expected))).to.equal(TEXT);
  });

  it("writes outputs with blank lines or separators so that they read back", () => {
    for (const output of ["x", "x\n\ny", "----", "", "a\n----\nb"]) {
      const rendered = parseGolden("show\n----\n").render([output]);
      expect(parseGolden(rendered).cases[0]?.expected, rendered).to.equal(output);
    }
  });

  it("names the line of a case without separator", () => {
    expect(() => parseGolden("# c\nshow\ninput\n")).to.throw("line 2: the case has no ----");
    expect(() => parseGolden("show\n----\n----\nx\n")).to.throw("line 2: the pair of ---- is not closed");
  });

  it("refuses to rewrite where CI is set", () => {
    expect(isUpdating({ UPDATE_GOLDEN: "1" })).to.equal(true);
    expect(isUpdating({ CI: "true" })).to.equal(false);
    expect(() => isUpdating({ UPDATE_GOLDEN: "1", CI: "true" })).to.throw("refused in CI");
  });
});
