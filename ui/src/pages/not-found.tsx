/**
 * The page of an address that leads nowhere.
 */
import { ButtonLink } from "../components/button.tsx";
import { Empty } from "../components/empty.tsx";
import { useTitle } from "../components/title.ts";
import { paths } from "../paths.ts";

/** Says so, and shows the way home. */
export function NotFoundPage() {
  useTitle("Not found");
  return (
    <div class="page">
      <Empty icon="info" title="There is no such page" actions={<ButtonLink to={paths.home}>Home</ButtonLink>}>
        The address may be mistyped, or what it named was deleted.
      </Empty>
    </div>
  );
}
