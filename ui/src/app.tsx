/**
 * The shell around the pages: navigation, banners, dialogs that belong to no page. It decides which page is shown.
 */
import { useEffect, useState } from "preact/hooks";
import { apiReachable } from "./api/connectivity.ts";
import { Button } from "./components/button.tsx";
import { Icon, type IconName } from "./components/icon.tsx";
import { Toasts } from "./components/toast.tsx";
import { TokenDialog } from "./components/token-dialog.tsx";
import { lazy } from "./lazy.tsx";
import { ConnectionGalleryPage } from "./pages/connections/gallery.tsx";
import { ConnectionsPage } from "./pages/connections/list.tsx";
import { HomePage } from "./pages/home.tsx";
import { NotFoundPage } from "./pages/not-found.tsx";
import { PipelinesPage } from "./pages/pipelines.tsx";
import { SettingsPage } from "./pages/settings.tsx";
import { parsePath, paths, type Route } from "./paths.ts";
import { Link, pathStore } from "./router.tsx";
import { tokenQuestion } from "./session.ts";
import { readStored, writeStored } from "./storage.ts";
import { useStore } from "./store.ts";

const ClusterPage = lazy(() => import("./pages/cluster/page.tsx").then((module) => module.ClusterPage));
const ClusterRunPage = lazy(() => import("./pages/cluster/run-page.tsx").then((module) => module.ClusterRunPage));
const ConnectionWizardPage = lazy(() => import("./pages/connections/wizard.tsx").then((module) => module.ConnectionWizardPage));
const EditorPage = lazy(() => import("./pages/editor/page.tsx").then((module) => module.EditorPage));
const PipelinePage = lazy(() => import("./pages/pipeline/page.tsx").then((module) => module.PipelinePage));

const NAVIGATION: readonly {
  readonly to: string;
  readonly label: string;
  readonly icon: IconName;
  readonly pages: readonly Route["page"][];
}[] = [
  { to: paths.home, label: "Home", icon: "home", pages: ["home"] },
  { to: paths.pipelines, label: "Pipelines", icon: "pipelines", pages: ["pipelines", "pipeline", "editor"] },
  {
    to: paths.connections,
    label: "Connections",
    icon: "connections",
    pages: ["connections", "connection-gallery", "connection-wizard"],
  },
  { to: paths.cluster(), label: "Cluster", icon: "cluster", pages: ["cluster", "cluster-run"] },
  { to: paths.settings, label: "Settings", icon: "settings", pages: ["settings"] },
];

/** The whole application. */
export function App() {
  const route = parsePath(useStore(pathStore));
  const [narrow, setNarrow] = useState(readStored("sidebar") === "narrow");
  const question = useStore(tokenQuestion);
  const collapse = () => {
    writeStored("sidebar", narrow ? undefined : "narrow");
    setNarrow(!narrow);
  };
  return (
    <div class="shell" data-narrow={narrow}>
      <nav class="side" aria-label="Main">
        <Link to={paths.home} class="brand" aria-label="Wadi">
          <img src="/wadi.svg" alt="" width="28" height="28" />
          <span>Wadi</span>
        </Link>
        {NAVIGATION.map(({ to, label, icon, pages }) => (
          <Link
            key={to}
            to={to}
            class="side-link"
            title={narrow ? label : undefined}
            aria-current={pages.includes(route.page) ? "page" : undefined}
          >
            <Icon name={icon} />
            <span class="side-label">{label}</span>
          </Link>
        ))}
        <div class="side-space" />
        <button
          type="button"
          class="side-link side-collapse"
          aria-expanded={!narrow}
          aria-label="Sidebar"
          title="Sidebar"
          onClick={collapse}
        >
          <Icon name={narrow ? "expand" : "collapse"} />
          <span class="side-label">Collapse</span>
        </button>
      </nav>
      <main class="main">
        {question === "put-off" && <TokenBanner />}
        <RoutedPage route={route} />
      </main>
      <UnavailableBanner />
      {question === "asked" && <TokenDialog />}
      <Toasts />
    </div>
  );
}

function RoutedPage({ route }: { readonly route: Route }) {
  switch (route.page) {
    case "home":
      return <HomePage />;
    case "pipelines":
      return <PipelinesPage />;
    case "editor":
      return <EditorPage key={route.from ?? ""} from={route.from} />;
    case "pipeline":
      return <PipelinePage key={route.id} id={route.id} tab={route.tab} />;
    case "connections":
      return <ConnectionsPage />;
    case "connection-gallery":
      return <ConnectionGalleryPage />;
    case "connection-wizard":
      return <ConnectionWizardPage key={route.connector} connector={route.connector} />;
    case "cluster":
      return <ClusterPage tab={route.tab} />;
    case "cluster-run":
      return <ClusterRunPage key={`${route.job}/${route.run}`} job={route.job} run={route.run} tab={route.tab} />;
    case "settings":
      return <SettingsPage />;
    case "not-found":
      return <NotFoundPage />;
  }
}

/** Stays until a token is entered. */
function TokenBanner() {
  return (
    <div class="banner">
      <Icon name="lock" />
      <span class="banner-text">The API wants a token; without one this page shows nothing new.</span>
      <Button onClick={() => tokenQuestion.set("asked")}>Enter token</Button>
    </div>
  );
}

/** Floats over the page, so that nothing moves and nothing that was typed is lost. Shown only if the API stays away for a moment. */
function UnavailableBanner() {
  const reachable = useStore(apiReachable);
  const [shown, setShown] = useState(false);
  useEffect(() => {
    if (reachable) {
      setShown(false);
      return undefined;
    }
    const timer = setTimeout(() => setShown(true), 700);
    return () => clearTimeout(timer);
  }, [reachable]);
  if (!shown) return null;
  return (
    <div class="banner banner-float" role="alert">
      <Icon name="offline" />
      <span>
        <strong>The API does not answer.</strong> Trying again every second; what you see is the last that was known.
      </span>
    </div>
  );
}
