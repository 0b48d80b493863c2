/** A Nomad cluster as the checks ask it: the first agent that answers, and the lists that several checks look at, read once. */
import { type Agent, type Answer, ask, parseAnswer, type Question } from "./ask.ts";

/** A node as `/v1/nodes` lists it; what is looked at. */
export interface NodeStub {
  readonly ID: string;
  readonly Name: string;
  readonly Address?: string;
  readonly Datacenter: string;
  readonly NodePool?: string;
  readonly Version?: string;
  readonly Status: string;
  readonly SchedulingEligibility?: string;
  readonly Drain?: boolean;
  readonly Drivers?: Readonly<
    Record<string, { readonly Detected?: boolean; readonly Healthy?: boolean; readonly HealthDescription?: string }>
  >;
}

/** A server as `/v1/agent/members` lists it. */
export interface Member {
  readonly Name: string;
  readonly Status?: string;
  readonly Tags?: Readonly<Record<string, string>>;
}

/** See the file's comment. */
export class NomadCluster {
  readonly agents: readonly Agent[];
  readonly namespace: string;
  #answering: Agent | undefined;
  #nodes: Promise<readonly NodeStub[]> | undefined;
  #members: Promise<readonly Member[]> | undefined;

  constructor(agents: readonly Agent[], namespace: string) {
    this.agents = agents;
    this.namespace = namespace;
  }

  /** The agent that answered first; before that the first one. */
  get agent(): Agent {
    const agent = this.#answering ?? this.agents[0];
    return agent ?? { address: "", token: undefined, region: undefined, tls: NO_TLS };
  }

  /** Remembers that `agent` answers. */
  answers(agent: Agent): void {
    this.#answering ??= agent;
  }

  /** Asks the agent that answers. */
  ask(question: Question): Promise<Answer> {
    return ask(this.agent, question);
  }

  /** Asks what everybody may ask: a bad token is no answer to it. */
  askOpenly(question: Question): Promise<Answer> {
    return ask({ ...this.agent, token: undefined }, question);
  }

  /** Asks in the configured namespace. */
  askInNamespace(question: Question): Promise<Answer> {
    const { path } = question;
    const namespace = `namespace=${encodeURIComponent(this.namespace)}`;
    return this.ask({ ...question, path: `${path}${path.includes("?") ? "&" : "?"}${namespace}` });
  }

  /** All nodes. Throws what Nomad says if it refuses. */
  nodes(signal: AbortSignal): Promise<readonly NodeStub[]> {
    this.#nodes ??= this.ask({ path: "/v1/nodes", signal }).then((answer) => parseAnswer<NodeStub[]>(answer, "the list of nodes"));
    return this.#nodes;
  }

  /** All servers. Throws what Nomad says if it refuses. */
  members(signal: AbortSignal): Promise<readonly Member[]> {
    this.#members ??= this.ask({ path: "/v1/agent/members", signal }).then(
      (answer) => parseAnswer<{ Members?: Member[] }>(answer, "the list of servers").Members ?? [],
    );
    return this.#members;
  }
}

const NO_TLS = { ca: undefined, cert: undefined, key: undefined, serverName: undefined, skipVerify: false } as const;
