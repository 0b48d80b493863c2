/** Checks of the way to Nomad: each address with its certificate, the leader, the versions, the clock, the stream of events. */
import type { Clock } from "../../../core/clock.ts";
import { toAppError } from "../../../core/errors.ts";
import { type Check, type Finding, fail, ok, warn } from "../check.ts";
import { type Agent, type Answer, ask, saidBy } from "./ask.ts";
import type { NomadCluster } from "./cluster.ts";
import { connectionFault } from "./connection-fault.ts";

const LIMIT_MS = 4_000;
const SILENT = "Look whether the agent is overloaded or the network drops packets to it; TCP 4646 must be open.";
const DAY_MS = 86_400_000;
const RENEW_DAYS = 14;
/** Identities and tokens of workers expire by the clock; a header's time has whole seconds. */
const SKEW_WARN_S = 5;
const SKEW_FAIL_S = 30;
/** Beyond all events: the stream begins with what comes. */
const NO_EVENTS = 2 ** 52;

/** Checks of the connection; the others need "nomad". */
export function connectionChecks(cluster: NomadCluster, clock: Clock): readonly Check[] {
  return [
    ...addressChecks(cluster, clock),
    {
      id: "nomad-leader",
      title: "Nomad leader",
      limitMs: LIMIT_MS,
      needs: ["nomad"],
      ifSilent: "Look at the servers' logs for elections: a majority of them must be alive.",
      run: (signal) => checkLeader(cluster, signal),
    },
    {
      id: "nomad-version",
      title: "Nomad version",
      limitMs: LIMIT_MS,
      needs: ["nomad"],
      ifSilent: SILENT,
      run: (signal) => checkVersion(cluster, signal),
    },
    {
      id: "nomad-clock",
      title: "clock",
      limitMs: LIMIT_MS,
      needs: ["nomad"],
      ifSilent: SILENT,
      run: (signal) => checkClock(cluster, clock, signal),
    },
    {
      id: "nomad-events",
      title: "event stream",
      limitMs: 5_000,
      needs: ["nomad-leader", "nomad-token"],
      ifSilent: "Look for a proxy between here and Nomad that holds streams back: it must not buffer /v1/event/stream.",
      run: (signal) => checkEvents(cluster, signal),
    },
  ];
}

function addressChecks(cluster: NomadCluster, clock: Clock): Check[] {
  const check = (agent: Agent): ((signal: AbortSignal) => Promise<Finding>) => {
    return async (signal) => {
      const finding = await checkAgent(agent, clock, signal);
      if (finding.verdict !== "fail") cluster.answers(agent);
      return finding;
    };
  };
  const [first, ...others] = cluster.agents;
  if (first === undefined || others.length === 0) {
    return [{ id: "nomad", title: "Nomad", limitMs: LIMIT_MS, ifSilent: SILENT, run: check(cluster.agent) }];
  }
  const single = cluster.agents.map((agent, i) => ({ agent, id: `nomad-${i + 1}`, found: memoized(check(agent)) }));
  return [
    ...single.map(({ agent, id, found }) => ({
      id,
      title: `Nomad ${new URL(agent.address).host}`,
      limitMs: LIMIT_MS,
      ifSilent: SILENT,
      run: found,
    })),
    {
      id: "nomad",
      title: "Nomad",
      limitMs: LIMIT_MS,
      ifSilent: SILENT,
      run: async (signal) => {
        await Promise.any(single.map(async ({ found }) => ((await found(signal)).verdict === "fail" ? Promise.reject() : undefined))).catch(
          () => undefined,
        );
        const findings = await Promise.all(single.map(({ found }) => found(signal)));
        const good = findings.filter(({ verdict }) => verdict !== "fail").length;
        return good > 0
          ? ok(`${good} of ${findings.length} addresses answer`)
          : fail("none of the addresses answers", "See the finding on each address.");
      },
    },
  ];
}

function memoized<A, T>(run: (argument: A) => Promise<T>): (argument: A) => Promise<T> {
  let result: Promise<T> | undefined;
  return (argument) => {
    result ??= run(argument);
    return result;
  };
}

async function checkAgent(agent: Agent, clock: Clock, signal: AbortSignal): Promise<Finding> {
  const { address } = agent;
  let answer: Answer;
  try {
    answer = await ask({ ...agent, region: undefined, token: undefined }, { path: "/v1/status/leader", signal });
  } catch (thrown) {
    return connectionFault(address, thrown);
  }
  if (answer.text.includes("HTTP request to an HTTPS server"))
    return fail(`${address} speaks TLS, and it was called without`, "Write nomad.address (NOMAD_ADDR) with https://.");
  const isNomad = answer.status === 200 ? /^"[^"]*"\s*$/.test(answer.text) : /leader|rpc error|region/i.test(answer.text);
  if (answer.status === 429)
    return fail(`${address} refuses more connections from here`, "Raise limits.http_max_conns_per_client of the agents.");
  if (!isNomad) return fail(`${address} answers, but not as Nomad: ${saidBy(answer).slice(0, 120)}`, "Correct nomad.address (NOMAD_ADDR).");
  return certificateFinding(agent, answer, clock) ?? ok(`${address} answers`);
}

