/** The part of process-on-spawn, which has no types of its own, that is used here: what it does to processes that are started. Types only; it runs nowhere. */
declare module 'process-on-spawn' {
  const processOnSpawn: {
    /** Nobody changes the environment of processes that this one starts any more. */
    removeAllListeners(): void;
  };
  export default processOnSpawn;
}
