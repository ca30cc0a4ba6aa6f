/** The data of server-sent events, one after another; names and comments are passed over. */
export async function* serverEvents(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.getReader();
  const utf8 = new TextDecoder();
  let text = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      text += utf8.decode(value, { stream: true });
      const events = text.split('\n\n');
      text = events.pop()!;
      for (const event of events) {
        const lines = event.split('\n').filter((line) => line.startsWith('data: '));
        if (lines.length > 0) yield lines.map((line) => line.slice(6)).join('\n');
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
