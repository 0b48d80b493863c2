/**
 * The text a pipeline runs: its query or its functions, to read.
 */
import { useState } from "preact/hooks";
import { Button } from "../../components/button.tsx";
import { CodeEditor, type CodeLanguage } from "../../components/code-editor.tsx";
import { Empty } from "../../components/empty.tsx";
import { showToast } from "../../components/toast.tsx";

interface DefinitionTabProps {
  readonly label: string;
  readonly language: CodeLanguage;
  readonly texts: readonly { readonly title: string; readonly text: string }[];
}

/** The tab. */
export function DefinitionTab({ label, language, texts }: DefinitionTabProps) {
  const [at, setAt] = useState(0);
  const shown = texts[at] ?? texts[0];
  if (shown === undefined) {
    return (
      <Empty icon="function" title="No functions">
        This pipeline has no functions of its own.
      </Empty>
    );
  }
  const copy = () => {
    navigator.clipboard.writeText(shown.text).then(
      () => showToast("Copied"),
      () => showToast("The browser does not allow copying here", "error"),
    );
  };
  return (
    <div class="definition">
      <div class="outputs-head">
        <div class="row">
          {texts.map(({ title }, i) => (
            <Button key={title} tone={i === at ? "plain" : "quiet"} aria-pressed={i === at} onClick={() => setAt(i)}>
              {title}
            </Button>
          ))}
        </div>
        <Button icon="copy" onClick={copy}>
          Copy text
        </Button>
      </div>
      <CodeEditor key={at} label={label} language={language} value={shown.text} readOnly />
    </div>
  );
}
