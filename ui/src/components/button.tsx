/**
 * Buttons, links that look like buttons, and the spinner of work in progress.
 */
import type { ComponentChildren, JSX } from "preact";
import { Link } from "../router.tsx";
import { Icon, type IconName } from "./icon.tsx";

/** How much a button asks for attention. */
export type ButtonTone = "plain" | "primary" | "danger" | "quiet";

interface ButtonProps extends Omit<JSX.IntrinsicElements["button"], "icon" | "size" | "ref" | "class"> {
  readonly class?: string;
  readonly tone?: ButtonTone | undefined;
  readonly icon?: IconName | undefined;
  /** Shows a spinner instead of the icon and takes no clicks. */
  readonly busy?: boolean | undefined;
  readonly children?: ComponentChildren;
}

/** A button with a text. */
export function Button({ tone = "plain", icon, busy = false, children, disabled, class: className, ...rest }: ButtonProps) {
  return (
    <button
      type="button"
      {...rest}
      class={`button ${className ?? ""}`}
      data-tone={tone}
      disabled={disabled === true || busy}
      aria-busy={busy}
    >
      {busy ? <span class="spinner" /> : icon !== undefined && <Icon name={icon} />}
      {children}
    </button>
  );
}

/** A button that shows only a pictogram; `label` is its name and its tooltip. */
export function IconButton({ icon, label, ...rest }: ButtonProps & { readonly icon: IconName; readonly label: string }) {
  const { tone: _tone, busy: _busy, class: className = "", ...attributes } = rest;
  return (
    <button type="button" {...attributes} class={`button ${className}`} data-tone="quiet" data-size="icon" aria-label={label} title={label}>
      <Icon name={icon} />
    </button>
  );
}

interface ButtonLinkProps {
  readonly to: string;
  readonly tone?: ButtonTone;
  readonly icon?: IconName;
  readonly children: ComponentChildren;
}

/** A link to a page that looks like a button. */
export function ButtonLink({ to, tone = "plain", icon, children }: ButtonLinkProps) {
  return (
    <Link to={to} class="button" data-tone={tone}>
      {icon !== undefined && <Icon name={icon} />}
      {children}
    </Link>
  );
}
