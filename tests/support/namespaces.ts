import { programPath } from "./programs.ts";

/**
 * Options of a test that needs a root, a network and a /proc of its own, which not everybody may have: without
 * them it is reported as ignored, and where `CI` is `true` it runs and fails.
 */
export function haveNamespaces(): { readonly ignore: boolean } {
  return { ignore: !mayUnshare() && Deno.env.get("CI") !== "true" };
}

function mayUnshare(): boolean {
  try {
    const own = ["--map-root-user", "--mount", "--net", "--pid", "--fork"];
    const args = [...own, "sh", "-c", "mount -t proc proc /proc"];
    return new Deno.Command(programPath("unshare"), { args }).outputSync().success;
  } catch {
    return false;
  }
}
