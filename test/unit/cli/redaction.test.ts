/** Secrets in every form that logs, settings, SQL and URLs have them in; and what is no secret stays readable. */
import { expect } from "chai";
import { redact } from "../../../src/cli/operate/redaction.ts";

const SECRET = "hunter2-Xy/9+z";

describe("redaction", () => {
  const forms = [
    `password=${SECRET}`,
    `"password": "${SECRET}"`,
    `{"config":{"sasl.password":"${SECRET}","topic":"bids"}}`,
    `'aws.secret_access_key' = '${SECRET}'`,
    `WITH ("api-key" = '${SECRET}')`,
    `Authorization: Bearer ${SECRET}`,
    `authorization: Basic ${SECRET}`,
    `postgres://wadi:${SECRET}@db:5432/wadi`,
    `https://:${SECRET}@host/path`,
    `prometheus.basic-auth = "user:${SECRET}"`,
    `NOMAD_TOKEN=${SECRET} node main.js`,
    `"text":"{\\"client_secret\\":\\"${SECRET}\\"}"`,
    `-----BEGIN RSA PRIVATE KEY-----\n${SECRET}\n-----END RSA PRIVATE KEY-----`,
    `token: ${SECRET}`,
  ];
  for (const form of forms) {
    it(`takes the secret out of ${form.slice(0, 40).replaceAll("\n", " ")}`, () => {
      const text = redact(`before\n${form}\nafter`, []);
      expect(text).not.to.include(SECRET);
      expect(text).to.include("***");
      expect(text.startsWith("before\n") && text.endsWith("\nafter"), text).to.equal(true);
    });
  }

  it("takes known secrets out wherever they stand, also as JSON writes them", () => {
    expect(redact('worker said: a"b\\c and {"x":"a\\"b\\\\c"}', ['a"b\\c'])).to.equal('worker said: *** and {"x":"***"}');
    expect(redact("AKIAIOSFODNN7EXAMPLE", [])).to.equal("***");
  });

  it("leaves what is no secret as it is", () => {
    const plain = [
      "rows/s 1200, watermark 2024-01-01, key groups 4096, keys 17",
      '{"tokens":null,"state_bytes":123,"monkey":"banana"}',
      "https://localhost:5115/api/v1/pipelines?limit=10",
      "SELECT auction, max(price) FROM bids GROUP BY auction",
      "nomad.token = ***",
      'error[row-error]: division by zero in "compute", byte 17',
    ];
    for (const text of plain) expect(redact(text, [])).to.equal(text);
  });

  it("does not take long for a large text", () => {
    const text = `${'{"level":"info","message":"password changed","a":"b"}\n'.repeat(20_000)}${"x".repeat(300_000)}`;
    const startedMs = performance.now();
    redact(text, [SECRET]);
    expect(performance.now() - startedMs).to.be.lessThan(10_000);
  }).timeout(20_000);
});
