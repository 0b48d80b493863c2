/**
 * The head of a pipeline's page: name, state, and what can be done with it now.
 */
import { useState } from "preact/hooks";
import { messageOf, request } from "../../api/client.ts";
import type { Job, Pipeline } from "../../api/types.ts";
import { isTerminal, StateBadge } from "../../components/badge.tsx";
import { Button } from "../../components/button.tsx";
import { FormDialog } from "../../components/dialog.tsx";
import { Icon } from "../../components/icon.tsx";
import { Menu } from "../../components/menu.tsx";
import { Note } from "../../components/note.tsx";
import { RunSettingsFields, useRunSettings } from "../../components/run-settings.tsx";
import { showToast } from "../../components/toast.tsx";
import { formatAgo, formatDuration } from "../../format.ts";
import { paths } from "../../paths.ts";
import { Link, navigate } from "../../router.tsx";

interface HeadProps {
  readonly pipeline: Pipeline;
  readonly job: Job | undefined;
  refresh(): void;
}

type OpenDialog = "edit" | "restart" | "restart-without-state" | "delete";

/** The head. */
export function PipelineHead({ pipeline, job, refresh }: HeadProps) {
  const [dialog, setDialog] = useState<OpenDialog>();
  const state = job?.state ?? pipeline.state;
  const ended = isTerminal(state);
  const menu = [
    { label: "Edit…", icon: "edit", onSelect: () => setDialog("edit") },
    { label: "Restart", icon: "restart", onSelect: () => setDialog("restart") },
    {
      label: "Restart without state…",
      icon: "restart",
      tone: "danger",
      disabled: !ended,
      onSelect: () => setDialog("restart-without-state"),
    },
    { label: "Copy", icon: "copy", onSelect: () => navigate(paths.editor(pipeline.id)) },
    { label: "Delete…", icon: "trash", tone: "danger", disabled: !ended, onSelect: () => setDialog("delete") },
  ] as const;
  return (
    <header class="pipeline-head">
      <div class="pipeline-title">
        <Link to={paths.pipelines} class="crumb" aria-label="All pipelines">
          <Icon name="back" />
        </Link>
        <h1 class="truncate">{pipeline.name}</h1>
        <StateBadge state={state} />
        <span class="pipeline-since muted small num hide-phone">{sinceText(job)}</span>
      </div>
      <div class="row">
        <ActionButton pipeline={pipeline} refresh={refresh} />
        <Button icon="edit" class="hide-phone" onClick={() => setDialog("edit")}>
          Edit
        </Button>
        <Menu label="More actions" items={menu} />
      </div>
      {dialog === "edit" && <EditDialog pipeline={pipeline} onClose={() => setDialog(undefined)} onDone={refresh} />}
      {(dialog === "restart" || dialog === "restart-without-state") && (
        <RestartDialog
          pipeline={pipeline}
          ignoreState={dialog === "restart-without-state"}
          onClose={() => setDialog(undefined)}
          onDone={refresh}
        />
      )}
      {dialog === "delete" && <DeletePipelineDialog pipeline={pipeline} onClose={() => setDialog(undefined)} />}
    </header>
  );
}

function sinceText(job: Job | undefined): string {
  if (job === undefined) return "";
  if (job.state === "Running" && job.start_time !== null) return `for ${formatDuration(Date.now() * 1000 - job.start_time)}`;
  return `since ${formatAgo(job.state_changed_at)}`.replace("since now", "just now").replace(/^since (.*) ago$/, "$1 ago");
}

/** The next step as the API words it: Start, Stop, Force Stop. While something is going on and nothing can be done, it only turns. */
function ActionButton({ pipeline, refresh }: { readonly pipeline: Pipeline; refresh(): void }) {
  const [sending, setSending] = useState(false);
  const { action, action_text: text, action_in_progress: inProgress } = pipeline;
  const isStopping = action !== null && action !== "none";
  const act = async () => {
    setSending(true);
    try {
      await request(`/pipelines/${pipeline.id}`, { method: "PATCH", body: { stop: action } });
      refresh();
    } catch (error) {
      showToast(messageOf(error), "error");
    } finally {
      setSending(false);
    }
  };
  if (action === null) {
    return inProgress ? (
      <Button busy class="action-button">
        {text}
      </Button>
    ) : null;
  }
  return (
    <Button
      class="action-button"
      tone={action === "none" ? "primary" : action === "immediate" || action === "force" ? "danger" : "plain"}
      icon={isStopping ? "stop" : "play"}
      busy={sending}
      title={action === "checkpoint" ? "Takes a checkpoint, then stops" : undefined}
      onClick={() => void act()}
    >
      {text}
    </Button>
  );
}

interface ActionDialogProps {
  readonly pipeline: Pipeline;
  onClose(): void;
  onDone(): void;
}

function EditDialog({ pipeline, onClose, onDone }: ActionDialogProps) {
  const settings = useRunSettings(pipeline.parallelism, pipeline.checkpoint_interval_micros / 1_000_000);
  const save = async () => {
    await request(`/pipelines/${pipeline.id}`, { method: "PATCH", body: settings.body });
    onDone();
  };
  return (
    <FormDialog title={`Edit ${pipeline.name}`} submit="Save" disabled={!settings.isValid} onClose={onClose} onSubmit={save}>
      <RunSettingsFields settings={settings} autoFocus />
      <p class="muted small">
        A running pipeline takes a checkpoint, moves its state and goes on with the new parallelism; no row is lost.
      </p>
    </FormDialog>
  );
}

function RestartDialog({ pipeline, ignoreState, onClose, onDone }: ActionDialogProps & { readonly ignoreState: boolean }) {
  const restart = async () => {
    await request(`/pipelines/${pipeline.id}/restart`, { method: "POST", body: ignoreState ? { ignore_state: true } : {} });
    onDone();
  };
  return (
    <FormDialog
      title={ignoreState ? "Restart without state?" : `Restart ${pipeline.name}?`}
      submit={ignoreState ? "Restart without state" : "Restart"}
      tone={ignoreState ? "danger" : "primary"}
      onClose={onClose}
      onSubmit={restart}
    >
      {ignoreState ? (
        <Note tone="warn">
          The pipeline begins anew: sources are read from their configured start, counts and windows start empty, and rows may be written a
          second time. Its checkpoints are not used again.
        </Note>
      ) : (
        <p class="muted">It stops with a checkpoint and goes on from there with new workers.</p>
      )}
    </FormDialog>
  );
}

function DeletePipelineDialog({ pipeline, onClose }: { readonly pipeline: Pipeline; onClose(): void }) {
  const remove = async () => {
    await request(`/pipelines/${pipeline.id}`, { method: "DELETE" });
    showToast(`Deleted ${pipeline.name}`);
    navigate(paths.pipelines, true);
  };
  return (
    <FormDialog title={`Delete ${pipeline.name}?`} submit="Delete" tone="danger" onClose={onClose} onSubmit={remove}>
      <p class="muted">The pipeline, its history and its checkpoints go. What its sinks have written stays.</p>
    </FormDialog>
  );
}
