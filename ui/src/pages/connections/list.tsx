/** x */
export function ConnectionsPage(_: { readonly connector?: string }) { return <div class="page">…</div>; }
