/**
 * The editor: query and functions, the catalog beside them, graph, rows and problems below. It loads and keeps the draft.
 */
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { messageOf, request } from "../../api/client.ts";
import { usePolled } from "../../api/polling.ts";
import type { Collection, ConnectionTable, Page, Pipeline, QueryFinding } from "../../api/shapes.ts";
import { Button } from "../../components/button.tsx";
import { CodeEditor, type CodeEditorHandle } from "../../components/code-editor.tsx";
import { SplitPane } from "../../components/split-pane.tsx";
import { useTitle } from "../../components/title.ts";
import { showToast } from "../../components/toast.tsx";
import { Catalog, type GlobalUdf, tableOfCluster, tableOfScript } from "./catalog.tsx";
import { declaredTables } from "./declared-tables.ts";
import { type Draft, EMPTY_DRAFT, loadDraft, saveDraft } from "./draft.ts";
import { ExamplesDialog } from "./examples-dialog.tsx";
import { FileTabs } from "./file-tabs.tsx";
import { usePreview } from "./preview.ts";
import { Results, type ResultTab } from "./results.tsx";
import { StartDialog } from "./start-dialog.tsx";
import { ShareUdfDialog, ShowUdfDialog } from "./udf-dialogs.tsx";
import { codeFindings, useUdfValidation, useValidation } from "./validation.ts";

const CATALOG_MS = 10_000;

/** The page; `from` is the pipeline that the draft starts as a copy of. */
export function EditorPage({ from }: { readonly from: string | undefined }) {
  const { draft, setDraft, name } = useDraft(from);
  useTitle(from === undefined ? "New pipeline" : `Copy of ${name}`);
  return <Editor draft={draft} setDraft={setDraft} from={from} name={name} />;
}

/** The stored draft, else the pipeline to copy, else nothing; every change is stored. */
function useDraft(from: string | undefined) {
  const [stored] = useState(() => loadDraft(from));
  const [draft, setState] = useState<Draft>(stored ?? EMPTY_DRAFT);
  const [name, setName] = useState("");
  useEffect(() => {
    if (from === undefined) return;
    request<Pipeline>(`/pipelines/${from}`).then(
      (pipeline) => {
        setName(pipeline.name);
        if (stored === undefined) setState({ query: pipeline.query, udfs: pipeline.udfs.map(({ definition }) => ({ definition })) });
      },
      (error: unknown) => showToast(`The pipeline could not be copied: ${messageOf(error)}`, "error"),
    );
  }, [from, stored]);
  const setDraft = useCallback(
    (next: Draft) => {
      setState(next);
      saveDraft(from, next);
    },
    [from],
  );
  return { draft, setDraft, name };
}

interface EditorProps {
  readonly draft: Draft;
  setDraft(draft: Draft): void;
  readonly from: string | undefined;
  readonly name: string;
}

type OpenDialog = { readonly kind: "start" | "examples" | "share" } | { readonly kind: "udf"; readonly udf: GlobalUdf };

