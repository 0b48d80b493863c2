/**
 * An id or a name with a button that copies it, and where there is one, a link to it in the outside system's own UI.
 */
import { Icon } from "./icon.tsx";
import { showToast } from "./toast.tsx";

interface CopyTextProps {
  readonly text: string;
  /** What it is, for the button's name: "run's name". */
  readonly what: string;
  readonly link?: string | null;
}

/** The text, shortened where there is no room for it. */
export function CopyText({ text, what, link }: CopyTextProps) {
  const copy = () => {
    navigator.clipboard.writeText(text).then(
      () => showToast(`Copied ${text}`),
      () => showToast("The browser does not let this page copy; select the text instead", "error"),
    );
  };
  return (
    <span class="copy-text">
      {link ? (
        <a class="mono truncate" href={link} target="_blank" rel="noreferrer" title={text}>
          {text}
          <Icon name="outside" />
        </a>
      ) : (
        <span class="mono truncate" title={text}>
          {text}
        </span>
      )}
      <button type="button" class="copy-button" aria-label={`Copy the ${what} ${text}`} title="Copy" onClick={copy}>
        <Icon name="copy" />
      </button>
    </span>
  );
}
