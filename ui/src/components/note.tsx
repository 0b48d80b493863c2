/**
 * A line that says how something is: a remark, a warning, an error, a success.
 */
import type { ComponentChildren } from "preact";
import { Icon, type IconName } from "./icon.tsx";

/** What a note or badge means. */
export type Tone = "plain" | "ok" | "info" | "warn" | "bad" | "accent";

const ICONS: Readonly<Record<Tone, IconName>> = { plain: "info", ok: "check", info: "info", warn: "warning", bad: "error", accent: "info" };

/** A remark with its pictogram. Errors are announced to screen readers. */
export function Note({ tone = "plain", children }: { readonly tone?: Tone; readonly children: ComponentChildren }) {
  return (
    <div class="note" data-tone={tone} role={tone === "bad" ? "alert" : undefined}>
      <Icon name={ICONS[tone]} />
      <div>{children}</div>
    </div>
  );
}
