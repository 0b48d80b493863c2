/**
 * How the API answers with several things. Times everywhere are microseconds since 1970 UTC.
 */

/** A list that is whole. */
export interface Collection<T> {
  readonly data: readonly T[];
}

/** A part of a list; `has_more`: ask again with `starting_after` the last id. */
export interface Page<T> extends Collection<T> {
  readonly has_more: boolean;
}
