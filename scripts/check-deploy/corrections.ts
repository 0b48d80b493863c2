/**
 * What the bindings of providers do not say and we know: which arguments are write-only or sensitive, and the providers' own configurations,
 * whose blocks the bindings write without types. Kept by hand, from the providers' documentation.
 */
import type { SchemaAttribute, SchemaBlock, TypeSchema } from "./schema.ts";

const text: SchemaAttribute = { type: "string", optional: true };
const texts: SchemaAttribute = { type: ["set", "string"], optional: true };
const map: SchemaAttribute = { type: ["map", "string"], optional: true };
const flag: SchemaAttribute = { type: "bool", optional: true };

/** Names of arguments that are secret wherever they are. */
const SENSITIVE =
  /^(password|master_password|secret_string|secret_binary|auth_token|private_key|private_key_pem|private_key_openssh|private_key_pem_pkcs8|base64)$/;
/** Types of which an argument of a name above is no secret: random_bytes is a secret by its use, but random_id is not. */
const NOT_SENSITIVE: ReadonlySet<string> = new Set(["random_id base64"]);
/** More of them: `type argument`. */
const SENSITIVE_OF: ReadonlySet<string> = new Set(["random_password result", "random_password bcrypt_hash", "random_bytes hex"]);

/** The block with write-only and sensitive arguments marked. */
export function corrected(type: string, block: SchemaBlock): SchemaBlock {
  const attributes = Object.entries(block.attributes ?? {}).map(([name, attribute]) => {
    const sensitive = (SENSITIVE.test(name) && !NOT_SENSITIVE.has(`${type} ${name}`)) || SENSITIVE_OF.has(`${type} ${name}`);
    const writeOnly = name.endsWith("_wo") && attribute.computed !== true;
    return [name, { ...attribute, ...((sensitive || writeOnly) && { sensitive: true }), ...(writeOnly && { write_only: true }) }] as const;
  });
  const blocks = Object.entries(block.block_types ?? {}).map(
    ([name, nested]) => [name, { ...nested, block: corrected(type, nested.block) }] as const,
  );
  return {
    ...(attributes.length > 0 && { attributes: Object.fromEntries(attributes) }),
    ...(blocks.length > 0 && { block_types: Object.fromEntries(blocks) }),
  };
}

/** The configuration of each provider whose schema comes from bindings. */
export const PROVIDER_BLOCKS: Readonly<Record<string, SchemaBlock>> = {
  aws: {
    attributes: {
      access_key: text,
      allowed_account_ids: texts,
      custom_ca_bundle: text,
      forbidden_account_ids: texts,
      max_retries: { type: "number", optional: true },
      profile: text,
      region: text,
      retry_mode: text,
      s3_use_path_style: flag,
      secret_key: { ...text, sensitive: true },
      shared_config_files: { type: ["list", "string"], optional: true },
      shared_credentials_files: { type: ["list", "string"], optional: true },
      skip_credentials_validation: flag,
      skip_metadata_api_check: text,
      skip_region_validation: flag,
      skip_requesting_account_id: flag,
      sts_region: text,
      token: { ...text, sensitive: true },
      use_dualstack_endpoint: flag,
      use_fips_endpoint: flag,
    },
    block_types: {
      assume_role: {
        nesting_mode: "list",
        block: {
          attributes: {
            duration: text,
            external_id: text,
            policy: text,
            policy_arns: texts,
            role_arn: text,
            session_name: text,
            tags: map,
          },
        },
      },
      default_tags: { nesting_mode: "list", block: { attributes: { tags: map } }, max_items: 1 },
      ignore_tags: { nesting_mode: "list", block: { attributes: { key_prefixes: texts, keys: texts } }, max_items: 1 },
    },
  },
  random: {},
  tls: {},
};

const count: SchemaAttribute = { type: "number", optional: true, computed: true };
const choice: SchemaAttribute = { type: "bool", optional: true, computed: true };

/** Ephemeral resources that a package of bindings is too old for, by provider. */
export const MORE_EPHEMERALS: Readonly<Record<string, Readonly<Record<string, TypeSchema>>>> = {
  random: {
    random_password: {
      version: 0,
      block: {
        attributes: {
          bcrypt_hash: { type: "string", computed: true, sensitive: true },
          length: { type: "number", required: true },
          lower: choice,
          min_lower: count,
          min_numeric: count,
          min_special: count,
          min_upper: count,
          numeric: choice,
          override_special: text,
          result: { type: "string", computed: true, sensitive: true },
          special: choice,
          upper: choice,
        },
      },
    },
  },
};
