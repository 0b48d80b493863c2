/**
 * First step of connectors whose tables share settings such as brokers and credentials: choose a profile or make one.
 */
import { useState } from "preact/hooks";
import { messageOf, request } from "../../api/client.ts";
import type { JsonSchema } from "../../api/json-schema.ts";
import type { Collection } from "../../api/lists.ts";
import { usePolled } from "../../api/polling.ts";
import type { ConnectionProfile, TestSourceMessage } from "../../api/types.ts";
import { Button } from "../../components/button.tsx";
import { TextField } from "../../components/field.tsx";
import { Note } from "../../components/note.tsx";
import { missingFields, SchemaForm } from "../../components/schema-form.tsx";
import type { StepProps } from "./wizard.tsx";

/** The step. */
export function ProfileStep({ connector, draft, onChange, onNext }: StepProps) {
  const { data, refresh } = usePolled<Collection<ConnectionProfile>>("/connection_profiles", 0);
  const profiles = data?.data.filter((profile) => profile.connector === connector.id) ?? [];
  const [making, setMaking] = useState(false);
  const choose = (profileId: string) => onChange({ ...draft, profileId });
  return (
    <>
      <ul class="choices">
        {profiles.map((profile) => (
          <li key={profile.id}>
            <button type="button" class="choice" aria-pressed={draft.profileId === profile.id} onClick={() => choose(profile.id)}>
              <strong>{profile.name}</strong>
              <span class="muted small">{profile.description}</span>
            </button>
          </li>
        ))}
      </ul>
      {making || profiles.length === 0 ? (
        <NewProfile
          connectorId={connector.id}
          schemaText={connector.connection_config ?? "{}"}
          onMade={(profile) => {
            refresh();
            choose(profile.id);
            setMaking(false);
          }}
        />
      ) : (
        <div>
          <Button icon="plus" onClick={() => setMaking(true)}>
            New profile
          </Button>
        </div>
      )}
      <div class="row">
        <Button tone="primary" disabled={draft.profileId === undefined} onClick={onNext}>
          Next
        </Button>
      </div>
    </>
  );
}

interface NewProfileProps {
  readonly connectorId: string;
  readonly schemaText: string;
  onMade(profile: ConnectionProfile): void;
}

function NewProfile({ connectorId, schemaText, onMade }: NewProfileProps) {
  const schema = JSON.parse(schemaText) as JsonSchema;
  const [name, setName] = useState("");
  const [config, setConfig] = useState<Readonly<Record<string, unknown>>>({});
  const [result, setResult] = useState<{ ok: boolean; text: string }>();
  const isComplete = name.trim() !== "" && missingFields(schema, config).length === 0;
  const body = { name: name.trim(), connector: connectorId, config };
  const attempt = async (work: () => Promise<string>) => {
    try {
      setResult({ ok: true, text: await work() });
    } catch (error) {
      setResult({ ok: false, text: messageOf(error) });
    }
  };
  const test = () =>
    attempt(async () => {
      const message = await request<TestSourceMessage>("/connection_profiles/test", { method: "POST", body });
      if (message.error) throw new Error(message.message);
      return message.message;
    });
  const make = () =>
    attempt(async () => {
      onMade(await request<ConnectionProfile>("/connection_profiles", { method: "POST", body }));
      return "Created";
    });
  return (
    <>
      <TextField label="Profile name" value={name} onText={setName} required />
      <SchemaForm schema={schema} value={config} onChange={setConfig} />
      {result !== undefined && <Note tone={result.ok ? "ok" : "bad"}>{result.text}</Note>}
      <div class="row">
        <Button disabled={!isComplete} onClick={() => void test()}>
          Test
        </Button>
        <Button disabled={!isComplete} onClick={() => void make()}>
          Create profile
        </Button>
      </div>
    </>
  );
}
