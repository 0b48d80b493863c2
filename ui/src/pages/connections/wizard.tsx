/** x */
export function ConnectionWizardPage(_: { readonly connector?: string }) { return <div class="page">…</div>; }
