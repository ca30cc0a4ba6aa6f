import { draftingOf } from '../chat/drafting.ts';
import type { AssistantMessage } from '../chat/message.ts';
import type { ServerInfo } from '../connection/server-info.ts';
import { texts, tintTokens } from '../preferences.ts';
import { formatPercent } from './numbers.ts';

interface DraftingProperties {
  answer: AssistantMessage | null;
  info: ServerInfo;
}

/** How often each head's draft was taken; the key to the colours of the text, too. */
export function DraftingFigures({ answer, info }: DraftingProperties) {
  const text = texts();
  if (info.mtp_heads === 0) return null;
  const hasTokens = answer !== null && answer.tokens.length > 0;
  const shares = hasTokens ? sharesOf(answer, info.mtp_heads) : sharesSinceStart(info);
  return (
    <section aria-labelledby="drafting">
      <h2 id="drafting">{text.drafting}</h2>
      <p class="quiet">{hasTokens ? text.thisAnswer : text.sinceStart}</p>
      <ul class="heads">
        {shares.map((share, head) => (
          <li key={head} data-head={(head % 3) + 1}>
            <span>{text.head(head + 1)}</span>
            <span class="track" aria-hidden="true">
              <span class="bar" style={{ width: `${(share ?? 0) * 100}%` }} />
            </span>
            <span class="value">{share === null ? '–' : formatPercent(share)}</span>
          </li>
        ))}
      </ul>
      <label class="check">
        <input
          type="checkbox"
          checked={tintTokens.value}
          onChange={({ currentTarget }) => {
            tintTokens.value = currentTarget.checked;
          }}
        />
        {text.tint}
      </label>
    </section>
  );
}

function sharesOf({ tokens }: AssistantMessage, heads: number): number[] {
  const { passes, accepted } = draftingOf(tokens, heads);
  return accepted.map((count) => count / passes);
}

function sharesSinceStart({ mtp_heads, engine: { drafting } }: ServerInfo): (number | null)[] {
  return Array.from({ length: mtp_heads }, (_, head) => {
    const drafted = drafting.drafted[head] ?? 0;
    return drafted === 0 ? null : (drafting.accepted[head] ?? 0) / drafted;
  });
}
