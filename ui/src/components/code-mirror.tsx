/**
 * The editor behind `CodeEditor`: CodeMirror in a shadow root, where its styles are adopted sheets, so that the page can forbid inline styles.
 */
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from "@codemirror/autocomplete";
import { defaultKeymap, history, historyKeymap, indentWithTab } from "@codemirror/commands";
import { PostgreSQL, sql } from "@codemirror/lang-sql";
import { bracketMatching, indentOnInput, indentUnit, StreamLanguage } from "@codemirror/language";
import { typescript } from "@codemirror/legacy-modes/mode/javascript";
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
import { useEffect, useRef } from "preact/hooks";
import type { CodeEditorHandle, CodeEditorProps, CodeFinding, CodeLanguage } from "./code-editor.tsx";
import { editorHighlighting, editorTheme } from "./code-theme.ts";

const NO_FINDINGS: readonly CodeFinding[] = [];
const NO_TABLES: Readonly<Record<string, readonly string[]>> = {};

/** What `CodeEditor` shows once it is loaded. */
export function CodeMirror(props: CodeEditorProps) {
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
  if (language === "typescript") return StreamLanguage.define(typescript);
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
