/**
 * Renders MiMo's template without interpreting it. The Jinja text (`mimo-template.ts`) stays what the
 * format is; this gives the same text some fifty times as fast, since training renders every sample.
 */
import type { RegularMessage, Tool } from './chat-messages.ts';
import { defaultSystemOf, TOOLS_CLOSING, TOOLS_OPENING } from './mimo-template.ts';

export interface MimoRenderOptions {
  tools?: readonly Tool[];
  enableThinking?: boolean;
  keepAllReasoning?: boolean;
  addGenerationPrompt?: boolean;
}

/**
 * The renderer of a template; undefined if it is not MiMo's. The renderer gives undefined for
 * what is unusual, tools of odd form and reasoning that is left out, and then the template is asked.
 */
export function mimoRenderer(
  template: string,
):
  | ((messages: readonly RegularMessage[], options: MimoRenderOptions) => string | undefined)
  | undefined {
  const defaultSystem = defaultSystemOf(template);
  if (defaultSystem === undefined) return undefined;
  return (messages, options) => {
    try {
      return render(defaultSystem, messages, options);
    } catch (error) {
      if (error === UNUSUAL) return undefined;
      throw error;
    }
  };
}

/** Thrown where a value is not of the form that this renderer knows. */
const UNUSUAL = new Error('unusual');

function render(
  defaultSystem: string,
  messages: readonly RegularMessage[],
  { tools, enableThinking, keepAllReasoning = true, addGenerationPrompt }: MimoRenderOptions,
): string {
  if (!keepAllReasoning) throw UNUSUAL;
  const hasSystem = messages[0]?.role === 'system';
  let text = `<|im_start|>system\n${hasSystem ? messages[0]!.content : defaultSystem}`;
  if (tools?.length) text += TOOLS_OPENING + tools.map(describeTool).join('') + TOOLS_CLOSING;
  text += '<|im_end|>';
  messages.forEach((message, i) => {
    const { role } = message;
    if (role === 'assistant') {
      text += writeAssistant(message);
    } else if (role === 'tool') {
      if (messages[i - 1]?.role !== 'tool') text += '<|im_start|>tool\n';
      text += `<tool_response>\n${message.content}\n</tool_response>\n`;
      if (messages[i + 1]?.role !== 'tool') text += '<|im_end|>';
    } else if (i > 0 || !hasSystem) {
      text += `<|im_start|>${role}\n${message.content}<|im_end|>`;
    }
  });
  if (addGenerationPrompt) {
    text += `<|im_start|>assistant\n${enableThinking ? '' : '<think></think>'}`;
  }
  return text;
}

function writeAssistant(message: RegularMessage): string {
  const { reasoning_content: reasoning, tool_calls: calls = [] } = message;
  let { content } = message;
  let thoughts = reasoning ?? '';
  if (reasoning === undefined && content.startsWith('<think>') && content.includes('</think>')) {
    thoughts = content.split('</think>')[0]!.slice('<think>'.length);
    content = content.slice(thoughts.length + '<think></think>'.length);
  }
  const written = calls.map(({ function: { name, arguments: given } }) => {
    const parameters = Object.entries(given).map(
      ([key, value]) => `<parameter=${key}>${scalar(value)}</parameter>\n`,
    );
    return `<tool_call>\n<function=${name}>\n${parameters.join('')}</function>\n</tool_call>`;
  });
  return `<|im_start|>assistant\n<think>${thoughts}</think>${content}${written.join('')}<|im_end|>`;
}

function describeTool(entry: Tool): string {
  const tool = objectOf('function' in entry ? entry.function : entry);
  if (typeof tool.name !== 'string') throw UNUSUAL;
  let text = `\n<function>\n<name>${tool.name}</name>${description(tool)}\n<parameters>`;
  if (tool.parameters !== undefined) {
    const parameters = objectOf(tool.parameters);
    if (parameters.properties !== undefined) {
      for (const [name, value] of Object.entries(objectOf(parameters.properties))) {
        text += describeProperty(name, objectOf(value));
      }
    }
    text += otherKeys(parameters, ['type', 'properties']);
  }
  const rest = otherKeys(tool, ['type', 'name', 'description', 'parameters']);
  return `${text}\n</parameters>${rest}\n</function>`;
}

function describeProperty(name: string, property: Record<string, unknown>): string {
  const type = property.type === undefined ? '' : `\n<type>${scalar(property.type)}</type>`;
  const rest = otherKeys(property, ['name', 'type', 'description']);
  return `\n<parameter>\n<name>${name}</name>${type}${description(property)}${rest}\n</parameter>`;
}

function description({ description: text }: Record<string, unknown>): string {
  return typeof text === 'string' ? `\n<description>${text.trim()}</description>` : '';
}

function otherKeys(object: Record<string, unknown>, known: readonly string[]): string {
  return Object.entries(object)
    .filter(([key]) => !known.includes(key))
    .map(([key, value]) => `\n<${key}>${scalar(value)}</${key}>`)
    .join('');
}

/** As Python's `str` writes it, and what holds other values as JSON. */
function scalar(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value);
  if (typeof value === 'object') return toJson(value);
  throw UNUSUAL;
}

/** With the spaces that Python puts. */
function toJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(toJson).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value);
    return `{${entries.map(([key, field]) => `${JSON.stringify(key)}: ${toJson(field)}`).join(', ')}}`;
  }
  if (value === undefined || typeof value === 'function') throw UNUSUAL;
  return JSON.stringify(value);
}

function objectOf(value: unknown): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw UNUSUAL;
  return value as Record<string, unknown>;
}
