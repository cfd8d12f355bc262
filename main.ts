import { type Invocation, parseArguments, UsageError } from "./src/commands/arguments.ts";
import type { Output } from "./src/commands/check.ts";
import { loadConfig } from "./src/config/load.ts";
import { ConfigError } from "./src/config/mistakes.ts";
import { version } from "./src/version.ts";

// deno-lint-ignore no-console
const output: Output = { stdout: console.log, stderr: console.error };

/**
 * What these commands need is loaded when they run: serving does not pay for the demo. Deno reads all that
 * an `import` names itself, as soon as the program starts and whether or not it comes to that; `.ci/program.ts`
 * tells it of these.
 */
const [CHECK, DEMO, DOCTOR, PROXY]: readonly [string, string, string, string] = [
  "./src/commands/check.ts",
  "./src/commands/demo.ts",
  "./src/commands/doctor.ts",
  "./src/commands/proxy.ts",
];

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
    case "check": {
      const { checkCommand }: typeof import("./src/commands/check.ts") = await import(CHECK);
      return checkCommand({ file: invocation.file, env }, output);
    }
    case "serve": {
      const load = () => loadConfig({ file: invocation.file, env, flags: invocation.flags });
      const { serveCommand } = await import("./src/commands/serve.ts");
      return await serveCommand(load, output);
    }
    case "demo": {
      const { demoCommand }: typeof import("./src/commands/demo.ts") = await import(DEMO);
      return await demoCommand(output);
    }
    case "doctor": {
      const { doctorCommand }: typeof import("./src/commands/doctor.ts") = await import(DOCTOR);
      return await doctorCommand(invocation, { file: invocation.file, env }, output);
    }
    case "proxy": {
      const { proxyCommand }: typeof import("./src/commands/proxy.ts") = await import(PROXY);
      const { proxy, file, flags } = invocation;
      return proxyCommand(proxy, { file, env, flags }, output);
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
