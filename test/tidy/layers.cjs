/**
 * dependency-cruiser's rules, made from the layer table in `src/README.md` so that there is one table. `npm run check` also compares the
 * number of modules cruised with the number of files: with a TypeScript version it cannot load this tool reports success on nothing.
 */
const { readFileSync } = require("node:fs");
const { join } = require("node:path");

const readme = readFileSync(join(__dirname, "../../src/README.md"), "utf8");
const rows = [...readme.matchAll(/^\| (\d) \| ([a-z, -]+) \|/gm)].map((match) => ({
  number: Number(match[1]),
  folders: match[2].split(",").map((name) => name.trim()),
}));
if (rows.length < 7) throw new Error(`src/README.md: the layer table has ${rows.length} rows, expected 7`);

const within = (folders) => `^src/(?:${folders.join("|")})/`;

/** A folder may import itself and the rows below, nothing beside or above. */
const rules = rows.flatMap((row) =>
  row.folders.map((folder) => {
    const allowed = rows.filter((other) => other.number < row.number).flatMap((other) => other.folders);
    return {
      name: `layer-${folder}`,
      severity: "error",
      from: { path: within([folder]) },
      to: { path: "^src/", pathNot: within([folder, ...allowed]) },
    };
  }),
);

module.exports = {
  forbidden: [
    ...rules,
    { name: "no-cycle", severity: "error", from: {}, to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } } },
    { name: "unresolved", severity: "error", from: { pathNot: "^src/runtime/" }, to: { couldNotResolve: true } },
    { name: "dev-dependency", severity: "error", from: { path: "^src/" }, to: { dependencyTypes: ["npm-dev"] } },
    { name: "runtime-is-closed", severity: "error", from: { path: "^src/runtime/" }, to: { pathNot: "^src/runtime/" } },
    { name: "runtime-is-not-imported", severity: "error", from: { path: "^src/(?!runtime/)" }, to: { path: "^src/runtime/" } },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: { exportsFields: ["exports"], conditionNames: ["import", "require", "node", "default", "types"] },
  },
};
