/**
 * Prints the OpenAPI document of the API, or writes it to a file: the source of the UI's generated types. A test compares the UI's copy with
 * what this prints.
 */
import { writeFileSync } from "node:fs";
import { openApiDocument } from "../src/api/openapi.ts";
import { allRoutes } from "../src/api/routes/routes.ts";
import { release } from "../src/cli/release.ts";

const HELP = "usage: npx tsx scripts/openapi.ts [FILE]\n  FILE   is written instead of standard output\n";

const [file] = process.argv.slice(2);
const text = `${JSON.stringify(openApiDocument(allRoutes(release()), release()), undefined, 2)}\n`;
if (file === "--help") process.stdout.write(HELP);
else if (file === undefined) process.stdout.write(text);
else writeFileSync(file, text);
