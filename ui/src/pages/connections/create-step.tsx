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

/** The step. */
export function CreateStep({ connector, draft }: { readonly connector: Connector; readonly draft: WizardDraft }) {
  const [name, setName] = useState("");
  const [messages, setMessages] = useState<readonly TestSourceMessage[]>([]);
  const [testing, setTesting] = useState(false);
  const [problem, setProblem] = useState<string>();
  const test = useRef<AbortController | undefined>(undefined);
  useEffect(() => () => test.current?.abort(), []);
  const isNamed = NAME.test(name);
  const body = {
    name,
    connector: connector.id,
    table_type: draft.tableType,
    config: draft.config,
    ...(draft.profileId === undefined ? {} : { connection_profile_id: draft.profileId }),
    ...(connector.formatted || connector.custom_schemas ? { schema: schemaBody(draft.schema, draft.tableType) } : {}),
  };
  const runTest = async () => {
    test.current?.abort();
    const abort = new AbortController();
    test.current = abort;
    setMessages([]);
    setProblem(undefined);
    setTesting(true);
    try {
      await readEvents("/connection_tables/test", { method: "POST", body, signal: abort.signal }, ({ data }) =>
        setMessages((known) => [...known, JSON.parse(data) as TestSourceMessage]),
      );
    } catch (error) {
      if (!abort.signal.aborted) setProblem(messageOf(error));
    }
    if (!abort.signal.aborted) setTesting(false);
  };
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
      {problem !== undefined && <Note tone="bad">{problem}</Note>}
      <div class="row">
        <Button disabled={!isNamed} busy={testing} onClick={() => void runTest()}>
          Test
        </Button>
        <Button type="submit" tone="primary" disabled={!isNamed}>
          Create
        </Button>
      </div>
    </form>
  );
}
