/** The cluster's own certificate authority, which all its controllers share. */
import type { Knex } from "knex";

/** Creates `authorities`. Runs in the transaction of `db`. */
export async function up(db: Knex): Promise<void> {
  await db.schema.createTable("authorities", (t) => {
    t.comment("Certificate authorities that controllers sign with. Read by controllers only.");
    t.text("name").primary().comment("what it signs for: cluster");
    t.text("certificate").notNullable().comment("PEM");
    t.text("private_key").notNullable().comment("PKCS#8, PEM; a secret: whoever reads it can pass for a controller");
    t.timestamp("created_at", { useTz: true }).notNullable().defaultTo(db.fn.now()).comment("when it was made");
    t.smallint("format_version").notNullable().defaultTo(1).comment("format of this row; readers refuse one they do not know");
  });
}
