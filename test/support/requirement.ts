/**
 * Suites that need something outside of this process: a server, a program, a package of another language. Absent, the suite is skipped with
 * the reason in words; where `WADI_CI_REQUIRE` names it, that is a failure. `WADI_CI_EXCUSE` names what a machine of CI cannot get.
 */
import { expect } from "chai";

/**
 * To be called first in a `describe`: skips its tests unless `probe` answers `undefined`; otherwise its answer is the reason, such as
 * "no PostgreSQL at localhost:5432". `name` is what `WADI_CI_REQUIRE` (names with commas) knows the suite by.
 */
export function requires(name: string, probe: () => string | undefined | Promise<string | undefined>): void {
  before(async function () {
    const absence = await probe();
    if (absence === undefined) return;
    const required = (process.env["WADI_CI_REQUIRE"] ?? "").split(",");
    if (required.includes(name)) expect.fail(`${name} is required here but absent: ${absence}`);
    const excused = (process.env["WADI_CI_EXCUSE"] ?? "").split(",").includes(name);
    const suite = this.test?.parent;
    suite?.eachTest((test) => {
      test.title += excused ? ` [excused: ${absence}]` : ` [${absence}]`;
    });
    this.skip();
  });
}
