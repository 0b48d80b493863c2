/** Expositions of several processes as one. */
import { expect } from "chai";
import { mergeExpositions } from "../../../src/core/metrics.ts";

describe("merged expositions", () => {
  it("keep the lines of a metric together and say whose each sample is", () => {
    const merged = mergeExpositions(
      new Map([
        ["api", '# HELP a about a\n# TYPE a counter\na 1\n# TYPE b gauge\nb{x="1"} 2\n'],
        ["controller", '# HELP a about a\n# TYPE a counter\na 3\n# TYPE c gauge\nc{service="own",y="{,}"} 4\nc{y="service=\\"z\\""} 5\n'],
      ]),
    );
    expect(merged.trim().split("\n")).to.deep.equal([
      "# HELP a about a",
      "# TYPE a counter",
      'a{service="api"} 1',
      'a{service="controller"} 3',
      "# TYPE b gauge",
      'b{service="api",x="1"} 2',
      "# TYPE c gauge",
      'c{service="own",y="{,}"} 4',
      'c{service="controller",y="service=\\"z\\""} 5',
    ]);
  });
});
