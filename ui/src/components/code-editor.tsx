/**
 * A text editor for SQL and TypeScript with findings at their places and completion from the catalog. CodeMirror, which it is made of, is most
 * of the UI's code and is fetched when the first editor is shown.
 */
import type { RefObject } from "preact";
import { lazy } from "../lazy.tsx";

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

/** What an editor shows and whom it tells. */
export interface CodeEditorProps {
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

/** A text editor as high as its parent. Its text is `value`; a change from outside replaces the text. */
export const CodeEditor = lazy<CodeEditorProps>(() => import("./code-mirror.tsx").then((module) => module.CodeMirror));
