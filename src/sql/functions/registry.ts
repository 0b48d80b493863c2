/**
 * The one registry of functions: SQL name → row. Names of Arroyo's that Wadi does not have yet are listed too, so that a user learns that a
 * name is right and the function missing.
 */
import { AGGREGATE_FUNCTIONS, type AggregateFunction } from "../../program/operator.ts";
import { CONDITIONAL_FUNCTIONS } from "./conditional.ts";
import { MATH_FUNCTIONS } from "./math.ts";
import type { ScalarFunction } from "./scalar-call.ts";
import { TEXT_FUNCTIONS } from "./text.ts";
import { TIME_FUNCTIONS } from "./time.ts";

/** Every scalar function once. */
export const SCALAR_FUNCTION_ROWS: readonly ScalarFunction[] = [
  ...MATH_FUNCTIONS,
  ...CONDITIONAL_FUNCTIONS,
  ...TEXT_FUNCTIONS,
  ...TIME_FUNCTIONS,
];

const SCALARS: ReadonlyMap<string, ScalarFunction> = new Map(SCALAR_FUNCTION_ROWS.flatMap((f) => f.names.map((n) => [n, f] as const)));

const AGGREGATES: ReadonlyMap<string, AggregateFunction> = new Map([
  ...AGGREGATE_FUNCTIONS.map((name) => [name, name] as const),
  ["mean", "avg"] as const,
]);

/** Functions that only the planner understands. */
export const PLANNER_FUNCTIONS = ["tumble", "hop", "session", "row_time", "named_struct", "struct", "get_field"] as const;

/** Scalar functions that exist in Arroyo and not yet here. */
const MISSING_SCALARS =
  "acos acosh asin asinh atan atan2 atanh cbrt cos cosh cot factorial gcd lcm nanvl random sin sinh tan tanh ascii chr find_in_set " +
  "initcap levenshtein overlay substr_index to_hex translate uuid encode decode regexp_count regexp_instr regexp_like regexp_match " +
  "regexp_replace digest md5 sha224 sha256 sha384 sha512 current_date today current_time current_timestamp now make_date to_char " +
  "date_format to_local_time array_any_value array_append array_concat array_cat array_contains array_has array_has_all array_has_any " +
  "array_dims array_distance array_distinct array_element array_empty array_except array_intersect array_join array_to_string " +
  "array_length array_max array_min array_ndims array_pop_back array_pop_front array_position array_positions array_prepend " +
  "array_push_back array_push_front array_remove array_repeat array_replace array_resize array_reverse array_slice array_sort " +
  "array_union cardinality flatten generate_series make_array range string_to_array row map make_map map_extract map_keys map_values " +
  "arrow_cast arrow_typeof version json_get json_get_str json_get_int json_get_float json_get_bool json_get_json json_get_array " +
  "json_as_text json_contains json_length json_len json_object_keys json_keys json_from_scalar get_first_json_object extract_json " +
  "extract_json_string multi_hash unnest metadata";

const MISSING_AGGREGATES =
  "stddev stddev_samp stddev_pop var var_samp var_pop covar_samp covar_pop corr regr_slope regr_intercept regr_count regr_r2 regr_avgx " +
  "regr_avgy regr_sxx regr_syy regr_sxy median approx_distinct approx_median approx_percentile_cont " +
  "approx_percentile_cont_with_weight array_agg string_agg bit_and bit_or bit_xor bool_and bool_or first_value last_value nth_value grouping";

const MISSING_WINDOW_FUNCTIONS = "row_number rank dense_rank percent_rank cume_dist ntile lag lead";

const MISSING: ReadonlyMap<string, string> = new Map([
  ...MISSING_SCALARS.split(" ").map((n) => [n, "function"] as const),
  ...MISSING_AGGREGATES.split(" ").map((n) => [n, "aggregate function"] as const),
  ...MISSING_WINDOW_FUNCTIONS.split(" ").map((n) => [n, "window function"] as const),
]);

/** The row of a scalar function by any of its names, in any case. */
export function scalarFunction(name: string): ScalarFunction | undefined {
  return SCALARS.get(name.toLowerCase());
}

/** The aggregate function of that name, in any case. */
export function aggregateFunction(name: string): AggregateFunction | undefined {
  return AGGREGATES.get(name.toLowerCase());
}

/** What kind of function a name of Arroyo's is that Wadi does not have yet. */
export function missingFunction(name: string): string | undefined {
  return MISSING.get(name.toLowerCase());
}

/** All names that can be called. */
export function functionNames(): string[] {
  return [...SCALARS.keys(), ...AGGREGATES.keys(), ...PLANNER_FUNCTIONS];
}
