import { draftingOf } from '../chat/drafting.ts';
import type { AssistantMessage } from '../chat/message.ts';
import type { ServerInfo } from '../connection/server-info.ts';
import { texts } from '../preferences.ts';
import { formatNumber } from './numbers.ts';

interface SpeedProperties {
  answer: AssistantMessage | null;
  info: ServerInfo;
}

export function SpeedFigures({ answer, info }: SpeedProperties) {
  const text = texts();
  const speed = answer?.figures.tokensPerSecond ?? null;
  const first = answer?.figures.firstToken ?? null;
  const { passes } = draftingOf(answer?.tokens ?? [], info.mtp_heads);
  return (
    <section aria-labelledby="speed">
      <h2 id="speed">{text.speed}</h2>
      <p class="large">
        {speed === null ? '–' : formatNumber(speed)} <small>{text.tokensPerSecond}</small>
      </p>
      <dl>
        <dt>{text.firstToken}</dt>
        <dd>{first === null ? '–' : text.milliseconds(Math.round(first))}</dd>
        <dt>{text.tokensPerPass}</dt>
        <dd>{passes === 0 ? '–' : formatNumber(answer!.tokens.length / passes, 1)}</dd>
      </dl>
    </section>
  );
}
