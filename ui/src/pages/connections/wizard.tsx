/**
 * Making a connection step by step: profile (of connectors that have one), options, columns and format, test and name.
 */
import { useState } from "preact/hooks";
import type { Collection } from "../../api/lists.ts";
import { usePolled } from "../../api/polling.ts";
import type { ConnectionType, Connector } from "../../api/types.ts";
import { Button } from "../../components/button.tsx";
import { Empty } from "../../components/empty.tsx";
import { Icon } from "../../components/icon.tsx";
import { useTitle } from "../../components/title.ts";
import { paths } from "../../paths.ts";
import { Link } from "../../router.tsx";
import { CreateStep } from "./create-step.tsx";
import { OptionsStep } from "./options-step.tsx";
import { ProfileStep } from "./profile-step.tsx";
import { EMPTY_SCHEMA, type SchemaDraft, SchemaStep } from "./schema-step.tsx";

/** What has been entered so far. */
export interface WizardDraft {
  readonly profileId: string | undefined;
  readonly tableType: ConnectionType;
  readonly config: Readonly<Record<string, unknown>>;
  readonly schema: SchemaDraft;
}

/** What every step is given. */
export interface StepProps {
  readonly connector: Connector;
  readonly draft: WizardDraft;
  onChange(draft: WizardDraft): void;
  onNext(): void;
}

/** The page. */
export function ConnectionWizardPage({ connector: id }: { readonly connector: string }) {
  useTitle("New connection");
  const { data, error } = usePolled<Collection<Connector>>("/connectors", 0);
  const connector = data?.data.find((known) => known.id === id);
  return (
    <div class="page page-narrow">
      <div class="page-head">
        <Link to={paths.connectionGallery} class="crumb" aria-label="All connectors">
          <Icon name="back" />
        </Link>
        <h1>New {id} connection</h1>
      </div>
      {connector !== undefined && <Wizard connector={connector} />}
      {connector === undefined && (data !== undefined || error !== undefined) && (
        <Empty icon="info" title={error?.message ?? "There is no such connector"} />
      )}
    </div>
  );
}

type StepId = "profile" | "options" | "schema" | "create";

const TITLES: Readonly<Record<StepId, string>> = { profile: "Profile", options: "Table", schema: "Schema", create: "Test and create" };

function Wizard({ connector }: { readonly connector: Connector }) {
  const [at, setAt] = useState(0);
  const [draft, setDraft] = useState<WizardDraft>({
    profileId: undefined,
    tableType: connector.source ? "source" : connector.sink ? "sink" : "lookup",
    config: {},
    schema: EMPTY_SCHEMA,
  });
  const steps: readonly StepId[] = [
    ...(connector.connection_config === null ? [] : (["profile"] as const)),
    "options",
    ...(connector.formatted || connector.custom_schemas ? (["schema"] as const) : []),
    "create",
  ];
  const step = steps[at] ?? "create";
  const props: StepProps = { connector, draft, onChange: setDraft, onNext: () => setAt(at + 1) };
  return (
    <>
      <ol class="wizard-steps">
        {steps.map((id, i) => (
          <li key={id} data-state={i < at ? "done" : i === at ? "now" : "next"} aria-current={i === at ? "step" : undefined}>
            <button type="button" disabled={i >= at} onClick={() => setAt(i)}>
              <span class="step-number">{i < at ? <Icon name="check" /> : i + 1}</span>
              <span class="truncate">{TITLES[id]}</span>
            </button>
          </li>
        ))}
      </ol>
      <section class="card card-body stack" aria-label={TITLES[step]}>
        {step === "profile" && <ProfileStep {...props} />}
        {step === "options" && <OptionsStep {...props} />}
        {step === "schema" && <SchemaStep {...props} />}
        {step === "create" && <CreateStep connector={connector} draft={draft} />}
      </section>
      {at > 0 && (
        <div class="wizard-back">
          <Button tone="quiet" icon="back" onClick={() => setAt(at - 1)}>
            Back
          </Button>
        </div>
      )}
    </>
  );
}
