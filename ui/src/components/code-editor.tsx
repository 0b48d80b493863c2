/**
 * CodeMirror as a component: SQL or TypeScript, findings at their places, completion from the catalog. It lives in a shadow root, where its
 * styles are adopted sheets, so that the page can forbid inline styles.
 */
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { javascript } from "@codemirror/lang-javascript";
import { PostgreSQL, sql } from "@codemirror/lang-sql";
import { bracketMatching, indentOnInput, indentUnit } from "@codemirror/language";
import { type Diagnostic, lintGutter, lintKeymap, setDiagnostics } from "@codemirror/lint";
import { highlightSelectionMatches, search, searchKeymap } from "@codemirror/search";
import { Compartment, EditorSelection, EditorState, type Extension, Prec } from "@codemirror/state";
import {
  drawSelection,
  EditorView,
  highlightActiveLine,
  highlightActiveLineGutter,
  keymap,
  lineNumbers,
  placeholder,
} from "@codemirror/view";
import type { RefObject } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { editorHighlighting, editorTheme } from "./code-theme.ts";

/** The language of a text. */
export type CodeLanguage = "sql" | "typescript";

/** A finding at a place; offsets in UTF-16 units. */
export interface CodeFinding {
  readonly from: number;
  readonly to: number;
  readonly severity: "error" | "warning";
  readonly message: string;
  readonly hint?: string | undefined;
}

/** What can be done to an editor from outside. */
export interface CodeEditorHandle {
  /** Selects a place, scrolls to it and takes the focus. */
  jumpTo(from: number, to: number): void;
  /** Puts a text where the cursor is. */
  insert(text: string): void;
  focus(): void;
}

interface CodeEditorProps {
  readonly label: string;
  readonly language: CodeLanguage;
  readonly value: string;
  readonly readOnly?: boolean;
  readonly findings?: readonly CodeFinding[];
  /** Tables with their columns, for completion. */
  readonly tables?: Readonly<Record<string, readonly string[]>>;
  readonly placeholder?: string;
  readonly handle?: RefObject<CodeEditorHandle | null>;
  onChange?(value: string): void;
  /** Ctrl+Enter or Cmd+Enter. */
  onRun?(): void;
}

const NO_FINDINGS: readonly CodeFinding[] = [];
const NO_TABLES: Readonly<Record<string, readonly string[]>> = {};

/** A text editor as high as its parent. Its text is `value`; a change from outside replaces the text. */
export function CodeEditor(props: CodeEditorProps) {
  const host = useRef<HTMLDivElement>(null);
  const view = useRef<EditorView | undefined>(undefined);
  const language = useRef(new Compartment());
  const latest = useRef(props);
  latest.current = props;
  const { value, findings = NO_FINDINGS, tables = NO_TABLES, handle } = props;

  useEffect(() => {
    if (host.current === null) return undefined;
    const root = host.current.shadowRoot ?? host.current.attachShadow({ mode: "open", delegatesFocus: true });
    const editor = new EditorView({ root, parent: root, state: makeState(latest.current, language.current, () => latest.current) });
    view.current = editor;
    if (handle !== undefined) handle.current = makeHandle(editor);
    return () => {
      editor.destroy();
      view.current = undefined;
      if (handle !== undefined) handle.current = null;
    };
  }, [handle]);

  useEffect(() => {
    const editor = view.current;
    if (editor === undefined || editor.state.doc.toString() === value) return;
    editor.dispatch({ changes: { from: 0, to: editor.state.doc.length, insert: value } });
  }, [value]);

  useEffect(() => {
    const editor = view.current;
    if (editor !== undefined) editor.dispatch(setDiagnostics(editor.state, diagnosticsOf(findings, editor.state.doc.length)));
  }, [findings]);

  useEffect(() => {
    view.current?.dispatch({ effects: language.current.reconfigure(languageOf(props.language, tables)) });
  }, [props.language, tables]);

  return <div class="code" ref={host} />;
}

function makeState(props: CodeEditorProps, language: Compartment, latest: () => CodeEditorProps): EditorState {
  const run = Prec.highest(
    keymap.of([
      {
        key: "Mod-Enter",
        run: () => {
          latest().onRun?.();
          return true;
        },
      },
    ]),
  );
  const readOnly = props.readOnly === true ? [EditorState.readOnly.of(true)] : [highlightActiveLine(), highlightActiveLineGutter()];
  return EditorState.create({
    doc: props.value,
    extensions: [
      run,
      readOnly,
      lineNumbers(),
      ...(props.readOnly === true ? [] : [lintGutter()]),
      history(),
      drawSelection(),
      indentOnInput(),
      indentUnit.of("  "),
      bracketMatching(),
      closeBrackets(),
      autocompletion({ icons: false }),
      highlightSelectionMatches(),
      search({ top: true }),
      keymap.of([
        ...closeBracketsKeymap,
        ...defaultKeymap,
        ...searchKeymap,
        ...historyKeymap,
        ...completionKeymap,
        ...lintKeymap,
        indentWithTab,
      ]),
      language.of(languageOf(props.language, props.tables ?? NO_TABLES)),
      editorTheme,
      editorHighlighting,
      EditorView.lineWrapping,
      EditorView.contentAttributes.of({ "aria-label": props.label, spellcheck: "false", autocapitalize: "off" }),
      ...(props.placeholder === undefined ? [] : [placeholder(props.placeholder)]),
      EditorView.updateListener.of((update) => {
        if (update.docChanged) latest().onChange?.(update.state.doc.toString());
      }),
    ],
  });
}

function languageOf(language: CodeLanguage, tables: Readonly<Record<string, readonly string[]>>): Extension {
  if (language === "typescript") return javascript({ typescript: true });
  const schema = Object.fromEntries(Object.entries(tables).map(([name, columns]) => [name, [...columns]]));
  return sql({ dialect: PostgreSQL, schema, upperCaseKeywords: true });
}

/** Findings as CodeMirror wants them: inside of the text, at least one character wide where there is one. */
function diagnosticsOf(findings: readonly CodeFinding[], length: number): Diagnostic[] {
  return findings.map(({ from, to, severity, message, hint }) => {
    const start = Math.min(Math.max(from, 0), length);
    return {
      from: start,
      to: Math.min(Math.max(to, start + 1), length),
      severity,
      message: hint === undefined ? message : `${message}\n${hint}`,
    };
  });
}

function makeHandle(editor: EditorView): CodeEditorHandle {
  return {
    jumpTo: (from, to) => {
      const length = editor.state.doc.length;
      const selection = EditorSelection.single(Math.min(from, length), Math.min(to, length));
      editor.dispatch({ selection, effects: EditorView.scrollIntoView(selection.main, { y: "center" }) });
      editor.focus();
    },
    insert: (text) => {
      editor.dispatch(editor.state.replaceSelection(text));
      editor.focus();
    },
    focus: () => editor.focus(),
  };
}
