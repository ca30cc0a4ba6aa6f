/** A conversation as the body of `/v1/chat/completions`. */
import { sampling } from '../preferences.ts';
import type { Message } from './message.ts';
import { isComplete } from './tool-calls.ts';

export function chatRequest(messages: readonly Message[]): object {
  const { temperature, topP, maxTokens, thinking, system, tools } = sampling.value;
  const opening = system.trim() === '' ? [] : [{ role: 'system', content: system }];
  return {
    messages: [...opening, ...messages.map(apiMessage)],
    temperature,
    top_p: topP,
    ...(maxTokens !== null && { max_tokens: maxTokens }),
    ...(tools.trim() !== '' && { tools: JSON.parse(tools) as unknown }),
    chat_template_kwargs: { enable_thinking: thinking },
    stream: true,
    stream_options: { include_usage: true },
    return_tokens: true,
  };
}

function apiMessage(message: Message): object {
  switch (message.role) {
    case 'user':
      return message;
    case 'tool':
      return { role: 'tool', tool_call_id: message.callId, content: message.content };
    case 'assistant': {
      const calls = message.toolCalls.filter(isComplete);
      return {
        role: 'assistant',
        content: message.content,
        ...(message.reasoning !== '' && { reasoning_content: message.reasoning }),
        ...(calls.length > 0 && {
          tool_calls: calls.map(({ id, name, arguments: text }) => ({
            id,
            type: 'function',
            function: { name, arguments: text },
          })),
        }),
      };
    }
  }
}
