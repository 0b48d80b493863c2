/** The TypeScript compiler's findings about one file that stands alone, with the language's own library and nothing of a host. */
import { dirname, join } from "node:path";
import type ts from "typescript";

/** A finding. */
export interface TypeProblem {
  readonly message: string;
  readonly start: number;
  readonly end: number;
}

/** By path: the library's files are read and parsed once a process. */
const libraries = new Map<string, ts.SourceFile | undefined>();

/** Errors of syntax and types in `file`, in order, under the strict flags. */
export function checkTypes(api: typeof ts, file: ts.SourceFile): readonly TypeProblem[] {
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    noImplicitReturns: true,
    target: api.ScriptTarget.ES2022,
    module: api.ModuleKind.ESNext,
    moduleDetection: api.ModuleDetectionKind.Force,
    lib: ["lib.es2022.d.ts"],
    types: [],
  };
  const program = api.createProgram([file.fileName], options, makeHost(api, file, options));
  const found = [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)];
  return found
    .filter((d) => d.category === api.DiagnosticCategory.Error)
    .map(({ messageText, start = 0, length = 0 }) => ({
      message: api.flattenDiagnosticMessageText(messageText, " "),
      start,
      end: start + length,
    }));
}

function makeHost(api: typeof ts, file: ts.SourceFile, options: ts.CompilerOptions): ts.CompilerHost {
  const folder = dirname(api.getDefaultLibFilePath(options));
  const library = (path: string): ts.SourceFile | undefined => {
    if (!libraries.has(path)) {
      const text = dirname(path) === folder ? api.sys.readFile(path) : undefined;
      libraries.set(path, text === undefined ? undefined : api.createSourceFile(path, text, api.ScriptTarget.ES2022, true));
    }
    return libraries.get(path);
  };
  return {
    getSourceFile: (name) => (name === file.fileName ? file : library(name)),
    getDefaultLibFileName: () => join(folder, "lib.es2022.d.ts"),
    getDefaultLibLocation: () => folder,
    writeFile: () => undefined,
    getCurrentDirectory: () => "",
    getCanonicalFileName: (name) => name,
    useCaseSensitiveFileNames: () => true,
    getNewLine: () => "\n",
    fileExists: (name) => name === file.fileName || library(name) !== undefined,
    readFile: (name) => (name === file.fileName ? file.text : library(name)?.text),
  };
}
