/** Routes of user-defined functions. A function is code that runs in the workers: only admins may bring one in. */
import { z } from "zod";
import { makeId } from "../../core/ids.ts";
import { deleteUdf, insertUdf, listUdfs, readUdf, type UdfRecord } from "../../db/udfs.ts";
import { badRequest, notFound } from "../http-error.ts";
import { creatorOf, type Route, route } from "../route.ts";
import { list } from "../schema/shape.ts";
import { globalUdfShape, udfPost, udfValidationShape, validateUdfPost } from "../schema/udf-shapes.ts";
import { checkUdf, requireUdf, UDF_LANGUAGE, viewCheck, viewSignature } from "../udf-requests.ts";

function viewUdf(udf: UdfRecord): z.input<typeof globalUdfShape> {
  return {
    id: udf.id,
    prefix: udf.prefix,
    name: udf.name,
    created_at: udf.createdUs,
    updated_at: udf.updatedUs,
    definition: udf.definition,
    description: udf.description,
    dylib_url: null,
    language: udf.language,
    signature: viewSignature(udf.signature),
  };
}

const listRoute = route({
  method: "get",
  path: "/udfs",
  operation: "listUdfs",
  tag: "udfs",
  summary: "List the functions that every pipeline may call",
  role: "viewer",
  answer: list(globalUdfShape),
  handle: async ({ api }) => ({ data: (await listUdfs(api.db)).map(viewUdf) }),
});

const createRoute = route({
  method: "post",
  path: "/udfs",
  operation: "createUdf",
  tag: "udfs",
  summary: "Create a function that every pipeline may call",
  role: "admin",
  body: udfPost,
  answer: globalUdfShape,
  refusals: [413, 415],
  async handle({ api, body, caller }) {
    const signature = await requireUdf(api, body, "definition");
    const id = makeId("udf", api.random);
    const stored = await insertUdf(api.db, {
      id,
      prefix: body.prefix ?? "",
      name: signature.name,
      language: UDF_LANGUAGE,
      definition: body.definition,
      description: body.description ?? "",
      signature,
      createdBy: creatorOf(caller),
    });
    if (!stored)
      throw badRequest(`a function with the name "${signature.name}" already exists`, { hint: "Delete it first, or choose another name." });
    const udf = await readUdf(api.db, id);
    if (udf === undefined) throw notFound("function", id);
    return viewUdf(udf);
  },
});

const validateRoute = route({
  method: "post",
  path: "/udfs/validate",
  operation: "validateUdf",
  tag: "udfs",
  summary: "Check a function's definition; its errors are part of the answer",
  role: "viewer",
  body: validateUdfPost,
  answer: udfValidationShape,
  refusals: [413, 415],
  handle: async ({ api, body }) => viewCheck(await checkUdf(api, body)),
});

const deleteRoute = route({
  method: "delete",
  path: "/udfs/{id}",
  operation: "deleteUdf",
  tag: "udfs",
  summary: "Delete a function; pipelines that call it carry it with them",
  role: "admin",
  params: z.object({ id: z.string() }),
  refusals: [404],
  async handle({ api, params }) {
    if (!(await deleteUdf(api.db, params.id))) throw notFound("function", params.id);
    return {};
  },
});

/** All routes of functions. */
export const udfRoutes: readonly Route[] = [listRoute, createRoute, validateRoute, deleteRoute];
