/**
 * The editor: query and functions, the catalog beside them, graph, rows and problems below. It loads and keeps the draft.
 */
import type { RefObject } from "preact";
import { useCallback, useEffect, useMemo, useRef, useState } from "preact/hooks";
import { messageOf, request } from "../../api/client.ts";
import type { Collection, Page } from "../../api/lists.ts";
import { usePolled } from "../../api/polling.ts";
import type { ConnectionTable, Connector, GlobalUdf, Pipeline, SqlDiagnostic } from "../../api/types.ts";
import { Button } from "../../components/button.tsx";
import { CodeEditor, type CodeEditorHandle, type CodeFinding } from "../../components/code-editor.tsx";
import { Menu } from "../../components/menu.tsx";
import { SplitPane } from "../../components/split-pane.tsx";
import { useTitle } from "../../components/title.ts";
import { showToast } from "../../components/toast.tsx";
import { Catalog, tableOfCluster, tableOfScript } from "./catalog.tsx";
import { declaredTables } from "./declared-tables.ts";
import { type Draft, EMPTY_DRAFT, loadDraft, saveDraft } from "./draft.ts";
import { ExamplesDialog } from "./examples-dialog.tsx";
import { FileTabs } from "./file-tabs.tsx";
import { usePreview } from "./preview.ts";
import { Results, type ResultTab } from "./results.tsx";
import { StartDialog } from "./start-dialog.tsx";
import { ShareUdfDialog, ShowUdfDialog } from "./udf-dialogs.tsx";
import { useUdfValidation, useValidation } from "./validation.ts";

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

/** What the page knows and can do, without how it looks. */
function useEditor(draft: Draft, setDraft: (draft: Draft) => void) {
  const [file, setFile] = useState(0);
  const [tab, setTab] = useState<ResultTab>("graph");
  const handle = useRef<CodeEditorHandle>(null);
  const validation = useValidation(draft);
  const preview = usePreview();
  const catalog = useCatalog(draft.query);
  const openUdf = file === 0 ? undefined : draft.udfs[file - 1];
  const udf = useUdfValidation(openUdf?.definition);
  const isEmpty = draft.query.trim() === "";

  const runPreview = (enableSinks = false) => {
    const isWrong = validation.hasErrors && !validation.pending;
    setTab(isWrong ? "problems" : "rows");
    if (!isEmpty && !isWrong) preview.start(draft, enableSinks);
  };
  const jumpTo = ({ span }: SqlDiagnostic) => {
    setFile(0);
    // The editor of the query may have to be shown first.
    setTimeout(() => span !== undefined && handle.current?.jumpTo(span.start.offset, span.end.offset));
  };
  const insert = (text: string) => handle.current?.insert(text);
  const replaceDraft = (next: Draft) => {
    setFile(0);
    setDraft(next);
  };
  return {
    file,
    setFile,
    tab,
    setTab,
    handle,
    validation,
    preview,
    catalog,
    openUdf,
    udf,
    isEmpty,
    runPreview,
    jumpTo,
    insert,
    replaceDraft,
  };
}

function Editor({ draft, setDraft, from, name }: EditorProps) {
  const [dialog, setDialog] = useState<OpenDialog>();
  const [catalogShown, setCatalogShown] = useState(false);
  const { file, setFile, validation, preview, catalog, openUdf, udf, insert, replaceDraft, ...editor } = useEditor(draft, setDraft);
  return (
    <div class="page-full editor" data-catalog={catalogShown}>
      <EditorHead
        title={from === undefined ? "New pipeline" : `Copy of ${name === "" ? from : name}`}
        isEmpty={editor.isEmpty}
        isRunning={preview.phase === "starting" || preview.phase === "running"}
        catalogShown={catalogShown}
        onCatalog={() => setCatalogShown((shown) => !shown)}
        onDialog={(kind) => setDialog({ kind })}
        onPreview={editor.runPreview}
        onStop={preview.stop}
        onDiscard={() => replaceDraft(EMPTY_DRAFT)}
      />
      <aside class="editor-catalog" aria-label="Catalog">
        <Catalog {...catalog} onInsert={insert} onOpenUdf={(shared) => setDialog({ kind: "udf", udf: shared })} />
      </aside>
      <SplitPane
        storageKey="editor-split"
        top={
          <EditorFiles
            draft={draft}
            file={file}
            udfName={udf.name}
            findings={openUdf === undefined ? validation.marks : udf.marks}
            tables={catalog.completion}
            handle={editor.handle}
            onFile={setFile}
            onChange={setDraft}
            onShare={() => setDialog({ kind: "share" })}
            onRun={() => editor.runPreview()}
          />
        }
        bottom={
          <Results
            tab={editor.tab}
            onTab={editor.setTab}
            validation={validation}
            preview={preview}
            udfErrors={udf.errors}
            onFinding={editor.jumpTo}
          />
        }
      />
      {dialog !== undefined && (
        <EditorDialog
          dialog={dialog}
          draft={draft}
          from={from}
          name={name}
          openUdf={openUdf?.definition}
          hasErrors={validation.hasErrors}
          onClose={() => setDialog(undefined)}
          onQuery={(query) => replaceDraft({ ...draft, query })}
          onUdfs={catalog.refresh}
          onInsert={insert}
        />
      )}
    </div>
  );
}

