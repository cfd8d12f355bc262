/** Figures of a long test, for whoever watches it; nothing depends on them. */
export function report(line: string): void {
  Deno.stderr.writeSync(new TextEncoder().encode(`${line}\n`));
}
