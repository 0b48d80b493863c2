/**
 * Stands in for Terraform's providers: answers with their schemas on unix sockets, so that `terraform init`, `validate` and `test` run without
 * a provider's binary and without a network. Tests may mock resources in Terraform itself (mock_provider); where they cannot, because
 * mocked providers have no ephemeral resources, made-up values are given here. It creates nothing and checks nothing beyond types.
 */
import { join } from "node:path";
import { Server, ServerCredentials, type UntypedServiceImplementation } from "@grpc/grpc-js";
import { decodeStoredState, decodeTypeRequest, encodeDynamicAnswer, encodeProviderSchema } from "./plugin-protocol.ts";
import type { CtyType, ProviderSchema, SchemaFile, TypeSchema } from "./schema.ts";

const SERVICE = "/tfplugin6.Provider/";
const NOTHING = new Uint8Array();
/** Calls that are answered with nothing, which means: no complaint. */
const AGREED = [
  "ValidateProviderConfig",
  "ValidateResourceConfig",
  "ValidateDataResourceConfig",
  "ValidateEphemeralResourceConfig",
  "ConfigureProvider",
  "RenewEphemeralResource",
  "CloseEphemeralResource",
  "StopProvider",
] as const;

/** Providers that answer. */
export interface StubProviders {
  /** What Terraform expects in the environment variable TF_REATTACH_PROVIDERS. */
  readonly reattach: string;
  stop(): void;
}

type Answer = (request: Uint8Array) => Uint8Array;

/** A text by its name: secrets of AWS are texts of JSON wherever our modules take them apart, and are as good as any text elsewhere. */
const SECRET_STRING = JSON.stringify({ username: "mock", password: "mock" });

/** A value of a type as JSON: what a test sees where a real provider would say something. */
function madeUp(type: CtyType | undefined, name: string, length: unknown): unknown {
  if (type === "bool") return false;
  if (type === "number") return 0;
  if (name === "secret_string") return SECRET_STRING;
  // Of a Nomad variable that is read back: the platform module keeps each secret in one of its own.
  if (name === "items") return { value: "mock" };
  if (type === "string" || type === undefined || type === "dynamic") return typeof length === "number" ? "m".repeat(length) : "mock";
  if (type[0] === "map") return {};
  const [kind, of] = type;
  if (kind === "object")
    return Object.fromEntries(Object.entries(of as { [name: string]: CtyType }).map(([key, one]) => [key, madeUp(one, key, undefined)]));
  // A list of objects describes parts of the thing, such as the secret that a database made: there is one.
  return kind === "list" && Array.isArray(of) && of[0] === "object" ? [madeUp(of as CtyType, name, length)] : [];
}

/** A value of a type that has what is in `fact`, and something made up for the rest of it. */
function filled(type: CtyType | undefined, name: string, fact: unknown): unknown {
  const [kind, of] = typeof type === "string" || type === undefined ? [type] : type;
  if (kind === "list" && Array.isArray(fact)) return fact.map((one) => filled(of as CtyType, name, one));
  if (kind !== "object" || typeof fact !== "object" || fact === null) return fact;
  const members = Object.entries(of as { [name: string]: CtyType });
  return Object.fromEntries(
    members.map(([key, one]) => [key, key in fact ? filled(one, key, fact[key as keyof typeof fact]) : madeUp(one, key, undefined)]),
  );
}

/** What is true of the world that a stand-in speaks of: attributes by type of data source or resource. The rest is made up. */
export type Facts = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

