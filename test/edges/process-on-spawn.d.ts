declare module 'process-on-spawn' {
  const processOnSpawn: {
    /** Nobody changes the environment of processes that this one starts any more. */
    removeAllListeners(): void;
  };
  export default processOnSpawn;
}
