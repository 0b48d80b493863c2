/**
 * Imported by nothing, on purpose: the unused-code check of `npm run check` has to report this file, and only it, or it has gone blind.
 */
/** Never used. */
export const unused = true;
