/** The version of a package of npm's that is imported, by our `deno.json` or another. */
export async function installed(name: string, file = "../../../deno.json"): Promise<string> {
  const { imports } = JSON.parse(await Deno.readTextFile(new URL(file, import.meta.url)));
  const version = /@([^@/]+)$/.exec(imports[name] ?? "")?.[1];
  if (version === undefined) throw new Error(`${name} is not in ${file}`);
  return version;
}

/** The version of a package of Debian's, without what Debian adds to it. */
export async function packaged(name: string): Promise<string> {
  const { stdout } = await new Deno.Command("dpkg-query", {
    args: ["--show", "--showformat=${source:Upstream-Version}", name],
  }).output();
  return new TextDecoder().decode(stdout).replace(/\+dfsg.*/, "");
}
