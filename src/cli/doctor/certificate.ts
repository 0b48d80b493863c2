/** Certificates that this Wadi is told to use: whether the files can be read, fit together and hold for a while. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { type Clock, systemClock } from "../../core/clock.ts";
import type { Config } from "../../core/config.ts";
import { toAppError } from "../../core/errors.ts";
import { type Check, type Finding, fail, ok, warn } from "./check.ts";

/** A certificate that holds for fewer days is told. */
export const RENEW_DAYS = 14;
const DAY_MS = 86_400_000;
const LIMIT_MS = 2_000;

/** Whole days until the time `validTo`, as certificates write it; negative: it is over. */
export function certificateDays(validTo: string, clock: Clock): number {
  return Math.floor((Date.parse(validTo) - Number(clock.nowNs() / 1_000_000n)) / DAY_MS);
}

/** Checks of the files in settings. */
export function certificateChecks(config: Config): readonly Check[] {
  const settings = ["tls.certificate", "tls.ca", "database.postgres.tls.ca-cert", "nomad.client-cert", "nomad.ca-cert"] as const;
  return settings.flatMap((setting) => {
    const path = config[setting];
    if (path === undefined) return [];
    const key =
      setting === "tls.certificate" ? config["tls.key"] : setting === "nomad.client-cert" ? config["nomad.client-key"] : undefined;
    return [
      {
        id: `certificate-${setting.replaceAll(".", "-")}`,
        title: setting,
        limitMs: LIMIT_MS,
        ifSilent: `Look at the disk of "${path}".`,
        run: async () => checkFile(setting, path, key),
      },
    ];
  });
}

function checkFile(setting: string, path: string, key: string | undefined): Finding {
  try {
    const certificate = new X509Certificate(readFileSync(path));
    const days = certificateDays(certificate.validTo, systemClock);
    if (days < 0)
      return fail(
        `the certificate "${path}" (${setting}) expired on ${certificate.validTo}`,
        `Put a new one there, or correct ${setting}.`,
      );
    if (key !== undefined && !certificate.checkPrivateKey(createPrivateKey(readFileSync(key))))
      return fail(`the key "${key}" does not belong to the certificate "${path}" (${setting})`, "Put both files of one pair there.");
    if (days < RENEW_DAYS) return warn(`the certificate "${path}" (${setting}) expires in ${days} days`, "Renew it in time.");
    return ok(`valid for ${days} days`);
  } catch (thrown) {
    return fail(
      `${setting} "${path}" is no certificate that can be read: ${toAppError(thrown).message}`,
      `Correct ${setting}: a file in PEM form.`,
    );
  }
}
