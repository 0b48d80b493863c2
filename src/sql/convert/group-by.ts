/**
 * GROUP BY of the parser's tree → a list of expressions and, for ROLLUP, CUBE and GROUPING SETS, the sets they expand to.
 */
import type { Expr } from "../ast.ts";
import type { Span } from "../source-text.ts";
import type { ConvertContext } from "./context.ts";
import { convertExpressions } from "./expression.ts";
import { listOf, type Tree, variantOf } from "./tree.ts";

/** What `Select` needs to know of GROUP BY. */
export interface GroupBy {
  readonly groupBy: readonly Expr[];
  readonly groupingSets: readonly (readonly number[])[] | undefined;
}

/** Most sets that a GROUP BY may expand to. */
const MAX_GROUPING_SETS = 4096;

/** Converts GROUP BY; `select` is the place for findings without one of their own. */
export function convertGroupBy(context: ConvertContext, tree: Tree, select: Span): GroupBy {
  const { name, body } = variantOf(tree);
  if (name === "All") {
    context.unsupported(select, "GROUP BY ALL", "List the expressions, or their numbers: GROUP BY 1, 2.");
    return { groupBy: [], groupingSets: undefined };
  }
  const [items, modifiers] = listOf(body);
  if (listOf(modifiers).length > 0) context.unsupported(select, "a modifier after GROUP BY");
  const groupBy: Expr[] = [];
  let sets: readonly (readonly number[])[] = [[]];
  let hasSets = false;
  const places = new Map<string, number>();
  const add = (trees: readonly Tree[]): number[] =>
    convertExpressions(context, trees).map((expr) => {
      const key = context.tokenText(expr.span);
      const place = places.get(key) ?? groupBy.push(expr) - 1;
      places.set(key, place);
      return place;
    });
  for (const item of listOf(items)) {
    const { name: kind, body: inner } = variantOf(item);
    const own = setsOf(kind, listOf(inner), add);
    if (own !== undefined) hasSets = true;
    sets = product(sets, own ?? [add(kind === "Tuple" ? listOf(inner) : [item])]);
    if (sets.length > MAX_GROUPING_SETS) {
      context.diagnostics.error("limit-exceeded", select, `GROUP BY expands to more than ${MAX_GROUPING_SETS} grouping sets`);
      return { groupBy, groupingSets: undefined };
    }
  }
  return { groupBy, groupingSets: hasSets ? sets : undefined };
}

/** The sets of ROLLUP, CUBE or GROUPING SETS as indexes that `add` gives; `undefined` for an ordinary item. */
function setsOf(
  kind: string,
  groups: readonly Tree[],
  add: (trees: readonly Tree[]) => number[],
): readonly (readonly number[])[] | undefined {
  if (kind !== "Rollup" && kind !== "Cube" && kind !== "GroupingSets") return undefined;
  const indexes = groups.map((group) => add(listOf(group)));
  if (kind === "GroupingSets") return indexes;
  if (kind === "Rollup") return [...indexes.keys(), indexes.length].reverse().map((n) => indexes.slice(0, n).flat());
  if (indexes.length > 12) return Array.from({ length: MAX_GROUPING_SETS + 1 }, () => []);
  const masks = Array.from({ length: 1 << indexes.length }, (_, i) => (1 << indexes.length) - 1 - i);
  return masks.map((mask) => indexes.filter((_, i) => mask & (1 << (indexes.length - 1 - i))).flat());
}

function product(left: readonly (readonly number[])[], right: readonly (readonly number[])[]): readonly (readonly number[])[] {
  if (left.length * right.length > MAX_GROUPING_SETS) return Array.from({ length: MAX_GROUPING_SETS + 1 }, () => []);
  return left.flatMap((a) => right.map((b) => [...a, ...b]));
}
