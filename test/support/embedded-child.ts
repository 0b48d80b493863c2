/** A process that owns an embedded database, for tests that kill it: `embedded-child.ts FOLDER CACHE`; tells its parent where the socket is. */
import { openEmbeddedDatabase } from "../../src/db/embedded.ts";

const [folder = "", cacheFolder] = process.argv.slice(2);
const database = await openEmbeddedDatabase({ folder, cacheFolder, onFailure: () => process.exit(1) });
process.send?.(database.host);