/** An object of a type: what was given, something for what is computed, nothing for what is only written. */
function completed(schema: TypeSchema | undefined, value: unknown, facts: Readonly<Record<string, unknown>> = {}): unknown {
  // No object: a plan to destroy.
  if (value === null || value === undefined) return null;
  const given = value as Readonly<Record<string, unknown>>;
  const attributes = Object.entries(schema?.block.attributes ?? {}).map(([name, { computed, write_only, type }]) => {
    const member = write_only === true ? null : (given[name] ?? null);
    if (member === null && name in facts) return [name, filled(type, name, facts[name])] as const;
    return [name, member === null && computed === true ? madeUp(type, name, given["length"]) : member] as const;
  });
  const blocks = Object.entries(schema?.block.block_types ?? {}).map(
    ([name, { nesting_mode }]) => [name, given[name] ?? (nesting_mode === "single" ? null : [])] as const,
  );
  return Object.fromEntries([...attributes, ...blocks]);
}

/** The calls of a provider. Numbers are those of the protocol's fields: of the value taken, of the value given, of "as SDK version 2 does". */
function answers(schema: ProviderSchema, facts: Facts): Readonly<Record<string, Answer>> {
  const encoded = encodeProviderSchema(schema);
  const complete = (types: Readonly<Record<string, TypeSchema>>, from: number, to: number, flags: readonly number[] = []): Answer => {
    return (request) => {
      const { type, values } = decodeTypeRequest(request, [from]);
      return encodeDynamicAnswer(to, completed(types[type], values.get(from), facts[type]), flags);
    };
  };
  return {
    ...Object.fromEntries(AGREED.map((name) => [name, () => NOTHING])),
    GetProviderSchema: () => encoded,
    UpgradeResourceState: (request) => {
      const { type, state } = decodeStoredState(request);
      return encodeDynamicAnswer(1, completed(schema.resource_schemas[type], state, facts[type]));
    },
    ReadResource: complete(schema.resource_schemas, 2, 1),
    PlanResourceChange: complete(schema.resource_schemas, 3, 1, [5]),
    ApplyResourceChange: complete(schema.resource_schemas, 3, 1, [4]),
    ReadDataSource: complete(schema.data_source_schemas, 2, 1),
    OpenEphemeralResource: complete(schema.ephemeral_resource_schemas, 2, 3),
  };
}

function serve(schema: ProviderSchema, facts: Facts): Server {
  const server = new Server({ "grpc.max_send_message_length": -1 });
  const handlers = answers(schema, facts);
  const plain = {
    requestSerialize: Buffer.from,
    requestDeserialize: (bytes: Buffer) => bytes,
    responseDeserialize: (bytes: Buffer) => bytes,
  };
  const definition = Object.fromEntries(
    Object.keys(handlers).map((name) => [
      name,
      {
        ...plain,
        path: SERVICE + name,
        requestStream: false,
        responseStream: false,
        responseSerialize: (bytes: Uint8Array) => Buffer.from(bytes),
      },
    ]),
  );
  const implementation: UntypedServiceImplementation = Object.fromEntries(
    Object.entries(handlers).map(([name, answer]) => [
      name,
      (call: { request: Uint8Array }, done: (error: null, value: Uint8Array) => void) => done(null, answer(call.request)),
    ]),
  );
  server.addService(definition, implementation);
  return server;
}

/** Starts a stand-in for every provider of `files`, with its socket in `folder`, whose path has to be short (a socket's has 107 bytes). */
export async function startStubProviders(files: readonly SchemaFile[], folder: string, facts: Facts = {}): Promise<StubProviders> {
  const servers: Server[] = [];
  const reattach: Record<string, unknown> = {};
  for (const [at, { source, schema }] of files.entries()) {
    const server = serve(schema, facts);
    const socket = join(folder, `${at}.sock`);
    await new Promise<void>((resolve, reject) => {
      server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) => (error === null ? resolve() : reject(error)));
    });
    servers.push(server);
    const address = { Network: "unix", String: socket };
    reattach[source] = { Protocol: "grpc", ProtocolVersion: 6, Pid: process.pid, Test: true, Addr: address };
  }
  return {
    reattach: JSON.stringify(reattach),
    stop: () => {
      for (const server of servers) server.forceShutdown();
    },
  };
}
