/** `POST /tokenize` and `/detokenize`, as SGLang and vLLM have them. */
import type { Context } from 'hono';
import { z } from 'zod';
import { readBody } from './body.ts';
import type { ServerContext } from './context.ts';
import { renderPrompt } from './generation/chat.ts';
import { checkModel, checkTokens } from './generation/request.ts';
import { chatSchema, messagesOf, thinkingOf, toolsOf } from './openai/chat-schema.ts';
import { tokenText } from './token-text.ts';

const tokenizeSchema = z
  .strictObject({
    ...chatSchema.pick({ model: true, tools: true, chat_template_kwargs: true }).shape,
    prompt: z.union([z.string(), z.array(z.string())]).optional(),
    messages: chatSchema.shape.messages.optional(),
    // This kind of tokenizer adds none.
    add_special_tokens: z.boolean().nullish(),
    return_token_strs: z.boolean().nullish(),
  })
  .refine(({ prompt, messages }) => (prompt === undefined) !== (messages === undefined), {
    path: ['prompt'],
    message: 'send either prompt or messages',
  });

export function tokenize(context: ServerContext) {
  return async (c: Context): Promise<Response> => {
    const body = await readBody(c, tokenizeSchema);
    checkModel(context, body.model);
    const { tokenizer } = context.text;
    const { prompt, messages } = body;
    const text =
      prompt ??
      renderPrompt(
        context,
        {
          messages: messagesOf({ messages: messages! }),
          tools: toolsOf(body),
          thinking: thinkingOf(body),
          keepAllReasoning: body.chat_template_kwargs?.keep_all_reasoning,
        },
        'messages',
      );
    const lists = await context.encode([text].flat());
    const isList = Array.isArray(prompt);
    const strings = () => lists.map((ids) => ids.map((id) => tokenText(tokenizer, id).text));
    return c.json({
      tokens: isList ? lists : lists[0],
      count: isList ? lists.map((ids) => ids.length) : lists[0]!.length,
      max_model_len: context.engine.contextTokens,
      ...(body.return_token_strs && { token_strs: isList ? strings() : strings()[0] }),
    });
  };
}

const detokenizeSchema = z.strictObject({
  model: z.string().nullish(),
  tokens: z.array(z.int().nonnegative()),
});

export function detokenize(context: ServerContext) {
  return async (c: Context): Promise<Response> => {
    const { model, tokens } = await readBody(c, detokenizeSchema);
    checkModel(context, model);
    checkTokens(context, tokens, 'tokens');
    const text = context.text.tokenizer.decode(tokens);
    // vLLM's name and SGLang's.
    return c.json({ prompt: text, text });
  };
}