function Editor({ draft, setDraft, from, name }: EditorProps) {
  const [file, setFile] = useState(0);
  const [tab, setTab] = useState<ResultTab>("graph");
  const [dialog, setDialog] = useState<OpenDialog>();
  const [catalogShown, setCatalogShown] = useState(false);
  const editor = useRef<CodeEditorHandle>(null);
  const validation = useValidation(draft);
  const preview = usePreview();
  const catalog = useCatalog(draft.query);
  const openUdf = file === 0 ? undefined : draft.udfs[file - 1];
  const udfValidation = useUdfValidation(openUdf?.definition);
  const findings = useMemo(() => codeFindings(validation.findings), [validation.findings]);
  const hasErrors = validation.findings.some((finding) => finding.severity === "error");
  const isRunning = preview.phase === "starting" || preview.phase === "running";
  const isEmpty = draft.query.trim() === "";

  const runPreview = () => {
    if (isEmpty) return;
    setTab(hasErrors && !validation.pending ? "problems" : "rows");
    preview.start(draft, false);
  };
  const jumpTo = ({ span }: QueryFinding) => {
    setFile(0);
    // The editor of the query may have to be shown first.
    setTimeout(() => span !== undefined && editor.current?.jumpTo(span.start.offset, span.end.offset));
  };
  const onText = (text: string) =>
    setDraft(
      file === 0 ? { ...draft, query: text } : { ...draft, udfs: draft.udfs.map((udf, i) => (i === file - 1 ? { definition: text } : udf)) },
    );
  const closeDialog = () => setDialog(undefined);

  return (
    <div class="page-full editor" data-catalog={catalogShown}>
      <header class="editor-head">
        <h1 class="truncate">{from === undefined ? "New pipeline" : `Copy of ${name === "" ? from : name}`}</h1>
        <Button tone="quiet" icon="table" class="only-phone" aria-expanded={catalogShown} onClick={() => setCatalogShown(!catalogShown)}>
          Catalog
        </Button>
        <Button tone="quiet" icon="book" onClick={() => setDialog({ kind: "examples" })}>
          Examples
        </Button>
        {isRunning ? (
          <Button icon="stop" onClick={preview.stop}>
            Stop preview
          </Button>
        ) : (
          <Button icon="play" disabled={isEmpty} onClick={runPreview} title="Ctrl+Enter">
            Preview
          </Button>
        )}
        <Button tone="primary" icon="pipelines" disabled={isEmpty} onClick={() => setDialog({ kind: "start" })}>
          Start
        </Button>
      </header>
      <aside class="editor-catalog" aria-label="Catalog">
        <Catalog {...catalog} onInsert={(text) => editor.current?.insert(text)} onOpenUdf={(udf) => setDialog({ kind: "udf", udf })} />
      </aside>
      <SplitPane
        storageKey="editor-split"
        top={
          <div class="editor-files">
            <FileTabs
              draft={draft}
              selected={file}
              names={openUdf === undefined ? {} : { [file]: udfValidation?.udf_name ?? undefined }}
              onSelect={setFile}
              onChange={setDraft}
              onShare={() => setDialog({ kind: "share" })}
            />
            <CodeEditor
              key={file}
              label={file === 0 ? "Query" : "Function"}
              language={file === 0 ? "sql" : "typescript"}
              value={openUdf?.definition ?? draft.query}
              findings={file === 0 ? findings : []}
              tables={catalog.completion}
              placeholder={file === 0 ? "SELECT … or open an example" : ""}
              handle={editor}
              onChange={onText}
              onRun={runPreview}
            />
          </div>
        }
        bottom={
          <Results
            tab={tab}
            onTab={setTab}
            validation={validation}
            preview={preview}
            udfErrors={udfValidation?.errors ?? []}
            onFinding={jumpTo}
          />
        }
      />
      {dialog?.kind === "start" && <StartDialog draft={draft} from={from} suggestedName={name === "" ? "" : `${name}-copy`} hasErrors={hasErrors} onClose={closeDialog} />}
      {dialog?.kind === "examples" && (
        <ExamplesDialog
          replaces={!isEmpty}
          onClose={closeDialog}
          onChoose={(query) => {
            setFile(0);
            setDraft({ ...draft, query });
            closeDialog();
          }}
        />
      )}
      {dialog?.kind === "share" && openUdf !== undefined && (
        <ShareUdfDialog definition={openUdf.definition} onClose={closeDialog} onShared={catalog.refresh} />
      )}
      {dialog?.kind === "udf" && <ShowUdfDialog udf={dialog.udf} onClose={closeDialog} onDeleted={catalog.refresh} onInsert={(text) => editor.current?.insert(text)} />}
    </div>
  );
}

/** Tables and functions that the query can name. */
function useCatalog(query: string) {
  const tables = usePolled<Page<ConnectionTable>>("/connection_tables?limit=1000", CATALOG_MS);
  const udfs = usePolled<Collection<GlobalUdf>>("/udfs", CATALOG_MS);
  const { refresh } = udfs;
  const scriptTables = useMemo(() => declaredTables(query).map(tableOfScript), [query]);
  const clusterTables = useMemo(() => tables.data?.data.map(tableOfCluster), [tables.data]);
  // Completion is set up anew only when names change, not at every keystroke.
  const names = JSON.stringify([...scriptTables, ...(clusterTables ?? [])].map(({ name, columns }) => [name, columns.map((column) => column.name)]));
  const completion = useMemo(() => Object.fromEntries(JSON.parse(names) as [string, string[]][]), [names]);
  return { scriptTables, clusterTables, udfs: udfs.data?.data, completion, refresh };
}