/** What is to be said of the certificate; undefined: nothing. */
function certificateFinding({ address, tls }: Agent, { certificate }: Answer, clock: Clock): Finding | undefined {
  if (certificate?.valid_to === undefined) return undefined;
  if (tls.skipVerify)
    return warn(
      `the certificate of ${address} is accepted unseen`,
      "Set nomad.ca-cert instead of nomad.skip-verify: anybody could answer.",
    );
  const days = Math.floor((Date.parse(certificate.valid_to) - Number(clock.nowNs() / 1_000_000n)) / DAY_MS);
  if (days >= RENEW_DAYS) return undefined;
  return warn(`the certificate of ${address} expires in ${days} days`, "Renew the agent's certificate and reload the agent with SIGHUP.");
}

async function checkLeader(cluster: NomadCluster, signal: AbortSignal): Promise<Finding> {
  const answer = await cluster.askOpenly({ path: "/v1/status/leader", signal });
  const leader = answer.status === 200 ? answer.text.trim().replaceAll('"', "") : "";
  if (/no path to region|unknown region/i.test(answer.text))
    return fail(`region "${cluster.agent.region ?? ""}" does not exist`, "Correct nomad.region (NOMAD_REGION), or leave it empty.");
  if (leader === "")
    return fail(
      `the servers have no leader: ${answer.status === 200 ? "an election is under way" : saidBy(answer)}`,
      "Start the missing servers: a majority must be alive and reach each other on port 4648 and 4647.",
    );
  return ok(leader);
}

async function checkVersion(cluster: NomadCluster, signal: AbortSignal): Promise<Finding> {
  let versions: string[];
  try {
    const [members, nodes] = await Promise.all([cluster.members(signal), cluster.nodes(signal)]);
    versions = [...members.map(({ Tags }) => Tags?.["build"] ?? ""), ...nodes.map(({ Version }) => Version ?? "")];
  } catch (thrown) {
    const why = toAppError(thrown).message;
    return warn(`the version is not known: ${why}`, 'Add node { policy = "read" } to the token\'s policy.');
  }
  const distinct = [...new Set(versions.filter((version) => version !== ""))].sort();
  if (distinct.length === 0)
    return warn("the version is not known: Nomad lists neither servers nor nodes with one", "Look at nomad server members.");
  return versionFinding(distinct);
}

/** What is to be said of the versions that were found. */
function versionFinding(versions: readonly string[]): Finding {
  const list = versions.join(", ");
  const old = versions.find((version) => isOld(version));
  if (old !== undefined)
    return fail(`Nomad ${old} is older than 1.8, the oldest that Wadi works with`, "Upgrade all agents to Nomad 1.8 or later.");
  const unknown = versions.find((version) => !/^[12]\.\d+/.test(version));
  if (unknown !== undefined)
    return warn(
      `Nomad ${unknown} is not one that Wadi was tried with (1.8 to 2.x)`,
      "Try an upgrade of Wadi, or run the pipeline's tests there.",
    );
  return ok(list);
}

function isOld(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map((part) => Number.parseInt(part, 10));
  return major < 1 || (major === 1 && minor < 8);
}

async function checkClock(cluster: NomadCluster, clock: Clock, signal: AbortSignal): Promise<Finding> {
  const before = nowS(clock);
  const { headers } = await cluster.askOpenly({ path: "/v1/status/leader", signal });
  const theirs = Date.parse(headers.date ?? "") / 1000 + 0.5;
  if (Number.isNaN(theirs)) return warn("Nomad's answers have no date", "Look for a proxy that removes headers.");
  const skew = theirs - (before + nowS(clock)) / 2;
  const words = `${Math.abs(skew).toFixed(0)} s ${skew > 0 ? "behind" : "ahead of"} Nomad's`;
  if (Math.abs(skew) > SKEW_FAIL_S)
    return fail(
      `this machine's clock is ${words}: identities of workers would be refused`,
      "Run a time service (chrony, systemd-timesyncd) on all machines.",
    );
  if (Math.abs(skew) > SKEW_WARN_S)
    return warn(`this machine's clock is ${words}`, "Run a time service (chrony, systemd-timesyncd) on all machines.");
  return ok("agrees with Nomad's to the second");
}

function nowS(clock: Clock): number {
  return Number(clock.nowNs() / 1_000_000n) / 1000;
}

async function checkEvents(cluster: NomadCluster, signal: AbortSignal): Promise<Finding> {
  const path = `/v1/event/stream?topic=Job&topic=Allocation&topic=Evaluation&index=${NO_EVENTS}`;
  const answer = await cluster.askInNamespace({ path, signal, firstLine: true });
  const refused = answer.status === 403 || /permission denied/i.test(answer.text);
  if (refused || (answer.status === 200 && !answer.text.includes("\n")))
    return fail(
      `the event stream is closed before its first line${refused ? ": permission denied" : ""}`,
      `Give the token read-job in namespace "${cluster.namespace}"; workload identities may read events from Nomad 1.10 on.`,
    );
  if (answer.status !== 200)
    return fail(`the event stream is refused: ${saidBy(answer)}`, "Look whether the servers have enable_event_broker = false.");
  return ok("gives its first line");
}