interface EditorFilesProps {
  readonly draft: Draft;
  /** 0: the query, i: function i − 1. */
  readonly file: number;
  /** Of the open function. */
  readonly udfName: string | undefined;
  /** In the open file. */
  readonly findings: readonly CodeFinding[];
  readonly tables: Readonly<Record<string, readonly string[]>>;
  readonly handle: RefObject<CodeEditorHandle | null>;
  onFile(file: number): void;
  onChange(draft: Draft): void;
  onShare(): void;
  onRun(): void;
}

/** The query and the functions, one of them open. */
function EditorFiles({ draft, file, udfName, findings, tables, handle, onFile, onChange, onShare, onRun }: EditorFilesProps) {
  const isQuery = file === 0;
  const onText = (text: string) =>
    onChange(
      isQuery ? { ...draft, query: text } : { ...draft, udfs: draft.udfs.map((udf, i) => (i === file - 1 ? { definition: text } : udf)) },
    );
  return (
    <div class="editor-files">
      <FileTabs draft={draft} selected={file} names={{ [file]: udfName }} onSelect={onFile} onChange={onChange} onShare={onShare} />
      <CodeEditor
        key={file}
        label={isQuery ? "Query" : "Function"}
        language={isQuery ? "sql" : "typescript"}
        value={isQuery ? draft.query : (draft.udfs[file - 1]?.definition ?? "")}
        findings={findings}
        tables={tables}
        placeholder={isQuery ? "SELECT … or open an example" : ""}
        handle={handle}
        onChange={onText}
        onRun={onRun}
      />
    </div>
  );
}

interface EditorHeadProps {
  readonly title: string;
  readonly isEmpty: boolean;
  readonly isRunning: boolean;
  readonly catalogShown: boolean;
  onCatalog(): void;
  onDialog(kind: "start" | "examples"): void;
  onPreview(enableSinks?: boolean): void;
  onStop(): void;
  onDiscard(): void;
}

function EditorHead({ title, isEmpty, isRunning, catalogShown, onCatalog, onDialog, onPreview, onStop, onDiscard }: EditorHeadProps) {
  const more = [
    { label: "Preview, and write to the sinks", icon: "sink", disabled: isEmpty || isRunning, onSelect: () => onPreview(true) },
    { label: "Discard the draft", icon: "trash", tone: "danger", disabled: isEmpty, onSelect: onDiscard },
  ] as const;
  return (
    <header class="editor-head">
      <h1 class="truncate">{title}</h1>
      <Button tone="quiet" icon="table" class="only-phone" aria-expanded={catalogShown} onClick={onCatalog}>
        Catalog
      </Button>
      <Button tone="quiet" icon="book" onClick={() => onDialog("examples")}>
        Examples
      </Button>
      {isRunning ? (
        <Button icon="stop" onClick={onStop}>
          Stop preview
        </Button>
      ) : (
        <Button icon="play" disabled={isEmpty} onClick={() => onPreview()} title="Ctrl+Enter">
          Preview
        </Button>
      )}
      <Button tone="primary" icon="pipelines" disabled={isEmpty} onClick={() => onDialog("start")}>
        Start
      </Button>
      <Menu label="More" items={more} />
    </header>
  );
}

interface EditorDialogProps {
  readonly dialog: OpenDialog;
  readonly draft: Draft;
  readonly from: string | undefined;
  readonly name: string;
  readonly openUdf: string | undefined;
  readonly hasErrors: boolean;
  onClose(): void;
  onQuery(query: string): void;
  onUdfs(): void;
  onInsert(text: string): void;
}

function EditorDialog({ dialog, draft, from, name, openUdf, hasErrors, onClose, onQuery, onUdfs, onInsert }: EditorDialogProps) {
  switch (dialog.kind) {
    case "start":
      return (
        <StartDialog draft={draft} from={from} suggestedName={name === "" ? "" : `${name}-copy`} hasErrors={hasErrors} onClose={onClose} />
      );
    case "examples":
      return (
        <ExamplesDialog
          replaces={draft.query.trim() !== ""}
          onClose={onClose}
          onChoose={(query) => {
            onQuery(query);
            onClose();
          }}
        />
      );
    case "share":
      return openUdf === undefined ? null : <ShareUdfDialog definition={openUdf} onClose={onClose} onShared={onUdfs} />;
    case "udf":
      return <ShowUdfDialog udf={dialog.udf} onClose={onClose} onDeleted={onUdfs} onInsert={onInsert} />;
  }
}

/** Tables and functions that the query can name. */
function useCatalog(query: string) {
  const tables = usePolled<Page<ConnectionTable>>("/connection_tables?limit=1000", CATALOG_MS);
  const udfs = usePolled<Collection<GlobalUdf>>("/udfs", CATALOG_MS);
  const connectors = usePolled<Collection<Connector>>("/connectors", 0);
  const { refresh } = udfs;
  const known = connectors.data?.data;
  const scriptTables = useMemo(() => declaredTables(query).map((table) => tableOfScript(table, known ?? [])), [query, known]);
  const clusterTables = useMemo(() => tables.data?.data.map(tableOfCluster), [tables.data]);
  // Completion is set up anew only when names change, not at every keystroke.
  const names = JSON.stringify(
    [...scriptTables, ...(clusterTables ?? [])].map(({ name, columns }) => [name, columns.map((column) => column.name)]),
  );
  const completion = useMemo(() => Object.fromEntries(JSON.parse(names) as [string, string[]][]), [names]);
  return { scriptTables, clusterTables, udfs: udfs.data?.data, completion, refresh };
}
