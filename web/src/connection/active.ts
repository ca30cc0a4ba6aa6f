/** The connection in use, and what it says of itself. */
import { effect, signal, untracked } from '@preact/signals';
import { answering, stop } from '../chat/answering.ts';
import { type Place, place, tabDevice } from '../preferences.ts';
import type { Connection } from './connection.ts';
import { Failure, goodResponse, messageOf } from './failure.ts';
import { connectToServer } from './server-connection.ts';
import { parseServerInfo, type ServerInfo } from './server-info.ts';
import { connectToTab, type TabConnection } from './tab-connection.ts';

export const active = signal<Connection>(connectToServer());
/** The latest figures; `null` before there are any. */
export const info = signal<ServerInfo | null>(null);
/** Why there are none. */
export const trouble = signal<Failure | null>(null);
/** Share of the tab's model that is loaded; `null` when none is being loaded. */
export const loading = signal<number | null>(null);

/** Between two questions for figures: while it answers, and else. */
const pauseMilliseconds = { answering: 150, idle: 1000 };

/** Follows the choice of place. */
export function connectAsChosen(): void {
  effect(() => {
    const device = tabDevice.value;
    const connection = place.value === 'tab' ? connectToTab(device) : connectToServer();
    untracked(() => use(connection, place.value));
    return () => connection.close();
  });
}

function use(connection: Connection, where: Place): void {
  stop();
  active.value = connection;
  info.value = null;
  trouble.value = null;
  loading.value = where === 'tab' ? 0 : null;
  if (where === 'tab') {
    const { progress } = connection as TabConnection;
    progress.subscribe((share) => {
      if (active.value === connection && info.value === null) loading.value = share;
    });
  }
  void follow(connection);
}

/** Asks again and again, while the page is seen and the connection is the one in use. */
async function follow(connection: Connection): Promise<void> {
  while (active.value === connection) {
    if (document.visibilityState === 'visible') {
      try {
        const response = await goodResponse(await connection.fetch('server_info'));
        const figures = parseServerInfo(await response.json());
        if (active.value !== connection) return;
        info.value = figures;
        trouble.value = null;
        loading.value = null;
      } catch (error) {
        if (active.value !== connection) return;
        trouble.value = error instanceof Failure ? error : new Failure(messageOf(error));
        loading.value = null;
        // A static site has the page and the model, but no server.
        if (trouble.value.status === 404) place.value = 'tab';
      }
    }
    const { answering: short, idle } = pauseMilliseconds;
    const pause = answering.value === null ? idle : short;
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
}
