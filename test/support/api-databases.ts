/** Runs a suite of the API on PGlite and on real PostgreSQL, each test with a database of its own. */
import type { ApiStageOptions } from "./api-stage.ts";
import { ApiStage } from "./api-stage.ts";
import { type DatabaseServer, postgresAbsence, startPglite, startPostgres } from "./databases.ts";
import { requires } from "./requirement.ts";

/** Declares `tests` for each database; `stage` gives the running test's API. */
export function onBothDatabases(what: string, tests: (stage: () => ApiStage) => void, options: () => ApiStageOptions = () => ({})): void {
  for (const [name, absence, start] of [
    ["PGlite", () => undefined, async () => startPglite()],
    ["PostgreSQL", postgresAbsence, startPostgres],
  ] as const) {
    describe(`${what} on ${name}`, function () {
      this.timeout(120_000);
      requires("postgres", absence);
      let server: DatabaseServer | undefined;
      let stage: ApiStage | undefined;
      before(async () => {
        server = await start();
      });
      after(() => server?.stop());
      beforeEach(async () => {
        if (server !== undefined) stage = await ApiStage.open(await server.create(), options());
      });
      afterEach(async () => {
        await stage?.close();
        stage = undefined;
      });
      tests(() => stage as ApiStage);
    });
  }
}
