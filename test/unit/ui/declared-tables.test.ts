/** What the editor's catalog finds in a script. */
import { expect } from "chai";
import { declaredTables } from "../../../ui/src/pages/editor/declared-tables.ts";

describe("tables declared in a script", () => {
  it("are found with connector and columns", () => {
    const sql = `CREATE TABLE orders (
      id BIGINT NOT NULL,
      amount DECIMAL(12, 2),
      "Odd, name" TEXT,
      place STRUCT<city TEXT, zip TEXT>,
      WATERMARK FOR id AS id,
      PRIMARY KEY (id)
    ) WITH (connector = 'filesystem', path = 'a;b');
    create view big as select * from orders;`;
    const [orders, big] = declaredTables(sql);
    expect(orders).to.deep.equal({
      name: "orders",
      kind: "table",
      connector: "filesystem",
      columns: [
        { name: "id", type: "BIGINT" },
        { name: "amount", type: "DECIMAL(12, 2)" },
        { name: "Odd, name", type: "TEXT" },
        { name: "place", type: "STRUCT<city TEXT, zip TEXT>" },
      ],
      offset: sql.indexOf("orders"),
    });
    expect(big).to.deep.include({ name: "big", kind: "view", columns: [] });
  });

  it("are not found in comments, and survive unfinished text", () => {
    expect(declaredTables("-- CREATE TABLE a (x INT)\n/* create table b (y int) */ SELECT 1")).to.deep.equal([]);
    expect(declaredTables("CREATE TABLE t (a INT, b").map(({ name, columns }) => [name, columns])).to.deep.equal([
      ["t", [{ name: "a", type: "INT" }]],
    ]);
    expect(declaredTables("CREATE TABLE")).to.deep.equal([]);
  });
});
