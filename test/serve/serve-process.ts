/** `mimoflash serve` in a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

export interface ServeProcess {
  url: string;
  child: ChildProcess;
  /** Sends a signal; → the exit code. */
  end(signal?: NodeJS.Signals): Promise<number | null>;
}

/** Starts it on a free port; → once it listens. */
export async function startServe(
  parameters: string[] = [],
  environment: Record<string, string> = {},
): Promise<ServeProcess> {
  const child = spawn(process.execPath, [main, 'serve', '--port', '0', ...parameters], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NO_COLOR: '1', ...environment },
  });
  const failed = once(child, 'exit').then(([code]) => {
    throw new Error(`it ended with code ${code} before it listened`);
  });
  const listening = once(createInterface({ input: child.stdout }), 'line') as Promise<[string]>;
  const [line] = await Promise.race([listening, failed]);
  failed.catch(() => undefined);
  const url = /http:\S+/.exec(line)![0];
  return {
    url,
    child,
    async end(signal = 'SIGTERM') {
      const exit = once(child, 'exit');
      child.kill(signal);
      const [code] = (await exit) as [number | null];
      return code;
    },
  };
}
