/**
 * The shell that a model works in: bash and its commands written in TypeScript, over files in memory.
 * There is no network, no host file and no other language in it, and every command has limits.
 */
import type { Bash } from 'just-bash';
import type { Tool } from '../../text/chat-messages.ts';
import type { Call } from '../response.ts';
import type { ToolSession } from '../task.ts';

/** Contents by path, relative to the folder that the model works in. */
export type Files = Readonly<Record<string, string>>;

const HOME = '/work';

/** The tools of the report's code agent (section 4.3.2). */
export const SHELL_TOOLS: readonly Tool[] = [
  tool('bash', 'Run a command in the shell.', { command: 'The command.' }),
  tool('str_replace', 'Replace a text that occurs once in a file.', {
    path: 'The file.',
    old: 'The text to replace.',
    new: 'The new text.',
  }),
  tool('finish', 'End the task.', { answer: 'The answer, or what was done.' }),
];

export class ShellSession implements ToolSession {
  readonly #bash: Promise<Bash>;
  #answer: string | undefined;

  constructor(files: Files) {
    this.#bash = openBash(files);
  }

  /** What `finish` was given; undefined before. */
  get answer(): string | undefined {
    return this.#answer;
  }

  get finished(): boolean {
    return this.#answer !== undefined;
  }

  async call({ name, arguments: given }: Call): Promise<string> {
    if (this.finished) return 'error: the task has ended';
    const missing = requiredOf(name)?.find((key) => typeof given[key] !== 'string');
    if (missing !== undefined) return `error: ${name} needs ${missing}`;
    const values = given as Record<string, string>;
    switch (name) {
      case 'bash':
        return this.#run(values.command!);
      case 'str_replace':
        return this.#replace(values.path!, values.old!, values.new!);
      case 'finish':
        this.#answer = values.answer!.trim();
        return 'done';
      default:
        return `error: there is no tool ${name}`;
    }
  }

  /** All files as they are now. */
  async files(): Promise<Files> {
    const files: Record<string, string> = {};
    const { fs } = await this.#bash;
    for (const path of fs.getAllPaths()) {
      if (!path.startsWith(`${HOME}/`)) continue;
      if (!(await fs.lstat(path)).isFile) continue;
      files[path.slice(HOME.length + 1)] = await fs.readFile(path);
    }
    return files;
  }

  async #run(command: string): Promise<string> {
    const { stdout, stderr } = await (await this.#bash).exec(command);
    const output = (stdout + stderr).trimEnd();
    return output === '' ? '(no output)' : output.slice(0, LONGEST_OUTPUT);
  }

  async #replace(path: string, old: string, replacement: string): Promise<string> {
    const { fs } = await this.#bash;
    const full = fs.resolvePath(HOME, path);
    const text = await fs.readFile(full).catch(() => undefined);
    if (text === undefined) return `error: there is no file ${path}`;
    const times = old === '' ? 0 : text.split(old).length - 1;
    if (times !== 1) return `error: the text occurs ${times} times in ${path}`;
    await fs.writeFile(
      full,
      text.replace(old, () => replacement),
    );
    return 'replaced';
  }
}

/** Loaded when first used: making problems needs no shell. */
async function openBash(files: Files): Promise<Bash> {
  const { Bash } = await import('just-bash');
  const placed = Object.entries(files).map(([path, text]) => [`${HOME}/${path}`, text]);
  return new Bash({
    files: Object.fromEntries(placed),
    cwd: HOME,
    executionLimits: {
      maxExecutionTimeMs: 2000,
      maxCommandCount: 1000,
      maxLoopIterations: 1000,
      maxFileSystemBytes: 4 * 2 ** 20,
      maxLiveBytes: 16 * 2 ** 20,
    },
  });
}

/** In characters. */
const LONGEST_OUTPUT = 4000;

function requiredOf(name: string): string[] | undefined {
  const found = SHELL_TOOLS.find((tool) => tool.function.name === name);
  return found?.function.parameters?.required as string[] | undefined;
}

function tool(name: string, description: string, parameters: Record<string, string>): Tool {
  const properties = Object.fromEntries(
    Object.entries(parameters).map(([key, text]) => [key, { type: 'string', description: text }]),
  );
  return {
    type: 'function',
    function: {
      name,
      description,
      parameters: { type: 'object', properties, required: Object.keys(parameters) },
    },
  };
}
