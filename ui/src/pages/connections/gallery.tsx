/**
 * The choice of a connector.
 */

import type { Collection } from "../../api/lists.ts";
import { usePolled } from "../../api/polling.ts";
import type { Connector } from "../../api/types.ts";
import { Badge } from "../../components/badge.tsx";
import { Empty } from "../../components/empty.tsx";
import { Icon, type IconName } from "../../components/icon.tsx";
import { useTitle } from "../../components/title.ts";
import { paths } from "../../paths.ts";
import { Link } from "../../router.tsx";

/** The page. */
export function ConnectionGalleryPage() {
  useTitle("New connection");
  const { data, error } = usePolled<Collection<Connector>>("/connectors", 0);
  const connectors = data?.data.filter((connector) => !connector.hidden) ?? [];
  return (
    <div class="page">
      <div class="page-head">
        <Link to={paths.connections} class="crumb" aria-label="All connections">
          <Icon name="back" />
        </Link>
        <h1>New connection</h1>
      </div>
      {error !== undefined && data === undefined && <Empty icon="error" title={error.message} />}
      <ul class="gallery">
        {connectors.map((connector) => (
          <li key={connector.id}>
            <ConnectorCard connector={connector} />
          </li>
        ))}
      </ul>
    </div>
  );
}

function ConnectorCard({ connector }: { readonly connector: Connector }) {
  const inside = (
    <>
      <span class="gallery-icon">
        <Icon name={connectorIcon(connector)} />
      </span>
      <strong>{connector.name}</strong>
      <span class="muted small gallery-text">{connector.description}</span>
      <span class="row">
        {connector.source && (
          <Badge plain tone="accent">
            source
          </Badge>
        )}
        {connector.sink && (
          <Badge plain tone="info">
            sink
          </Badge>
        )}
        {!connector.enabled && <Badge plain>not available</Badge>}
      </span>
    </>
  );
  return connector.enabled ? (
    <Link to={paths.connectionWizard(connector.id)} class="gallery-card card">
      {inside}
    </Link>
  ) : (
    <div class="gallery-card card" data-disabled="true">
      {inside}
    </div>
  );
}

/** What a connector does with rows, as a pictogram. */
function connectorIcon(connector: Connector): IconName {
  if (/file/.test(connector.id)) return "file";
  if (connector.source && connector.sink) return "connections";
  return connector.source ? "source" : "sink";
}
