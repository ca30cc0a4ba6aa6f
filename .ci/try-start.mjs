// `npm start` as a user does it: the server comes up, gives its page, answers a chat, and ends on Ctrl-C.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const child = spawn('npm', ['start', '--silent', '--', '--port', '0'], {
  stdio: ['ignore', 'pipe', 'inherit'],
  // A group of its own, as a terminal's, to which Ctrl-C goes as a whole.
  detached: true,
  env: { ...process.env, NO_COLOR: '1' },
});
const exit = once(child, 'exit');
try {
  const url = await address(createInterface({ input: child.stdout }));
  assert.equal((await get(`${url}/health`)).status, 200);
  assert.match(await (await get(url)).text(), /<script type="module"/);
  const answer = await get(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ messages: [{ role: 'user', content: '47+58' }], temperature: 0 }),
  });
  const { choices } = await answer.json();
  assert.match(choices[0].message.content, /105/);
} finally {
  process.kill(-child.pid, 'SIGINT');
}
await exit;
console.log('npm start: the page and a chat are served');

async function address(lines) {
  for await (const line of lines) {
    const url = /http:\S+/.exec(line)?.[0];
    if (url) return url;
  }
  throw new Error('npm start ended before it said its address');
}

function get(url, request = {}) {
  return fetch(url, { ...request, signal: AbortSignal.timeout(60_000) });
}
