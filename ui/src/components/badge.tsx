/**
 * Small labels: a word with a colour that says the same. States of jobs have theirs here.
 */
import type { ComponentChildren } from "preact";
import type { Tone } from "./note.tsx";

interface BadgeProps {
  readonly tone?: Tone;
  /** Its dot pulses. */
  readonly busy?: boolean;
  /** Without a dot. */
  readonly plain?: boolean;
  readonly children: ComponentChildren;
}

/** A label. */
export function Badge({ tone = "plain", busy = false, plain = false, children }: BadgeProps) {
  return (
    <span class="badge" data-tone={tone} data-busy={busy} data-plain={plain}>
      {children}
    </span>
  );
}

const STATE_TONES: Readonly<Record<string, Tone>> = {
  Running: "ok",
  Finished: "info",
  Finishing: "info",
  Failed: "bad",
  Failing: "bad",
  Stopped: "plain",
  Recovering: "warn",
};

const LASTING = new Set(["Running", "Finished", "Failed", "Stopped"]);

/** The colour of a state, however it is written: `CheckpointStopping`, `checkpoint-stopping`. */
export function stateTone(state: string): Tone {
  const name = state.replace(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase());
  return STATE_TONES[name] ?? "accent";
}

/** Whether a job in this state is on its way to another. */
export function isTransient(state: string): boolean {
  return !LASTING.has(state);
}

/** Whether a job in this state will do nothing more by itself. */
export function isTerminal(state: string): boolean {
  return LASTING.has(state) && state !== "Running";
}

/** A job's state; `CheckpointStopping` reads as two words. */
export function StateBadge({ state }: { readonly state: string | undefined }) {
  if (state === undefined) return <Badge>…</Badge>;
  const words = state.replace(/(?<=[a-z])(?=[A-Z])/g, " ").replace(/ ([A-Z])/g, (_, letter: string) => ` ${letter.toLowerCase()}`);
  return (
    <Badge tone={stateTone(state)} busy={isTransient(state)}>
      {words}
    </Badge>
  );
}
