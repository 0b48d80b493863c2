/**
 * The last step: a name, a test whose steps appear as they happen, and the connection is made.
 */
import { useEffect, useRef, useState } from "preact/hooks";
import { messageOf, request } from "../../api/client.ts";
import { readEvents } from "../../api/event-stream.ts";
import type { ConnectionTable, Connector, TestSourceMessage } from "../../api/types.ts";
import { Button } from "../../components/button.tsx";
import { TextField } from "../../components/field.tsx";
import { Icon } from "../../components/icon.tsx";
import { Note } from "../../components/note.tsx";
import { showToast } from "../../components/toast.tsx";
import { paths } from "../../paths.ts";
import { navigate } from "../../router.tsx";
import { schemaBody } from "./schema-step.tsx";
import type { WizardDraft } from "./wizard.tsx";

const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,62}$/;

interface CreateStepProps {
  readonly connector: Connector;
  readonly draft: WizardDraft;
}

/** The step. */
export function CreateStep({ connector, draft }: CreateStepProps) {
  const [name, setName] = useState("");
  const [problem, setProblem] = useState<string>();
  const isNamed = NAME.test(name);
  const body = tableBody(name, connector, draft);
  const test = useConnectionTest(setProblem);
  const create = async (event: Event) => {
    event.preventDefault();
    try {
      const table = await request<ConnectionTable>("/connection_tables", { method: "POST", body });
      showToast(`Created ${table.name}`);
      navigate(paths.connections);
    } catch (error) {
      setProblem(messageOf(error));
    }
  };
  return (
    <form class="stack" onSubmit={(event) => void create(event)}>
      <TextField
        label="Name"
        hint="What queries call it: letters, digits and underscores."
        value={name}
        error={name !== "" && !isNamed ? "Begin with a letter or underscore; letters, digits and underscores only, at most 63." : undefined}
        onText={setName}
        placeholder="orders"
        autoFocus
        maxLength={63}
      />
      <TestSteps messages={test.messages} testing={test.testing} />
      {problem !== undefined && <Note tone="bad">{problem}</Note>}
      <div class="row">
        <Button disabled={!isNamed} busy={test.testing} onClick={() => void test.run(body)}>
          Test
        </Button>
        <Button type="submit" tone="primary" disabled={!isNamed}>
          Create
        </Button>
      </div>
    </form>
  );
}

/** The connection as the API takes it. */
function tableBody(name: string, connector: Connector, draft: WizardDraft): unknown {
  return {
    name,
    connector: connector.id,
    table_type: draft.tableType,
    config: draft.config,
    ...(draft.profileId === undefined ? {} : { connection_profile_id: draft.profileId }),
    ...(connector.formatted || connector.custom_schemas ? { schema: schemaBody(draft.schema, draft.tableType) } : {}),
  };
}

/** Tests a connection, one at a time; `onProblem` gets what keeps the test from running. */
function useConnectionTest(onProblem: (problem: string | undefined) => void) {
  const [messages, setMessages] = useState<readonly TestSourceMessage[]>([]);
  const [testing, setTesting] = useState(false);
  const current = useRef<AbortController | undefined>(undefined);
  useEffect(() => () => current.current?.abort(), []);
  const run = async (body: unknown) => {
    current.current?.abort();
    const abort = new AbortController();
    current.current = abort;
    setMessages([]);
    onProblem(undefined);
    setTesting(true);
    try {
      await readEvents("/connection_tables/test", { method: "POST", body, signal: abort.signal }, ({ data }) =>
        setMessages((known) => [...known, JSON.parse(data) as TestSourceMessage]),
      );
    } catch (error) {
      if (!abort.signal.aborted) onProblem(messageOf(error));
    }
    if (!abort.signal.aborted) setTesting(false);
  };
  return { messages, testing, run };
}

function TestSteps({ messages, testing }: { readonly messages: readonly TestSourceMessage[]; readonly testing: boolean }) {
  return (
    <ul class="test-steps" aria-live="polite">
      {messages.length === 0 && !testing && <li class="muted small">A test tries the connection without keeping anything.</li>}
      {messages.map((message, i) => (
        <li key={`${i}-${message.message}`} data-kind={message.error ? "error" : message.done ? "done" : "step"}>
          <Icon name={message.error ? "error" : "check"} />
          {message.message}
        </li>
      ))}
      {testing && (
        <li>
          <span class="spinner" /> testing
        </li>
      )}
    </ul>
  );
}
