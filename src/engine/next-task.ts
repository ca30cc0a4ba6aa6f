/**
 * Lets timers, sockets and signals have their turn. A device that computes at once answers every
 * `await` at once too, and a loop over it would keep the thread to itself.
 */
export function nextTask(): Promise<void> {
  if (typeof setImmediate === 'function') return new Promise((resolve) => setImmediate(resolve));
  // In a browser, where timers wait for milliseconds.
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    const receive = () => {
      port1.close();
      resolve();
    };
    port1.addEventListener('message', receive);
    port1.start();
    port2.postMessage(null);
  });
}
