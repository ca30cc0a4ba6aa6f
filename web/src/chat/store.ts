/** Keeps conversations in this browser (IndexedDB), and nowhere else. */
import type { Conversation } from './message.ts';

const name = 'mimoflash';
const table = 'conversations';

let opened: Promise<IDBDatabase> | null = null;

export async function readConversations(): Promise<Conversation[]> {
  return done((await records('readonly')).getAll()) as Promise<Conversation[]>;
}

export async function keepConversation(conversation: Conversation): Promise<void> {
  await done((await records('readwrite')).put(conversation));
}

export async function forgetConversation(id: string): Promise<void> {
  await done((await records('readwrite')).delete(id));
}

async function records(mode: IDBTransactionMode): Promise<IDBObjectStore> {
  opened ??= open();
  return (await opened).transaction(table, mode).objectStore(table);
}

function open(): Promise<IDBDatabase> {
  const request = indexedDB.open(name, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(table, { keyPath: 'id' });
  return done(request);
}

function done<Result>(request: IDBRequest<Result>): Promise<Result> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
