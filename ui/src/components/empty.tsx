/**
 * What stands where there is nothing, or nothing yet: an empty state with the next step, and rows that hold the place of data.
 */
import type { ComponentChildren } from "preact";
import { Icon, type IconName } from "./icon.tsx";

interface EmptyProps {
  readonly icon: IconName;
  readonly title: string;
  readonly children?: ComponentChildren;
  readonly actions?: ComponentChildren;
}

/** Says that there is nothing, why, and what to do about it. */
export function Empty({ icon, title, children, actions }: EmptyProps) {
  return (
    <div class="empty">
      <Icon name={icon} />
      <h2>{title}</h2>
      {children !== undefined && <p>{children}</p>}
      {actions !== undefined && <div class="actions">{actions}</div>}
    </div>
  );
}

/** Rows of a table that have not come yet; they are as high as rows. */
export function SkeletonRows({ rows, columns }: { readonly rows: number; readonly columns: number }) {
  const cells = Array.from({ length: columns }, (_, column) => column);
  return (
    <>
      {Array.from({ length: rows }, (_, row) => (
        <tr key={row}>
          {cells.map((column) => (
            <td key={column}>
              <span class="skeleton" />
            </td>
          ))}
        </tr>
      ))}
    </>
  );
}
