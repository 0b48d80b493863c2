/** x */
export function ConnectionGalleryPage(_: { readonly connector?: string }) { return <div class="page">…</div>; }
