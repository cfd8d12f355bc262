import manifest from "../deno.json" with { type: "json" };

/** The version of Causeway, from the manifest. */
export const version: string = manifest.version;
