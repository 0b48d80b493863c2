/** Who may do what: roles' rules, verb by verb. https://kubernetes.io/docs/reference/access-authn-authz/rbac/ */
import type { Resource } from "./objects.ts";
import { type ApiRefusal, forbidden } from "./status.ts";

export interface Rule {
  readonly apiGroups?: readonly string[];
  /** "pods", "pods/log". */
  readonly resources?: readonly string[];
  readonly verbs: readonly string[];
  readonly resourceNames?: readonly string[];
}

export interface Subject {
  readonly user: string;
  /** Within the namespace of the cluster's tests. */
  readonly rules: readonly Rule[];
  /** In all namespaces, and for what is in none. */
  readonly clusterRules: readonly Rule[];
}

export interface Attributes {
  readonly verb: string;
  readonly resource: Resource;
  readonly subresource: string;
  readonly namespace: string | undefined;
  readonly name: string;
}

/** The refusal; undefined: allowed. */
export function authorize(subject: Subject, roleNamespace: string, attributes: Attributes): ApiRefusal | undefined {
  const { verb, resource, subresource, namespace, name } = attributes;
  const wanted = subresource === "" ? resource.plural : `${resource.plural}/${subresource}`;
  const rules = namespace === roleNamespace ? [...subject.rules, ...subject.clusterRules] : subject.clusterRules;
  const covers = (list: readonly string[] | undefined, value: string): boolean =>
    list?.includes("*") === true || list?.includes(value) === true;
  const named = ({ resourceNames = [] }: Rule): boolean => resourceNames.length === 0 || resourceNames.includes(name);
  const allowed = rules.some(
    (rule) => covers(rule.apiGroups, resource.group) && covers(rule.resources, wanted) && covers(rule.verbs, verb) && named(rule),
  );
  if (allowed) return undefined;
  const place = namespace === undefined ? "at the cluster scope" : `in the namespace "${namespace}"`;
  return forbidden(resource, name, `User "${subject.user}" cannot ${verb} resource "${wanted}" in API group "${resource.group}" ${place}`);
}
