import { type Invocation, parseArguments, UsageError } from "./src/commands/arguments.ts";
import { checkCommand, type Output } from "./src/commands/check.ts";
import { loadConfig } from "./src/config/load.ts";
import { ConfigError } from "./src/config/mistakes.ts";
import { version } from "./src/version.ts";

// deno-lint-ignore no-console
const output: Output = { stdout: console.log, stderr: console.error };

/** Runs what the command line asks for; the result is the exit status. */
async function run(invocation: Invocation): Promise<number> {
  const env = Deno.env.toObject();
  switch (invocation.command) {
    case "help":
      output.stdout(invocation.text.trimEnd());
      return 0;
    case "version":
      output.stdout(`causeway ${version}`);
      return 0;
    case "check":
      return checkCommand({ file: invocation.file, env }, output);
    case "serve": {
      const load = () => loadConfig({ file: invocation.file, env, flags: invocation.flags });
      // What a command needs is loaded when it runs: serving does not pay for the demo.
      const { serveCommand } = await import("./src/commands/serve.ts");
      return await serveCommand(load, output);
    }
    case "demo": {
      const { demoCommand } = await import("./src/commands/demo.ts");
      return await demoCommand(output);
    }
    default:
      return invocation satisfies never;
  }
}

try {
  Deno.exitCode = await run(parseArguments(Deno.args));
} catch (error) {
  if (error instanceof UsageError) output.stderr(`causeway: ${error.message}`);
  else if (error instanceof ConfigError) output.stderr(error.message);
  else throw error;
  Deno.exitCode = 2;
}
