/** Where people find what was deployed: addresses of the services that have a page, as Nomad knows them. */
import type { Deployment } from "./deployment.ts";
import { readItems, variablePathOf } from "./secrets.ts";

/** A page. */
export interface PageUrl {
  readonly name: string;
  readonly url: string;
  /** With what is needed to get in. */
  readonly text: string;
}

const PAGES: readonly { readonly name: string; readonly service: string }[] = [
  { name: "ui", service: "wadi-api" },
  { name: "prometheus", service: "wadi-prometheus" },
  { name: "pushgateway", service: "wadi-pushgateway" },
  { name: "grafana", service: "wadi-grafana" },
];

interface Registration {
  readonly Address?: string;
  readonly Port?: number;
}

/** Base URLs of a service's instances. */
export async function serviceUrls(
  { client, namespace }: Pick<Deployment, "client" | "namespace">,
  service: string,
): Promise<readonly string[]> {
  const { body } = await client.call({ path: `/v1/service/${service}`, query: { namespace }, accept: [404] });
  const rows = Array.isArray(body) ? (body as Registration[]) : [];
  return rows.map(({ Address = "", Port = 0 }) => `http://${Address.includes(":") ? `[${Address}]` : Address}:${Port}`);
}

/** The pages that are there. `link`: with the token that opens the UI, for a terminal; else how to read it. */
export async function urlLines(
  deployment: Pick<Deployment, "client" | "namespace">,
  { link }: { readonly link: boolean },
): Promise<readonly PageUrl[]> {
  const pages = await Promise.all(
    PAGES.map(async ({ name, service }) => {
      const [url] = await serviceUrls(deployment, service);
      return url === undefined ? [] : [{ name, url, text: name === "ui" ? await uiText(deployment, url, link) : url }];
    }),
  );
  return [...pages.flat(), { name: "nomad", url: deployment.client.address, text: deployment.client.address }];
}

async function uiText({ client, namespace }: Pick<Deployment, "client" | "namespace">, url: string, link: boolean): Promise<string> {
  const path = variablePathOf("api");
  const command = `nomad var get -namespace ${namespace} -out json ${path} | jq -r .Items.session_token`;
  if (!link) return `${url}  (token: ${command})`;
  const { items } = await readItems(client, path, namespace).catch(() => ({ items: {} as Readonly<Record<string, string>> }));
  const token = items["session_token"];
  return token === undefined ? `${url}  (token: ${command})` : `${url}/#token=${token}`;
}
